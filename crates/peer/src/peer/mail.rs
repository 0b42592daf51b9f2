//! The mailbox, emptied page by page, and its acknowledgements, a few hundred at a time: pure logic.

use std::collections::VecDeque;

use wire::chat::DirectRef;
use wire::limits::IDS_PER_CALL;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// Ask for the first page of what waits; the number comes back with it.
    Page(u64),
    /// Acknowledge these.
    Ack(Vec<DirectRef>),
}

/// How far it is with emptying the mailbox.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Stored, and to be acknowledged.
    stored: VecDeque<DirectRef>,
    acking: bool,
    /// A page is to be asked for, or asked for.
    wanted: bool,
    asked: bool,
    /// The number of the last page: an answer that was long on its way is told from it.
    page: u64,
    /// Messages of the page at hand that are not stored yet, and whether more wait behind it.
    left: usize,
    more: bool,
    /// Messages of the page at hand that the tracker let go of.
    acked: usize,
}

impl Mail {
    /// The live stream is there: what waits is to be fetched.
    pub(super) fn online(&mut self) {
        *self = Self { wanted: true, page: self.page, ..Self::default() };
    }

    /// The live stream missed something.
    pub(super) fn reset(&mut self) {
        self.wanted = true;
    }

    /// A page is here; `None` when it could not be had.
    pub(super) fn page(&mut self, number: u64, page: Option<(usize, bool)>) {
        if number != self.page || !self.asked {
            return;
        }
        self.asked = false;
        let (left, more) = page.unwrap_or((0, false));
        (self.left, self.more, self.acked) = (left, more, 0);
    }

    /// A message is on disk and has to be acknowledged; one of the page at hand if `paged`.
    pub(super) fn stored(&mut self, message: DirectRef, paged: bool) {
        self.stored.push_back(message);
        self.passed(paged);
    }

    /// A message could not be stored: it stays in the mailbox.
    pub(super) fn passed(&mut self, paged: bool) {
        if paged {
            self.left = self.left.saturating_sub(1);
        }
    }

    /// So many were let go of; `None` when the tracker could not be told. The next start finds them again.
    pub(super) fn acked(&mut self, count: Option<usize>) {
        self.acking = false;
        self.acked += count.unwrap_or(0);
    }

    /// Whether something is stored of which the tracker does not know yet.
    pub(super) fn owes(&self) -> bool {
        self.acking || !self.stored.is_empty()
    }

    /// The next thing to do.
    pub(super) fn next(&mut self) -> Option<Errand> {
        if !self.acking && !self.stored.is_empty() {
            self.acking = true;
            let few = self.stored.len().min(IDS_PER_CALL);
            return Some(Errand::Ack(self.stored.drain(..few).collect()));
        }
        let done = self.left == 0 && self.stored.is_empty() && !self.acking && !self.asked;
        // A page of which nothing could be let go would come again and again.
        let further = self.more && self.acked > 0;
        if done && (self.wanted || further) {
            (self.wanted, self.asked, self.more) = (false, true, false);
            self.page += 1;
            return Some(Errand::Page(self.page));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{MessageId, PeerId};

    fn message(number: usize) -> DirectRef {
        let id = MessageId::parse(&number.to_string()).unwrap();
        DirectRef { from: PeerId::parse("bob").unwrap(), id }
    }

    #[test]
    fn pages_are_fetched_one_after_another_until_nothing_waits() {
        let mut mail = Mail::default();
        assert_eq!(mail.next(), None);
        mail.online();
        assert_eq!((mail.next(), mail.next()), (Some(Errand::Page(1)), None));
        mail.page(1, Some((2, true)));
        mail.stored(message(1), true);
        assert_eq!(mail.next(), Some(Errand::Ack(vec![message(1)])));
        mail.stored(message(2), true);
        assert_eq!(mail.next(), None, "one call at a time");
        mail.acked(Some(1));
        assert_eq!(mail.next(), Some(Errand::Ack(vec![message(2)])));
        mail.acked(Some(1));
        assert_eq!(mail.next(), Some(Errand::Page(2)));
        mail.page(2, Some((0, false)));
        assert_eq!(mail.next(), None);
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_disturbs_nothing() {
        let mut mail = Mail::default();
        mail.online();
        mail.next();
        mail.online();
        assert_eq!(mail.next(), Some(Errand::Page(2)));
        mail.page(1, None);
        assert_eq!(mail.next(), None, "the second one is still on its way");
        mail.page(2, Some((1, true)));
        mail.page(1, None);
        mail.stored(message(1), true);
        mail.next();
        mail.acked(Some(1));
        assert_eq!(mail.next(), Some(Errand::Page(3)));
    }

    #[test]
    fn a_page_that_stays_is_not_fetched_for_ever() {
        let mut mail = Mail::default();
        mail.online();
        mail.next();
        mail.page(1, Some((1, true)));
        mail.passed(true);
        assert_eq!(mail.next(), None);
        mail.reset();
        assert_eq!(mail.next(), Some(Errand::Page(2)));
        mail.page(2, None);
        assert_eq!(mail.next(), None);
    }

    #[test]
    fn acknowledgements_of_events_go_out_together() {
        let mut mail = Mail::default();
        (0..700).for_each(|number| mail.stored(message(number), false));
        let Some(Errand::Ack(first)) = mail.next() else { panic!() };
        assert_eq!(first.len(), IDS_PER_CALL);
        mail.acked(None);
        let Some(Errand::Ack(rest)) = mail.next() else { panic!() };
        assert_eq!(rest.len(), 700 - IDS_PER_CALL);
        assert!(mail.owes(), "until the tracker has said so");
        mail.acked(Some(rest.len()));
        assert!(!mail.owes());
    }
}
