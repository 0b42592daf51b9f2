//! Files that are under way, each with the number that people name it by.

use wire::PeerId;
use wire::p2p::FileId;

use super::people::is;
use super::safe::Safe;
use crate::event::{Direction, FileState, FileStatus};

/// A file on its way.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    /// What people call it by, from 1.
    pub(crate) number: usize,
    pub(crate) name: Safe,
    pub(crate) status: FileStatus,
}

impl Transfer {
    /// The person at the other end.
    pub(crate) fn partner(&self) -> &PeerId {
        partner(&self.status)
    }

    /// Whether it waits for this person's answer.
    pub(crate) fn asks(&self) -> bool {
        self.status.direction == Direction::Incoming && self.status.state == FileState::Offered
    }
}

/// The person at the other end of a transfer.
pub(crate) fn partner(status: &FileStatus) -> &PeerId {
    match status.direction {
        Direction::Incoming => &status.from,
        Direction::Outgoing => &status.offer.to,
    }
}

fn is_same(one: &FileStatus, other: &FileStatus) -> bool {
    one.id() == other.id() && one.direction == other.direction && is(partner(one), partner(other))
}

/// Whether a transfer is over.
pub(crate) fn is_over(state: &FileState) -> bool {
    matches!(state, FileState::Done { .. } | FileState::Declined(_) | FileState::Cancelled(_))
}

/// All files that are under way.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    all: Vec<Transfer>,
    numbers: usize,
}

impl Transfers {
    /// Whether this one is under way, as far as is known.
    pub(crate) fn has(&self, status: &FileStatus) -> bool {
        self.position(status).is_some()
    }

    fn position(&self, status: &FileStatus) -> Option<usize> {
        self.all.iter().position(|transfer| is_same(&transfer.status, status))
    }

    /// Forgets those that are none of these.
    pub(crate) fn keep(&mut self, those: &[FileStatus]) {
        self.all.retain(|transfer| those.iter().any(|status| is_same(&transfer.status, status)));
    }

    /// Takes what is told of a file. Gives whether it is news: it was not under way before, or is over now.
    pub(crate) fn update(&mut self, status: &FileStatus) -> bool {
        let known = self.position(status);
        match (known, is_over(&status.state)) {
            (Some(at), true) => {
                self.all.remove(at);
                true
            }
            (Some(at), false) => {
                if let Some(transfer) = self.all.get_mut(at) {
                    transfer.status = status.clone();
                }
                false
            }
            (None, true) => true,
            (None, false) => {
                self.numbers += 1;
                let name = Safe::line(&status.offer.name);
                self.all.push(Transfer { number: self.numbers, name, status: status.clone() });
                true
            }
        }
    }

    /// Those with a person, oldest first.
    pub(crate) fn with<'a>(&'a self, person: &'a PeerId) -> impl Iterator<Item = &'a Transfer> {
        self.all.iter().filter(move |transfer| is(transfer.partner(), person))
    }

    /// The one that is meant: by its number, or the first that fits, those with `near` before others.
    pub(crate) fn choose(
        &self,
        number: Option<usize>,
        near: Option<&PeerId>,
        fits: impl Fn(&Transfer) -> bool,
    ) -> Option<(PeerId, FileId)> {
        let fitting = || self.all.iter().filter(|transfer| fits(transfer));
        let chosen = match number {
            Some(number) => fitting().find(|transfer| transfer.number == number),
            None => fitting()
                .find(|transfer| near.is_some_and(|near| is(transfer.partner(), near)))
                .or_else(|| fitting().next()),
        };
        chosen.map(|transfer| (transfer.partner().clone(), transfer.status.id()))
    }
}
