//! Tells the owner what happens, and never waits for it.
//!
//! Events that the owner doesn't take are held, up to a number; of those that only tell a newer state of the same thing,
//! the last one is. Beyond that number all of them give way to one [`Event::Reset`]: what they told is in the store and at
//! the tracker, to be read again. So an owner that stands still costs no acknowledgement and no memory.

use std::collections::VecDeque;

use tokio::sync::{broadcast, mpsc};

use crate::event::Event;

/// Events that the channel to the owner holds.
const CHANNEL: usize = 1_024;
/// Events that are held beside it.
const HELD: usize = 4_096;

/// Events that a follower may be behind before it misses some.
const FOLLOWERS: usize = 1_024;

/// Tells the owner, and those who follow.
#[derive(Debug)]
pub(super) struct Teller {
    owner: mpsc::Sender<Event>,
    followers: broadcast::Sender<Event>,
    held: VecDeque<Event>,
}

impl Teller {
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (owner, told) = mpsc::channel(CHANNEL);
        let (followers, _) = broadcast::channel(FOLLOWERS);
        (Self { owner, followers, held: VecDeque::new() }, told)
    }

    /// By which others can follow.
    pub(super) fn followers(&self) -> broadcast::Sender<Event> {
        self.followers.clone()
    }

    /// Tells an event, or holds it. When nobody listens it is dropped.
    pub(super) fn tell(&mut self, event: Event) {
        if self.followers.receiver_count() > 0 {
            let _ = self.followers.send(event.clone());
        }
        if self.held.is_empty() {
            match self.owner.try_send(event) {
                Err(mpsc::error::TrySendError::Full(event)) => self.held.push_back(event),
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
            return;
        }
        if let Some(older) = self.held.back_mut()
            && replaces(&event, older)
        {
            *older = event;
            return;
        }
        self.held.push_back(event);
        if self.held.len() > HELD {
            self.give_way();
        }
    }

    /// Whether something is held.
    pub(super) fn is_behind(&self) -> bool {
        !self.held.is_empty()
    }

    /// Waits until the owner takes something, and hands over what fits. Only when [`Self::is_behind`].
    pub(super) async fn catch_up(&mut self) {
        let Ok(room) = self.owner.reserve().await else {
            self.held.clear();
            return;
        };
        if let Some(event) = self.held.pop_front() {
            room.send(event);
        }
    }

    /// What can be read again is dropped; what can't, and is the last of its kind, stays.
    fn give_way(&mut self) {
        let lasting = |event: &Event| {
            matches!(
                event,
                Event::Online
                    | Event::Offline { .. }
                    | Event::SignedOut
                    | Event::Refused { .. }
                    | Event::NewDevice { .. }
            )
        };
        let state = |event: &Event| matches!(event, Event::Online | Event::Offline { .. });
        let last = self.held.iter().rposition(state);
        let mut place = 0;
        self.held.retain(|event| {
            let stays = lasting(event) && (!state(event) || Some(place) == last);
            place += 1;
            stays
        });
        // They are few; someone who makes them many by intent can't fill the memory.
        self.held.truncate(HELD / 2);
        self.held.push_back(Event::Reset);
    }
}

/// Whether an event tells a newer state of what the older one told.
fn replaces(event: &Event, older: &Event) -> bool {
    match (event, older) {
        (Event::File(new), Event::File(old)) => {
            new.id() == old.id() && new.from == old.from && new.direction == old.direction
        }
        (Event::Delivery { id: new, .. }, Event::Delivery { id: old, .. }) => new == old,
        (Event::Presence(new), Event::Presence(old)) => new.peer_id == old.peer_id,
        (Event::Reset, Event::Reset) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Delivery;
    use wire::{MessageId, PeerId};

    fn delivery(number: usize) -> Event {
        Event::Delivery {
            id: MessageId::parse(&number.to_string()).unwrap(),
            to: PeerId::parse("bob").unwrap(),
            delivery: Delivery::Queued,
        }
    }

    #[tokio::test]
    async fn an_owner_that_is_slow_for_a_while_misses_nothing() {
        let (mut teller, mut told) = Teller::new();
        let sent: Vec<Event> = (0..CHANNEL + 100).map(delivery).collect();
        sent.iter().for_each(|event| teller.tell(event.clone()));
        assert!(teller.is_behind());
        let mut taken = Vec::new();
        while taken.len() < sent.len() {
            taken.push(told.recv().await.unwrap());
            while teller.is_behind() && told.len() < CHANNEL {
                teller.catch_up().await;
            }
        }
        assert_eq!(taken, sent);
    }

    #[tokio::test]
    async fn an_owner_that_stands_still_is_told_to_read_anew_and_what_cannot_be_read_stays() {
        let (mut teller, mut told) = Teller::new();
        (0..CHANNEL).map(delivery).for_each(|event| teller.tell(event));
        teller.tell(Event::Online);
        let device = wire::DeviceId::new([1; 16]);
        let new = Event::NewDevice { peer: PeerId::parse("bob").unwrap(), device };
        teller.tell(new.clone());
        teller.tell(Event::Offline { reason: "x".to_owned() });
        (0..HELD).map(delivery).for_each(|event| teller.tell(event));
        let mut rest = Vec::new();
        while teller.is_behind() {
            told.recv().await.unwrap();
            teller.catch_up().await;
        }
        while let Ok(event) = told.try_recv() {
            rest.push(event);
        }
        let expected = [new, Event::Offline { reason: "x".to_owned() }, Event::Reset];
        assert_eq!(rest[rest.len() - 5..rest.len() - 2], expected);
    }

    #[tokio::test]
    async fn nobody_listening_holds_nothing() {
        let (mut teller, told) = Teller::new();
        drop(told);
        (0..CHANNEL * 2).map(delivery).for_each(|event| teller.tell(event));
        assert!(!teller.is_behind());
    }
}
