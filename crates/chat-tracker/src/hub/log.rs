//! The newest events, in order, bounded by count and by bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Audience;
use super::frame::{Cursor, Frame};
use crate::channels::MemberSet;

/// An event and whom it is for.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) audience: Audience,
    pub(super) frame: Arc<Frame>,
}

/// The log. Its offsets are 1, 2, 3, …; it holds the newest ones without a gap.
pub(super) struct Log {
    entries: VecDeque<Entry>,
    /// Offset of the newest event; 0 when there was none.
    head: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
    /// How many entries hold a membership: many events share one, which is counted once.
    memberships: HashMap<usize, usize>,
}

/// Bytes that an entry costs beside its frame, roughly.
const ENTRY_BYTES: usize = 160;
/// Bytes that a member costs in a membership, roughly.
const MEMBER_BYTES: usize = 16;

impl Log {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            head: 0,
            bytes: 0,
            max_entries: max_entries.max(1),
            max_bytes,
            memberships: HashMap::new(),
        }
    }

    /// Appends an event and drops what the limits no longer allow, but never the newest.
    pub(super) fn push(&mut self, epoch: u64, audience: Audience, json: &str) {
        self.head += 1;
        let frame = Arc::new(Frame::encode(json, Some(Cursor { epoch, offset: self.head })));
        self.bytes += frame.size() + ENTRY_BYTES;
        for members in memberships(&audience) {
            let held = self.memberships.entry(key(members)).or_default();
            *held += 1;
            if *held == 1 {
                self.bytes += members.len() * MEMBER_BYTES;
            }
        }
        self.entries.push_back(Entry { audience, frame });
        while self.entries.len() > self.max_entries
            || (self.bytes > self.max_bytes && self.entries.len() > 1)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes = self.bytes.saturating_sub(entry.frame.size() + ENTRY_BYTES);
        for members in memberships(&entry.audience) {
            if let Some(held) = self.memberships.get_mut(&key(members)) {
                *held -= 1;
                if *held == 0 {
                    self.memberships.remove(&key(members));
                    self.bytes = self.bytes.saturating_sub(members.len() * MEMBER_BYTES);
                }
            }
        }
    }

    /// Offset of the newest event.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// Events kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether every event after `offset` is still there.
    pub(super) fn reaches_back_to(&self, offset: u64) -> bool {
        offset >= self.head - self.entries.len() as u64
    }

    /// Copies at most `most` events that follow `offset` to `out`; `false` when some of them are gone.
    pub(super) fn after(&self, offset: u64, most: usize, out: &mut Vec<Entry>) -> bool {
        let oldest = self.head - self.entries.len() as u64;
        let Some(skip) = offset.checked_sub(oldest) else { return false };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.entries.len());
        out.extend(self.entries.range(skip..).take(most).cloned());
        true
    }
}

fn memberships(audience: &Audience) -> &[Arc<MemberSet>] {
    match audience {
        Audience::Channel(members) => std::slice::from_ref(members),
        Audience::Channels(channels) => channels,
        Audience::Peers(_) | Audience::Everyone => &[],
    }
}

/// A membership's identity: its address, which is its own as long as an entry holds it.
fn key(members: &Arc<MemberSet>) -> usize {
    Arc::as_ptr(members).addr()
}
