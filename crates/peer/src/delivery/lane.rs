//! What is under way on one link.

use std::collections::HashMap;
use std::time::Instant;

use wire::MessageId;

use crate::links::Way;

/// Unacknowledged texts on one link at most. More wait their turn, so that a burst neither fills the memory nor delays what
/// else the link carries.
const TEXTS: usize = 256;
/// Bytes of unacknowledged texts on one link at most, beyond the first.
const BYTES: usize = 512 * 1024;

/// What is under way on one link.
#[derive(Debug)]
pub struct Lane {
    /// Which way it goes.
    pub way: Way,
    /// The place in the outbox up to which everything for this device has been sent.
    pub sent_to: u64,
    /// When it came up, or last acknowledged something.
    pub progress: Instant,
    under_way: HashMap<MessageId, usize>,
    bytes: usize,
}

impl Lane {
    /// A link that came up.
    pub fn new(way: Way, now: Instant) -> Self {
        Self { way, sent_to: 0, progress: now, under_way: HashMap::new(), bytes: 0 }
    }

    /// Whether another text may go out.
    pub fn has_room(&self) -> bool {
        self.under_way.len() < TEXTS && self.bytes < BYTES
    }

    /// Whether a text is on its way already.
    pub fn is_under_way(&self, id: &MessageId) -> bool {
        self.under_way.contains_key(id)
    }

    /// A text goes out.
    pub fn send(&mut self, id: MessageId, bytes: usize, now: Instant) {
        // A link that was idle has not failed to make progress.
        if self.under_way.is_empty() {
            self.progress = now;
        }
        if self.under_way.insert(id, bytes).is_none() {
            self.bytes += bytes;
        }
    }

    /// It was acknowledged or refused.
    pub fn answered(&mut self, id: &MessageId, now: Instant) {
        if let Some(bytes) = self.under_way.remove(id) {
            self.bytes -= bytes;
            self.progress = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> MessageId {
        MessageId::parse(&format!("m-{number}")).unwrap()
    }

    #[test]
    fn so_many_texts_and_so_many_bytes_are_under_way_at_once() {
        let now = Instant::now();
        let mut lane = Lane::new(Way::Direct, now);
        let sent =
            (0..1000).take_while(|&n| lane.has_room().then(|| lane.send(id(n), 1, now)).is_some());
        assert_eq!(sent.count(), TEXTS);
        lane.answered(&id(3), now);
        lane.answered(&id(3), now);
        assert!(lane.has_room());
        let mut lane = Lane::new(Way::Direct, now);
        let sent = (0..1000)
            .take_while(|&n| lane.has_room().then(|| lane.send(id(n), 16 * 1024, now)).is_some());
        assert_eq!(sent.count(), 32);
    }
}
