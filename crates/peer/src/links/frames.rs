//! The frames of one link: who has said hello, what waits to be sent, what was pinged.
//!
//! Pure: messages of the data channel `msg` go in and out as bytes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wire::p2p::{ACK_IDS, Assembler, Frame, FrameError, VERSION, cut};

/// Pings without an answer at most.
const PINGS: usize = 64;
/// Pongs that wait to be sent at most: more pings than this at once are a flood.
const PONGS: usize = 64;

/// Why a link has to end: the other side broke the protocol's rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// A message that is no piece of a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Text where bytes belong.
    #[error("text on the channel for frames")]
    Text,
    /// A frame that can't be read.
    #[error("a frame that can't be read: {0}")]
    Unreadable(String),
    /// Something else came before `hello`, or a second one.
    #[error("hello is said first, and once")]
    Hello,
    /// More than may wait.
    #[error("more than this side can take")]
    Flood,
    /// A data channel that is opened in another way than agreed, or is no longer there.
    #[error("the channel for frames is not as agreed")]
    Channel,
}

/// What a message meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The other side has said hello.
    Hello,
    /// For the owner of the links; so many bytes.
    Frame(Frame, usize),
    /// The other side closes the link.
    Bye,
}

/// A frame on its way out; what it holds of the queue is free again when it is gone.
struct Outgoing {
    pieces: VecDeque<Vec<u8>>,
    _room: Option<OwnedSemaphorePermit>,
}

/// The frames of one link.
#[derive(Default)]
pub(super) struct Frames {
    assembler: Assembler,
    heard: bool,
    said: bool,
    out: VecDeque<Outgoing>,
    pings: VecDeque<(u64, Instant, oneshot::Sender<Duration>)>,
    pinged: u64,
    pongs: usize,
}

impl Frames {
    /// Whether both sides have said hello.
    pub(super) fn greeted(&self) -> bool {
        self.heard && self.said
    }

    /// Says hello.
    pub(super) fn hello(&mut self, agent: &str) {
        self.say(&Frame::Hello { version: VERSION, agent: agent.to_owned() });
        self.said = true;
    }

    /// Says goodbye, after all else.
    pub(super) fn bye(&mut self) {
        self.say(&Frame::Bye);
    }

    /// Sends a frame that was made elsewhere.
    pub(super) fn send(&mut self, frame: &[u8], room: Option<OwnedSemaphorePermit>) {
        self.out.push_back(Outgoing { pieces: cut(frame).collect(), _room: room });
    }

    /// Sends a ping; the time until its pong is told.
    pub(super) fn ping(&mut self, now: Instant, reply: oneshot::Sender<Duration>) {
        self.pings.retain(|(_, _, reply)| !reply.is_closed());
        if self.pings.len() == PINGS {
            return;
        }
        self.pinged += 1;
        self.pings.push_back((self.pinged, now, reply));
        self.say(&Frame::Ping { n: self.pinged });
    }

    /// The message that is to be sent next.
    pub(super) fn next(&self) -> Option<&[u8]> {
        self.out.front()?.pieces.front().map(Vec::as_slice)
    }

    /// It was sent.
    pub(super) fn sent(&mut self) {
        if let Some(frame) = self.out.front_mut() {
            frame.pieces.pop_front();
            if frame.pieces.is_empty() {
                self.out.pop_front();
            }
        }
        if self.out.is_empty() {
            self.pongs = 0;
        }
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`Violation`].
    pub(super) fn take(
        &mut self,
        binary: bool,
        message: &[u8],
        now: Instant,
    ) -> Result<Option<Heard>, Violation> {
        if !binary {
            return Err(Violation::Text);
        }
        let Some(bytes) = self.assembler.take(message)? else { return Ok(None) };
        let frame: Frame = serde_json::from_slice(&bytes)
            .map_err(|error| Violation::Unreadable(error.to_string()))?;
        if self.heard == matches!(frame, Frame::Hello { .. }) {
            return Err(Violation::Hello);
        }
        match frame {
            Frame::Hello { version: 0, .. } => Err(Violation::Hello),
            Frame::Hello { .. } => {
                self.heard = true;
                Ok(Some(Heard::Hello))
            }
            Frame::Ping { n } => {
                self.pongs += 1;
                if self.pongs > PONGS {
                    return Err(Violation::Flood);
                }
                self.say(&Frame::Pong { n });
                Ok(None)
            }
            Frame::Pong { n } => {
                if let Some(at) = self.pings.iter().position(|(sent, ..)| *sent == n)
                    && let Some((_, sent, reply)) = self.pings.remove(at)
                {
                    // Who asked may have gone.
                    let _ = reply.send(now.saturating_duration_since(sent));
                }
                Ok(None)
            }
            Frame::Bye => Ok(Some(Heard::Bye)),
            Frame::Ack { ids } if ids.is_empty() || ids.len() > ACK_IDS => {
                Err(Violation::Unreadable(format!("an ack of {} ids", ids.len())))
            }
            Frame::Unknown => Ok(None),
            frame => Ok(Some(Heard::Frame(frame, bytes.len()))),
        }
    }

    fn say(&mut self, frame: &Frame) {
        // These few frames can always be written as JSON.
        if let Ok(bytes) = serde_json::to_vec(frame) {
            self.send(&bytes, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::PeerId;
    use wire::p2p::CHUNK_BYTES;

    fn say(frames: &mut Frames, json: &str) -> Result<Vec<Heard>, Violation> {
        let now = Instant::now();
        cut(json.as_bytes())
            .filter_map(|piece| frames.take(true, &piece, now).transpose())
            .collect()
    }

    const HELLO: &str = r#"{"t":"hello","version":1,"agent":"test"}"#;

    fn greeted() -> Frames {
        let mut frames = Frames::default();
        frames.hello("me");
        frames.sent();
        assert_eq!(say(&mut frames, HELLO), Ok(vec![Heard::Hello]));
        assert!(frames.greeted());
        frames
    }

    fn waiting(frames: &mut Frames) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| {
            let next = frames.next()?.to_vec();
            frames.sent();
            Some(next)
        })
        .collect()
    }

    #[test]
    fn hello_comes_first_and_once() {
        let mut frames = Frames::default();
        assert_eq!(say(&mut frames, r#"{"t":"bye"}"#), Err(Violation::Hello));
        let mut frames = greeted();
        assert_eq!(say(&mut frames, HELLO), Err(Violation::Hello));
        let mut frames = Frames::default();
        let zero = HELLO.replace('1', "0");
        assert_eq!(say(&mut frames, &zero), Err(Violation::Hello));
    }

    #[test]
    fn what_a_newer_version_says_is_passed_over() {
        let mut frames = greeted();
        assert_eq!(say(&mut frames, r#"{"t":"dance"}"#), Ok(vec![]));
    }

    #[test]
    fn what_breaks_the_rules_is_a_violation() {
        let wrong =
            [r#"{"t":"text"}"#, "[]", "", "{", r#"{"t":"ack","ids":[]}"#, r#"{"t":"text","id":1}"#];
        for json in wrong {
            assert!(matches!(say(&mut greeted(), json), Err(Violation::Unreadable(_))), "{json}");
        }
        let ids: Vec<_> = (0..=ACK_IDS).map(|id| format!("\"{id}\"")).collect();
        let json = format!(r#"{{"t":"ack","ids":[{}]}}"#, ids.join(","));
        assert!(matches!(say(&mut greeted(), &json), Err(Violation::Unreadable(_))));
        let deep = "[".repeat(100_000);
        assert!(matches!(say(&mut greeted(), &deep), Err(Violation::Unreadable(_))));
        let now = Instant::now();
        assert_eq!(greeted().take(false, b"\0{}", now), Err(Violation::Text));
        let long = vec![0; CHUNK_BYTES + 1];
        assert_eq!(greeted().take(true, &long, now), Err(FrameError::TooLong.into()));
    }

    #[test]
    fn a_long_frame_is_cut_and_comes_together() {
        let frame = Frame::Text {
            id: "1".to_owned().try_into().unwrap(),
            to: PeerId::parse("bob").unwrap(),
            message: "x".repeat(CHUNK_BYTES),
            timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
        };
        let mut sender = greeted();
        sender.send(&serde_json::to_vec(&frame).unwrap(), None);
        let messages = waiting(&mut sender);
        assert_eq!(messages.len(), 2);
        let mut receiver = greeted();
        let now = Instant::now();
        assert_eq!(receiver.take(true, &messages[0], now), Ok(None));
        let heard = receiver.take(true, &messages[1], now).unwrap().unwrap();
        assert!(matches!(heard, Heard::Frame(taken, _) if taken == frame));
    }

    #[test]
    fn a_ping_is_answered_with_its_number() {
        let mut frames = greeted();
        assert_eq!(say(&mut frames, r#"{"t":"ping","n":7}"#), Ok(vec![]));
        assert_eq!(waiting(&mut frames), [b"\0{\"t\":\"pong\",\"n\":7}"]);
    }

    #[test]
    fn pings_that_nobody_reads_the_answers_of_are_a_flood() {
        let mut frames = greeted();
        let many = (0..=PONGS).map(|_| say(&mut frames, r#"{"t":"ping","n":1}"#)).last().unwrap();
        assert_eq!(many, Err(Violation::Flood));
    }

    #[test]
    fn the_round_trip_is_measured() {
        let mut frames = greeted();
        let now = Instant::now();
        let (reply, mut time) = oneshot::channel();
        frames.ping(now, reply);
        let pong = b"\0{\"t\":\"pong\",\"n\":1}";
        let later = now + Duration::from_millis(3);
        assert_eq!(frames.take(true, pong, later), Ok(None));
        assert_eq!(time.try_recv(), Ok(Duration::from_millis(3)));
        assert_eq!(frames.take(true, pong, later), Ok(None), "a second pong means nothing");
    }

    #[test]
    fn pings_without_pongs_are_bounded() {
        let mut frames = greeted();
        let times: Vec<_> = (0..1000)
            .map(|_| {
                let (reply, time) = oneshot::channel();
                frames.ping(Instant::now(), reply);
                time
            })
            .collect();
        assert_eq!(frames.pings.len(), PINGS);
        drop(times);
        frames.ping(Instant::now(), oneshot::channel().0);
        assert!(frames.pings.len() <= 1, "those that nobody waits for are forgotten");
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(
            messages in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..200),
                    r#"[\x00\x01]\{"t":"(ping|pong|ack|text|post|file_offer|bye)"[ -~]{0,60}\}"#
                        .prop_map(String::into_bytes),
                ],
                0..40,
            ),
        ) {
            let mut frames = greeted();
            for message in messages {
                let _ = frames.take(true, &message, Instant::now());
            }
        }
    }
}
