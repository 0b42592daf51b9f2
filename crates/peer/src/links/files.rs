//! The file channels of one link: whose turn it is to send, and what came in.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use str0m::channel::ChannelId;
use tokio::sync::oneshot;
use wire::p2p::{CHUNK_BYTES, CHUNK_BYTES_TAKEN, FileControl, FileId};

use super::file::{FileChannel, FileEnd, FileMessage, Queued};

/// File channels of a link at most: eight transfers each way, and those that are being closed.
pub(super) const CHANNELS: usize = 32;
/// Bytes of a text message at most: those that are agreed are far shorter.
const CONTROL_BYTES: usize = 4 * 1024;

struct File {
    /// The engine's number for it.
    number: u64,
    channel: ChannelId,
    end: FileEnd,
    out: VecDeque<Queued>,
    /// Who waits for it to open.
    opening: Option<(FileChannel, oneshot::Sender<FileChannel>)>,
    open: bool,
    /// Its owner let go of it: it is closed when all is sent.
    closing: bool,
}

/// The file channels of one link.
#[derive(Default)]
pub(super) struct Files {
    list: Vec<File>,
    turn: usize,
}

/// What is to be written next.
pub(super) enum Next<'a> {
    /// The file's bytes, at most [`CHUNK_BYTES`].
    Data(ChannelId, &'a [u8]),
    /// JSON.
    Control(ChannelId, String),
}

impl Files {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Their data channels.
    pub(super) fn channels(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.list.iter().map(|file| file.channel)
    }

    /// This side opens one: `reply` gets it when the other side knows of it.
    pub(super) fn opening(
        &mut self,
        number: u64,
        channel: ChannelId,
        (owner, end): (FileChannel, FileEnd),
        reply: oneshot::Sender<FileChannel>,
    ) {
        let opening = Some((owner, reply));
        let out = VecDeque::new();
        self.list.push(File { number, channel, end, out, opening, open: false, closing: false });
    }

    /// It is open. `false` when it is none of these.
    pub(super) fn opened(&mut self, channel: ChannelId) -> bool {
        let Some(file) = self.find(channel) else { return false };
        file.open = true;
        if let Some((owner, reply)) = file.opening.take() {
            // If nobody waits any more, dropping the owner's end closes it.
            drop(reply.send(owner));
        }
        true
    }

    /// The other side opened one.
    pub(super) fn incoming(&mut self, number: u64, channel: ChannelId, end: FileEnd) {
        let out = VecDeque::new();
        self.list.push(File {
            number,
            channel,
            end,
            out,
            opening: None,
            open: true,
            closing: false,
        });
    }

    /// A message to be sent.
    pub(super) fn send(&mut self, number: u64, message: Queued) {
        if let Some(file) = self.list.iter_mut().find(|file| file.number == number) {
            file.out.push_back(message);
        }
    }

    /// Its owner let go of it.
    pub(super) fn close(&mut self, number: u64) {
        if let Some(file) = self.list.iter_mut().find(|file| file.number == number) {
            file.closing = true;
        }
    }

    /// Those that are to be closed now, and are forgotten here.
    pub(super) fn due_to_close(&mut self) -> Vec<ChannelId> {
        let done = |file: &File| file.closing && file.open && file.out.is_empty();
        let list: Vec<_> =
            self.list.iter().filter(|file| done(file)).map(|file| file.channel).collect();
        self.list.retain(|file| !done(file));
        list
    }

    /// It is gone. `false` when it is none of these.
    pub(super) fn closed(&mut self, channel: ChannelId) -> bool {
        let before = self.list.len();
        self.list.retain(|file| file.channel != channel);
        self.list.len() < before
    }

    /// What is to be sent next, one message of each in turn.
    pub(super) fn next(&mut self) -> Option<Next<'_>> {
        let count = self.list.len();
        let at = (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|at| self.list[*at].open && !self.list[*at].out.is_empty())?;
        self.turn = at;
        let file = &self.list[at];
        match &file.out.front()?.0 {
            FileMessage::Data(bytes) => Some(Next::Data(file.channel, chunk(bytes))),
            // These few shapes can always be written as JSON.
            FileMessage::Control(control) => {
                Some(Next::Control(file.channel, serde_json::to_string(control).ok()?))
            }
        }
    }

    /// It was sent.
    pub(super) fn sent(&mut self) {
        let Some(file) = self.list.get_mut(self.turn) else { return };
        self.turn += 1;
        if let Some((FileMessage::Data(bytes), _)) = file.out.front_mut() {
            let sent = chunk(bytes).len();
            bytes.advance(sent);
            if !bytes.is_empty() {
                return;
            }
        }
        file.out.pop_front();
    }

    /// A message came. `None` when it is none of these; `Some(false)` when it has to be closed: what came is not
    /// as agreed, or nobody takes it.
    pub(super) fn take(&mut self, channel: ChannelId, binary: bool, data: Vec<u8>) -> Option<bool> {
        let file = self.find(channel)?;
        let message = if binary {
            (data.len() <= CHUNK_BYTES_TAKEN).then(|| FileMessage::Data(data.into()))
        } else {
            control(&data).map(FileMessage::Control)
        };
        Some(message.is_some_and(|message| file.end.give(message).is_ok()))
    }

    fn find(&mut self, channel: ChannelId) -> Option<&mut File> {
        self.list.iter_mut().find(|file| file.channel == channel)
    }
}

/// The part of a file's bytes that goes into one message.
fn chunk(bytes: &Bytes) -> &[u8] {
    &bytes[..bytes.len().min(CHUNK_BYTES)]
}

/// The file that a channel's label names.
pub(super) fn labelled(label: &str) -> Option<FileId> {
    label.strip_prefix(wire::p2p::FILE_PREFIX)?.parse().ok()
}

fn control(text: &[u8]) -> Option<FileControl> {
    if text.len() > CONTROL_BYTES {
        return None;
    }
    serde_json::from_slice(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_label_with_a_files_id_names_a_file() {
        let id = "0f".repeat(16);
        assert_eq!(labelled(&format!("file:{id}")).unwrap().to_string(), id);
        for wrong in ["file:", "file:0f", "msg", "", "FILE:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"] {
            assert_eq!(labelled(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_control_message_is_short() {
        assert_eq!(control(br#"{"t":"have","pieces":3}"#), Some(FileControl::Have { pieces: 3 }));
        let long = format!(r#"{{"t":"dance","x":"{}"}}"#, "x".repeat(CONTROL_BYTES));
        assert_eq!(control(long.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = control(&text);
        }
    }
}
