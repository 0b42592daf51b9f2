//! The rules, one by one. `model` tries them together.

use std::time::{Duration, Instant};

use wire::p2p::RefuseCode;
use wire::{DeviceId, MessageId, PeerId, tracker};

use super::{Action, Outbox, Settings, Trouble};
use crate::delivery::Text;
use crate::event::{Delivery, Route};
use crate::links::{Remote, Way};

const PATIENCE: Duration = Duration::from_secs(5);
const HERE: DeviceId = DeviceId::new([0; 16]);
const PHONE: DeviceId = DeviceId::new([1; 16]);
const LAPTOP: DeviceId = DeviceId::new([2; 16]);

fn peer(id: &str) -> PeerId {
    PeerId::parse(id).unwrap()
}

fn id(number: u64) -> MessageId {
    MessageId::parse(&format!("m-{number}")).unwrap()
}

fn bobs(device: DeviceId) -> Remote {
    Remote { peer: peer("bob"), device }
}

/// An outbox and its clock.
struct Desk {
    outbox: Outbox,
    now: Instant,
}

impl Desk {
    /// Of alice, online.
    fn new() -> Self {
        let settings = Settings {
            me: peer("Alice"),
            device: HERE,
            patience: PATIENCE,
            warmth: Duration::from_secs(600),
        };
        let now = Instant::now();
        let mut desk = Self { outbox: Outbox::new(settings, now), now };
        desk.outbox.online(now);
        desk.outbox.told(&peer("alice"), &[HERE], now);
        desk.actions();
        desk
    }

    /// With bob's devices live, and links to them up.
    fn linked(devices: &[DeviceId]) -> Self {
        let mut desk = Self::new();
        desk.outbox.told(&peer("bob"), devices, desk.now);
        for device in devices {
            desk.outbox.linked(&bobs(*device), Way::Direct, desk.now);
        }
        desk.actions();
        desk
    }

    fn text(number: u64, to: &str) -> Text {
        Text {
            id: id(number),
            to: peer(to),
            message: format!("text {number}"),
            timestamp: String::new(),
            direct_only: false,
        }
    }

    fn write(&mut self, number: u64) -> Vec<String> {
        self.outbox.write(number, Self::text(number, "bob"), self.now);
        self.actions()
    }

    fn passes(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        self.outbox.tick(self.now);
        self.actions()
    }

    fn acks(&mut self, device: DeviceId, number: u64) -> Vec<String> {
        self.outbox.acked(&bobs(device), &[id(number)], self.now);
        self.actions()
    }

    /// What is to be done, in few words.
    fn actions(&mut self) -> Vec<String> {
        let mut actions = Vec::new();
        while let Some(action) = self.outbox.poll() {
            actions.push(match action {
                Action::Connect(remote) => format!("connect {}", name(&remote)),
                Action::Forget(remote) => format!("forget {}", name(&remote)),
                Action::Send(remote, text) => format!("{} to {}", text.id, name(&remote)),
                Action::Mailbox(text) => format!("{} to mailbox", text.id),
                Action::Ask(peer) => format!("ask {peer}"),
                Action::AskAll => "ask all".to_owned(),
                Action::Statuses(ids) => format!("statuses of {}", ids.len()),
                Action::Changed { text, delivery, open, news } => {
                    let news = if news { "" } else { "still " };
                    let open = if open { "" } else { ", done" };
                    format!("{} {news}{}{open}", text.id, words(&delivery))
                }
            });
        }
        actions
    }
}

fn name(remote: &Remote) -> String {
    let device = match remote.device {
        PHONE => "phone",
        LAPTOP => "laptop",
        _ => "other",
    };
    format!("{}'s {device}", remote.peer.folded())
}

fn words(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Sending => "sending".to_owned(),
        Delivery::Queued => "queued".to_owned(),
        Delivery::Delivered(Route::Direct) => "direct".to_owned(),
        Delivery::Delivered(Route::Relayed) => "relayed".to_owned(),
        Delivery::Delivered(Route::Mailbox) => "delivered".to_owned(),
        Delivery::Failed { reason } => format!("failed: {reason}"),
    }
}

#[test]
fn a_linked_device_gets_the_text_and_its_ack_delivers_it() {
    let mut desk = Desk::linked(&[PHONE]);
    assert_eq!(desk.write(1), ["m-1 to bob's phone"]);
    assert_eq!(desk.acks(PHONE, 1), ["m-1 direct, done"]);
    assert!(desk.passes(PATIENCE * 2).is_empty());
    assert_eq!(desk.outbox.wake(), None);
}

#[test]
fn the_label_is_the_way_of_the_link_that_acknowledged() {
    let mut desk = Desk::linked(&[PHONE]);
    desk.outbox.rerouted(&bobs(PHONE), Way::Relayed);
    desk.write(1);
    assert_eq!(desk.acks(PHONE, 1), ["m-1 relayed, done"]);
}

#[test]
fn with_no_live_device_it_goes_to_the_mailbox_at_once_and_is_delivered_when_fetched() {
    let mut desk = Desk::new();
    desk.outbox.told(&peer("bob"), &[], desk.now);
    assert_eq!(desk.write(1), ["m-1 to mailbox"]);
    desk.outbox.taken(&id(1), tracker::Delivery::Queued, desk.now);
    assert_eq!(desk.actions(), ["m-1 queued"]);
    desk.outbox.fetched(&id(1), &peer("eve"));
    assert!(desk.actions().is_empty(), "only the receiver's word counts");
    desk.outbox.fetched(&id(1), &peer("BOB"));
    assert_eq!(desk.actions(), ["m-1 delivered, done"]);
}

#[test]
fn of_a_peer_of_whom_nothing_is_known_the_tracker_is_asked_first() {
    let mut desk = Desk::new();
    assert_eq!(desk.write(1), ["ask bob"]);
    assert!(desk.passes(Duration::from_secs(1)).is_empty());
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    assert_eq!(desk.actions(), ["connect bob's phone"]);
    desk.outbox.linked(&bobs(PHONE), Way::Direct, desk.now);
    assert_eq!(desk.actions(), ["m-1 to bob's phone"]);
}

#[test]
fn an_answer_that_is_older_than_what_the_live_stream_told_changes_nothing() {
    let mut desk = Desk::new();
    assert_eq!(desk.write(1), ["ask bob"]);
    let asked = desk.outbox.asked();
    // Bob comes while the question is under way, and the answer was given before that.
    desk.outbox.told(&peer("Bob"), &[PHONE], desk.now);
    assert_eq!(desk.actions(), ["connect bob's phone"]);
    desk.outbox.answered(&peer("bob"), &[], asked, desk.now);
    assert!(desk.actions().is_empty(), "neither forgotten nor sent by the mailbox");
    desk.outbox.linked(&bobs(PHONE), Way::Direct, desk.now);
    assert_eq!(desk.actions(), ["m-1 to bob's phone"]);
    // Of others the same answer is news, and of him a later one.
    desk.outbox.answered(&peer("carol"), &[LAPTOP], asked, desk.now);
    assert_eq!(desk.outbox.devices(&peer("carol")).len(), 1);
    let later = desk.outbox.asked();
    desk.outbox.answered(&peer("bob"), &[PHONE, LAPTOP], later, desk.now);
    assert_eq!(desk.outbox.devices(&peer("bob")).len(), 2);
}

#[test]
fn who_has_gone_does_not_come_back_by_an_older_answer() {
    let mut desk = Desk::linked(&[]);
    let asked = desk.outbox.asked();
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    desk.outbox.told(&peer("bob"), &[], desk.now);
    desk.actions();
    desk.outbox.answered(&peer("bob"), &[PHONE], asked, desk.now);
    assert!(desk.outbox.devices(&peer("bob")).is_empty());
    assert_eq!(desk.write(1), ["m-1 to mailbox"], "at once: nobody is waited for");
}

#[test]
fn without_an_ack_in_five_seconds_the_same_id_goes_to_the_mailbox() {
    for linked in [true, false] {
        let mut desk = Desk::linked(if linked { &[PHONE] } else { &[] });
        desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
        desk.actions();
        desk.write(1);
        assert!(desk.passes(PATIENCE - Duration::from_millis(1)).is_empty());
        assert_eq!(desk.passes(Duration::from_millis(1)), ["m-1 to mailbox"]);
        desk.outbox.taken(&id(1), tracker::Delivery::Queued, desk.now);
        assert_eq!(desk.actions(), ["m-1 queued"]);
        // A late ack still counts.
        assert_eq!(desk.acks(PHONE, 1), ["m-1 direct, done"]);
    }
}

#[test]
fn when_links_to_all_live_devices_were_tried_in_vain_the_mailbox_is_not_waited_for() {
    let mut desk = Desk::new();
    desk.outbox.told(&peer("bob"), &[PHONE, LAPTOP], desk.now);
    desk.write(1);
    desk.outbox.in_vain(&bobs(PHONE), desk.now);
    assert!(desk.actions().is_empty(), "the laptop may come up");
    desk.outbox.in_vain(&bobs(LAPTOP), desk.now);
    assert_eq!(desk.actions(), ["m-1 to mailbox"]);
    desk.outbox.taken(&id(1), tracker::Delivery::Queued, desk.now);
    desk.actions();
    let next = desk.write(2);
    assert_eq!(next.last().unwrap(), "m-2 to mailbox", "nothing has changed: {next:?}");
}

#[test]
fn a_device_whose_link_came_up_after_all_is_waited_for_again() {
    let mut desk = Desk::linked(&[PHONE]);
    desk.outbox.unlinked(&bobs(PHONE), desk.now);
    desk.outbox.in_vain(&bobs(PHONE), desk.now);
    desk.outbox.linked(&bobs(PHONE), Way::Direct, desk.now);
    assert_eq!(desk.write(1), ["m-1 to bob's phone"]);
    // As is everyone when the tracker is back: what was in the way may be gone.
    desk.outbox.unlinked(&bobs(PHONE), desk.now);
    desk.outbox.in_vain(&bobs(PHONE), desk.now);
    desk.actions();
    desk.outbox.offline();
    desk.outbox.online(desk.now);
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    assert!(!desk.write(2).contains(&"m-2 to mailbox".to_owned()));
}

#[test]
fn a_second_device_that_does_not_answer_is_reached_by_the_mailbox() {
    let mut desk = Desk::linked(&[PHONE, LAPTOP]);
    assert_eq!(desk.write(1), ["m-1 to bob's phone", "m-1 to bob's laptop"]);
    assert_eq!(desk.acks(PHONE, 1), ["m-1 direct"]);
    assert_eq!(desk.passes(PATIENCE), ["m-1 to mailbox"]);
    desk.outbox.taken(&id(1), tracker::Delivery::Queued, desk.now);
    assert_eq!(desk.actions(), ["m-1 still direct, done"], "never back to queued");
}

#[test]
fn a_second_device_that_leaves_is_not_waited_for() {
    let mut desk = Desk::linked(&[PHONE, LAPTOP]);
    desk.write(1);
    desk.acks(PHONE, 1);
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    assert!(desk.actions().is_empty(), "its link is up: it knows better");
    desk.outbox.unlinked(&bobs(LAPTOP), desk.now);
    assert_eq!(desk.actions(), ["forget bob's laptop", "m-1 still direct, done"]);
}

#[test]
fn own_other_devices_get_copies_and_no_mailbox_helps_them() {
    let mut desk = Desk::linked(&[PHONE]);
    desk.outbox.told(&peer("alice"), &[HERE, LAPTOP], desk.now);
    let own = Remote { peer: peer("alice"), device: LAPTOP };
    assert_eq!(desk.write(1), ["m-1 to bob's phone", "connect alice's laptop"]);
    assert_eq!(desk.acks(PHONE, 1), ["m-1 direct"]);
    assert!(desk.passes(PATIENCE * 2).is_empty());
    desk.outbox.linked(&own, Way::Direct, desk.now);
    assert_eq!(desk.actions(), ["m-1 to alice's laptop"]);
    desk.outbox.acked(&own, &[id(1)], desk.now);
    assert_eq!(desk.actions(), ["m-1 still direct, done"]);
    // One that never links is given up in the end.
    desk.outbox.unlinked(&own, desk.now);
    desk.write(2);
    desk.acks(PHONE, 2);
    assert_eq!(desk.passes(Duration::from_secs(601)), ["m-2 still direct, done"]);
}

#[test]
fn a_note_to_oneself_has_arrived_and_is_copied() {
    let mut desk = Desk::new();
    desk.outbox.write(1, Desk::text(1, "alice"), desk.now);
    assert_eq!(desk.actions(), ["m-1 direct, done"]);
    desk.outbox.told(&peer("alice"), &[HERE, LAPTOP], desk.now);
    assert_eq!(desk.actions(), ["connect alice's laptop"], "this talk is warm too");
    desk.outbox.write(2, Desk::text(2, "ALICE"), desk.now);
    assert_eq!(desk.actions(), ["connect alice's laptop", "m-2 direct"]);
}

#[test]
fn a_new_link_gets_everything_that_was_not_acknowledged_in_order() {
    let mut desk = Desk::linked(&[PHONE]);
    (1..=4).for_each(|number| drop(desk.write(number)));
    desk.acks(PHONE, 2);
    desk.outbox.unlinked(&bobs(PHONE), desk.now);
    assert_eq!(desk.actions(), ["connect bob's phone"]);
    desk.outbox.linked(&bobs(PHONE), Way::Direct, desk.now);
    assert_eq!(desk.actions(), ["m-1 to bob's phone", "m-3 to bob's phone", "m-4 to bob's phone"]);
}

#[test]
fn while_the_tracker_is_away_messages_wait_and_links_get_their_time_when_it_is_back() {
    let mut desk = Desk::new();
    desk.outbox.offline();
    assert!(desk.write(1).is_empty());
    assert!(desk.passes(PATIENCE * 3).is_empty());
    desk.outbox.online(desk.now);
    assert_eq!(sorted(desk.actions()), ["ask alice", "ask bob"]);
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    assert_eq!(desk.actions(), ["connect bob's phone"]);
    assert!(desk.passes(PATIENCE - Duration::from_secs(1)).is_empty());
    assert_eq!(desk.passes(Duration::from_secs(1)), ["m-1 to mailbox"]);
}

#[test]
fn a_link_works_on_while_the_tracker_is_away() {
    let mut desk = Desk::linked(&[PHONE]);
    desk.outbox.offline();
    assert_eq!(desk.write(1), ["m-1 to bob's phone"]);
    assert_eq!(desk.acks(PHONE, 1), ["m-1 direct, done"]);
}

#[test]
fn a_busy_link_is_given_its_time_but_not_for_ever() {
    let mut desk = Desk::linked(&[PHONE]);
    (1..=200).for_each(|number| drop(desk.write(number)));
    for second in 1..=59 {
        desk.passes(Duration::from_secs(1));
        assert!(desk.acks(PHONE, second).len() == 1, "second {second}");
        assert!(desk.passes(Duration::ZERO).is_empty(), "second {second}");
    }
    assert!(!desk.passes(Duration::from_secs(1)).is_empty());
}

#[test]
fn a_full_mailbox_and_a_busy_server_are_tried_again_and_a_refusal_is_final() {
    let mut desk = Desk::new();
    desk.outbox.told(&peer("bob"), &[], desk.now);
    desk.write(1);
    desk.outbox.untaken(&id(1), Trouble::Later(None), desk.now);
    assert!(desk.actions().is_empty());
    assert_eq!(desk.passes(Duration::from_secs(1)), ["m-1 to mailbox"]);
    desk.outbox.untaken(&id(1), Trouble::Full(Some(Duration::from_secs(60))), desk.now);
    assert!(desk.passes(Duration::from_secs(59)).is_empty());
    assert_eq!(desk.passes(Duration::from_secs(1)), ["m-1 to mailbox"]);
    desk.outbox.untaken(&id(1), Trouble::Never("there is no bob".to_owned()), desk.now);
    assert_eq!(desk.actions(), ["m-1 failed: there is no bob, done"]);
}

#[test]
fn a_text_that_is_too_large_there_fails_and_one_that_cannot_be_stored_now_is_queued() {
    let mut desk = Desk::linked(&[PHONE]);
    desk.write(1);
    desk.outbox.refused(&bobs(PHONE), &id(1), RefuseCode::TooLarge, desk.now);
    assert_eq!(desk.actions(), ["m-1 failed: bob takes no texts of this size, done"]);
    desk.write(2);
    desk.outbox.refused(&bobs(PHONE), &id(2), RefuseCode::Unstorable, desk.now);
    assert_eq!(desk.actions(), ["m-2 to mailbox"]);
}

#[test]
fn an_earlier_run_is_gone_on_with() {
    let mut desk = Desk::new();
    desk.outbox.offline();
    desk.outbox.restore(7, Desk::text(7, "bob"), Delivery::Sending, desk.now);
    desk.outbox.restore(8, Desk::text(8, "bob"), Delivery::Queued, desk.now);
    desk.outbox.online(desk.now);
    assert_eq!(sorted(desk.actions()), ["ask alice", "ask bob", "statuses of 1"]);
    let states = [(id(8), tracker::Delivery::Unknown)];
    desk.outbox.statuses(&states, desk.now);
    assert_eq!(desk.actions(), ["m-8 to mailbox"], "the tracker lost it");
    desk.outbox.taken(&id(8), tracker::Delivery::Queued, desk.now);
    desk.outbox.told(&peer("bob"), &[], desk.now);
    assert_eq!(desk.actions(), ["m-7 to mailbox"]);
    desk.outbox.taken(&id(7), tracker::Delivery::Delivered, desk.now);
    assert_eq!(desk.actions(), ["m-7 delivered, done"], "an answer was lost, not the message");
}

#[test]
fn what_nobody_has_can_be_taken_back() {
    let mut desk = Desk::new();
    let text = Text { direct_only: true, ..Desk::text(1, "bob") };
    desk.outbox.told(&peer("bob"), &[], desk.now);
    desk.outbox.write(1, text, desk.now);
    assert!(desk.passes(PATIENCE * 2).is_empty(), "over links only");
    assert!(desk.outbox.withdraw(&id(1), "no link"));
    assert_eq!(desk.actions(), ["m-1 failed: no link, done"]);
    desk.write(2);
    desk.outbox.taken(&id(2), tracker::Delivery::Queued, desk.now);
    assert!(!desk.outbox.withdraw(&id(2), "too late"));
}

#[test]
fn a_signal_that_nobody_took_shows_that_a_device_is_gone() {
    let mut desk = Desk::new();
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    assert_eq!(desk.write(1), ["connect bob's phone"]);
    desk.outbox.absent(&bobs(PHONE), desk.now);
    assert_eq!(desk.actions(), ["forget bob's phone", "m-1 to mailbox"]);
}

#[test]
fn a_warm_talk_links_with_devices_that_come() {
    let mut desk = Desk::new();
    desk.outbox.heard(&peer("bob"), desk.now);
    desk.outbox.told(&peer("bob"), &[PHONE], desk.now);
    desk.outbox.told(&peer("carol"), &[LAPTOP], desk.now);
    assert_eq!(desk.actions(), ["connect bob's phone"]);
}

fn sorted(mut actions: Vec<String>) -> Vec<String> {
    actions.sort();
    actions
}
