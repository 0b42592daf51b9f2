//! The data channels of a connection: frames and files go out as there is room, and come in.

use str0m::channel::{ChannelConfig, ChannelData, ChannelId, Reliability};
use tokio::sync::oneshot;
use wire::p2p::{FILE_PREFIX, FileId, MESSAGES, PROTOCOL};

use super::super::Way;
use super::super::file::FileChannel;
use super::super::files::{CHANNELS, Next, labelled};
use super::super::frames::{Heard, Violation};
use super::{Connection, End, Happening, Scene};

/// Channels that nobody asked for are closed; so many end the connection.
const STRANGERS: usize = 32;

/// What became of a message.
enum Written {
    /// SCTP has it.
    Yes,
    /// There is no room now.
    Later,
    /// The channel doesn't take it, and won't.
    Never,
}

impl Connection {
    /// Opens a channel for a file; `reply` gets it.
    ///
    /// # Errors
    /// [`End`].
    pub(in super::super) fn open_file(
        &mut self,
        file: FileId,
        reply: oneshot::Sender<FileChannel>,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        if self.files.len() == CHANNELS {
            return Ok(());
        }
        let channel = self.rtc.direct_api().create_data_channel(ChannelConfig {
            label: format!("{FILE_PREFIX}{file}"),
            protocol: PROTOCOL.to_owned(),
            ..ChannelConfig::default()
        });
        let number = self.number();
        let ends = self.channels.pair(self.id, number);
        self.files.opening(number, channel, ends, reply);
        self.used = scene.now;
        self.run(scene)
    }

    /// A file channel's owner let go of it.
    ///
    /// # Errors
    /// [`End`].
    pub(in super::super) fn close_file(
        &mut self,
        number: u64,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        self.files.close(number);
        self.used = scene.now;
        self.run(scene)
    }

    /// Writes what there is room for: frames first, then each file's channel in turn.
    pub(super) fn write(&mut self, scene: &mut Scene<'_>) -> Result<(), End> {
        if !self.rtc.is_alive() {
            return Err(End::Closed);
        }
        let mut buffered = self.buffered();
        self.window.buffered(buffered, scene.now);
        let before = buffered;
        loop {
            let (wrote, file) = if let Some(bytes) = self.write_frame(buffered)? {
                (bytes, false)
            } else if buffered < self.window.size() {
                let Some(bytes) = self.write_file(scene)? else { break };
                (bytes, true)
            } else {
                break;
            };
            buffered += wrote;
            self.window.wrote(wrote, scene.now);
            if file {
                self.files.sent();
            } else {
                self.frames.sent();
            }
        }
        if buffered > before {
            self.drain(scene)?;
        }
        for channel in self.files.due_to_close() {
            self.close(channel, scene)?;
        }
        Ok(())
    }

    fn write_frame(&mut self, buffered: usize) -> Result<Option<usize>, End> {
        let Some(msg) = self.msg else { return Ok(None) };
        // Frames don't wait for the room that files take: they have half as much again.
        if buffered >= self.window.size() * 3 / 2 {
            return Ok(None);
        }
        let Some(bytes) = self.frames.next() else { return Ok(None) };
        match write(&mut self.rtc, msg, true, bytes)? {
            Written::Yes => Ok(Some(bytes.len())),
            Written::Later => Ok(None),
            Written::Never => Err(End::Violation(Violation::Channel)),
        }
    }

    fn write_file(&mut self, scene: &mut Scene<'_>) -> Result<Option<usize>, End> {
        while let Some(next) = self.files.next() {
            let (channel, written, bytes) = match next {
                Next::Data(channel, bytes) => {
                    (channel, write(&mut self.rtc, channel, true, bytes)?, bytes.len())
                }
                Next::Control(channel, text) => {
                    (channel, write(&mut self.rtc, channel, false, text.as_bytes())?, text.len())
                }
            };
            match written {
                Written::Yes => return Ok(Some(bytes)),
                Written::Later => return Ok(None),
                Written::Never => {
                    self.files.closed(channel);
                    self.close(channel, scene)?;
                }
            }
        }
        Ok(None)
    }

    /// Bytes that SCTP has and the other side hasn't acknowledged.
    fn buffered(&mut self) -> usize {
        let channels = self.msg.into_iter().chain(self.files.channels());
        channels.filter_map(|id| Some(self.rtc.channel(id)?.buffered_amount())).sum()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn close(&mut self, channel: ChannelId, scene: &mut Scene<'_>) -> Result<(), End> {
        self.rtc.direct_api().close_data_channel(channel);
        self.wake = scene.now;
        self.drain(scene)
    }

    pub(super) fn opened(
        &mut self,
        id: ChannelId,
        label: &str,
        scene: &mut Scene<'_>,
    ) -> Result<(), End> {
        let agreed = self.rtc.channel(id).and_then(|channel| channel.config().map(is_agreed));
        if label == MESSAGES && (self.msg == Some(id) || (!self.offering && self.msg.is_none())) {
            if agreed != Some(true) {
                return Err(Violation::Channel.into());
            }
            self.msg = Some(id);
            self.frames.hello(&self.agent);
            self.greet(scene);
            return Ok(());
        }
        if self.files.opened(id) {
            return Ok(());
        }
        if let Some(file) = labelled(label)
            && agreed == Some(true)
            && self.up
            && self.files.len() < CHANNELS
        {
            let number = self.number();
            let (owner, end) = self.channels.pair(self.id, number);
            self.files.incoming(number, id, end);
            self.used = scene.now;
            scene.happened.push(Happening::File(file, owner));
            return Ok(());
        }
        self.strangers += 1;
        if self.strangers > STRANGERS {
            return Err(Violation::Flood.into());
        }
        self.rtc.direct_api().close_data_channel(id);
        Ok(())
    }

    pub(super) fn take(&mut self, data: ChannelData, scene: &mut Scene<'_>) -> Result<(), End> {
        if self.msg == Some(data.id) {
            let heard = self.frames.take(data.binary, &data.data, scene.now)?;
            return heard.map_or(Ok(()), |heard| self.heard(heard, scene));
        }
        self.used = scene.now;
        if self.files.take(data.id, data.binary, data.data) == Some(false) {
            self.files.closed(data.id);
            self.rtc.direct_api().close_data_channel(data.id);
        }
        Ok(())
    }

    fn heard(&mut self, heard: Heard, scene: &mut Scene<'_>) -> Result<(), End> {
        match heard {
            Heard::Hello => {}
            Heard::Bye => return Err(End::Bye),
            Heard::Frame(frame, bytes) => {
                self.used = scene.now;
                scene.happened.push(Happening::Frame(frame, bytes));
            }
        }
        self.greet(scene);
        Ok(())
    }

    fn greet(&mut self, scene: &mut Scene<'_>) {
        if !self.up && self.frames.greeted() {
            self.up = true;
            self.used = scene.now;
            scene.happened.push(Happening::Up(self.way.unwrap_or(Way::Direct)));
        }
    }
}

fn write(
    rtc: &mut str0m::Rtc,
    channel: ChannelId,
    binary: bool,
    bytes: &[u8],
) -> Result<Written, End> {
    let Some(mut channel) = rtc.channel(channel) else { return Ok(Written::Never) };
    match channel.write(binary, bytes) {
        Ok(true) => Ok(Written::Yes),
        Ok(false) => Ok(Written::Later),
        Err(error) => {
            tracing::debug!(%error, "a data channel takes nothing more");
            Ok(Written::Never)
        }
    }
}

/// Ordered, reliable, and of our protocol.
fn is_agreed(config: &ChannelConfig) -> bool {
    config.ordered && config.reliability == Reliability::Reliable && config.protocol == PROTOCOL
}
