//! Direct messages: their labels, people and links, devices and safety numbers.

use crossterm::event::KeyCode;
use wire::device::Device;

use super::support::*;
use crate::event::{Delivery, Event, Route};
use crate::links::Way;
use crate::peer::{PartnerDevice, PeerError};
use crate::terminal::effect::{Effect, Outcome};
use crate::terminal::model::Input;
use crate::terminal::room::Place;

/// Alice has opened the talk with Bob, in which nothing was said yet.
fn desk() -> Desk {
    let mut desk = Desk::new(WIDE);
    desk.enters("/msg bob");
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result: Ok(vec![]) });
    desk
}

fn sent(desk: &mut Desk, text: &str, name: &str) {
    desk.asked();
    desk.enters(text);
    let serial = desk.sending();
    desk.outcome(Outcome::Sent { to: peer("bob"), serial, result: Ok(id(name)) });
}

fn told(desk: &mut Desk, name: &str, delivery: Delivery) {
    desk.event(Event::Delivery { id: id(name), to: peer("BOB"), delivery });
}

#[test]
fn opening_a_talk_reads_it_and_begins_to_link() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/msg bob");
    let read = Effect::Talk { with: peer("bob"), before: None };
    assert_eq!(desk.asked(), [Effect::People, Effect::Connect(peer("bob")), read]);
    desk.enters("/msg bob hello");
    assert!(
        matches!(&desk.asked()[..], [Effect::Connect(_), Effect::Send { text, .. }] if text == "hello")
    );
}

#[test]
fn the_first_conversation_is_shown_whatever_is_answered_first() {
    let talks = || Outcome::Talks(Ok(vec![peer("bob")]));
    let general = || super::support::told("general", true, 2, 2);
    let mut desk = Desk::bare("C", WIDE);
    desk.outcome(talks()).channels(vec![general()]).shows("> Message #general");
    let mut desk = Desk::bare("C", WIDE);
    desk.channels(vec![general()]).outcome(talks()).shows("> Message #general");
    let mut desk = Desk::bare("C", WIDE);
    desk.channels(vec![]).outcome(talks()).shows("> Message bob");
    // Without a connection there are the talks, which are on this device.
    let mut desk = Desk::bare("C", WIDE);
    let gone = PeerError::Unreachable("x".into());
    desk.outcome(Outcome::Channels { all: false, result: Err(gone) });
    desk.outcome(talks()).shows("> Message bob");
}

#[test]
fn every_own_message_says_how_far_it_has_come() {
    let mut desk = desk();
    let steps = [
        (Delivery::Sending, "sending"),
        (Delivery::Queued, "queued"),
        (Delivery::Delivered(Route::Mailbox), "delivered"),
        (Delivery::Delivered(Route::Relayed), "relayed"),
        (Delivery::Delivered(Route::Direct), "direct"),
        (
            Delivery::Failed { reason: "the receiver has no room".into() },
            "failed: the receiver has no room",
        ),
    ];
    for (at, (delivery, label)) in steps.into_iter().enumerate() {
        let name = format!("a{at}");
        sent(&mut desk, &format!("text {at}"), &name);
        desk.shows(&format!("you: text {at} · sending"));
        told(&mut desk, &name, delivery);
        desk.shows(&format!("you: text {at} · {label}"));
    }
}

#[test]
fn a_delivery_that_is_told_before_the_message_has_its_id_is_not_lost() {
    let mut desk = desk();
    desk.asked();
    desk.enters("quick");
    let serial = desk.sending();
    told(&mut desk, "a1", Delivery::Delivered(Route::Direct));
    desk.outcome(Outcome::Sent { to: peer("bob"), serial, result: Ok(id("a1")) });
    desk.shows("you: quick · direct");
}

#[test]
fn a_message_that_another_program_wrote_through_this_peer_appears() {
    let mut desk = desk();
    desk.asked();
    told(&mut desk, "b1", Delivery::Delivered(Route::Direct));
    assert_eq!(desk.asked(), [Effect::Talk { with: peer("bob"), before: None }]);
    let mut other = direct("alice", "bob", 0, "from a script");
    other.delivery = Some(Delivery::Delivered(Route::Direct));
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result: Ok(vec![other]) });
    desk.shows("you: from a script · direct");
}

#[test]
fn who_is_there_is_asked_when_someone_unknown_appears() {
    let mut desk = Desk::new(WIDE);
    let joins = |name: &str| Event::Membership {
        channel: channel("general"),
        peer: peer(name),
        joined: true,
    };
    desk.event(joins("dave")).event(joins("erin")).event(joins("bob"));
    assert_eq!(desk.asked(), [Effect::People], "once, and not for those who are known to be there");
    desk.shows("#general · 6 members");
}

#[test]
fn while_a_talk_is_open_it_is_looked_who_is_there() {
    let mut desk = desk();
    let people = |bob: bool| Outcome::People(Ok(vec![presence("bob", bob)]));
    desk.outcome(people(true)).asked();
    desk.later(59);
    assert_eq!(desk.asked(), []);
    desk.later(1);
    assert_eq!(desk.asked(), [Effect::People]);
    desk.outcome(people(true)).shows("bob · online");
    assert_eq!(desk.asked(), [Effect::Connect(peer("bob"))], "there is no link yet");
    // A link that ended is a reason to look sooner.
    desk.link("bob", Some(Way::Direct)).link("bob", None).later(3);
    assert_eq!(desk.asked(), [Effect::People]);
    desk.outcome(people(false)).shows("bob · away");
    // Nobody looks at a window in the background.
    desk.apply(Input::Focus(false)).later(60);
    assert_eq!(desk.asked(), [Effect::People]);
    desk.outcome(people(false)).later(600);
    assert_eq!(desk.asked(), []);
    assert_eq!(desk.model.deadline(), None);
}

#[test]
fn a_page_that_was_read_before_never_takes_a_delivery_back() {
    let mut desk = desk();
    sent(&mut desk, "hello", "a1");
    told(&mut desk, "a1", Delivery::Delivered(Route::Direct));
    let mut stale = direct("alice", "bob", 0, "hello");
    stale.id = id("a1");
    stale.delivery = Some(Delivery::Sending);
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result: Ok(vec![stale]) });
    desk.shows("you: hello · direct");
    assert_eq!(desk.screen().matches("hello").count(), 1);
}

#[test]
fn a_message_that_cannot_be_stored_says_so() {
    let mut desk = desk();
    desk.asked();
    desk.enters("hello");
    let serial = desk.sending();
    let result = Err(PeerError::Local("the disk is full".into()));
    desk.outcome(Outcome::Sent { to: peer("bob"), serial, result });
    desk.shows("you: hello · failed: the disk is full");
}

#[test]
fn messages_of_others_say_which_way_they_came() {
    let mut desk = desk();
    for (minute, route) in [(1, Route::Direct), (2, Route::Relayed), (3, Route::Mailbox)] {
        let mut message = direct("bob", "alice", minute, &format!("text {minute}"));
        message.route = Some(route);
        desk.event(Event::Direct(message));
    }
    desk.shows("text 1 · direct").shows("text 2 · relayed").shows("text 3 · mailbox");
}

#[test]
fn a_message_from_an_own_other_device_is_no_news_and_has_no_way() {
    let mut desk = Desk::new(WIDE);
    desk.event(Event::Direct(direct("alice", "bob", 1, "from my phone")));
    assert_eq!(desk.asked(), []);
    desk.shows("bob").enters("/msg bob");
    let result = Ok(vec![direct("alice", "bob", 1, "from my phone")]);
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result });
    desk.shows("you: from my phone").shows("sent from another device of yours");
}

#[test]
fn messages_stand_in_the_order_of_their_times() {
    let mut desk = desk();
    desk.event(Event::Direct(direct("bob", "alice", 9, "later")));
    desk.event(Event::Direct(direct("bob", "alice", 3, "earlier")));
    desk.event(Event::Direct(direct("bob", "alice", 3, "earlier")));
    let screen = desk.screen();
    assert!(screen.find("earlier").unwrap() < screen.find("later").unwrap());
    assert_eq!(screen.matches("earlier").count(), 1);
}

#[test]
fn a_message_in_another_conversation_is_told_counted_and_rings() {
    let mut desk = Desk::new(WIDE);
    desk.event(Event::Direct(direct("bob", "alice", 1, "psst")));
    assert_eq!(desk.asked(), [Effect::Bell]);
    desk.shows("Message from bob").shows("● bob     mailbox 1");
    desk.event(Event::Direct(direct("bob", "alice", 1, "psst")));
    desk.event(Event::Direct(direct("bob", "alice", 2, "psst!")));
    assert_eq!(desk.asked(), [], "it doesn't ring for each of many");
    desk.control('n');
    assert_eq!(desk.model.open, Some(Place::Talk(peer("bob"))));
    let texts = ["old", "psst", "psst!"].iter().zip(0..);
    let result = Ok(texts.map(|(text, minute)| direct("bob", "alice", minute, text)).collect());
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result });
    desk.hides("mailbox 1").hides("mailbox 3");
    let rows = desk.rows();
    let new = rows.iter().position(|row| row.contains("── new ")).unwrap();
    assert!(rows[new + 1].contains("psst") && rows[new - 1].contains("old"));
}

#[test]
fn the_talk_with_the_newest_message_stands_first() {
    let mut desk = Desk::new(WIDE);
    desk.outcome(Outcome::Talks(Ok(vec![peer("bob"), peer("carol")])));
    let at = |desk: &Desk, name: &str| {
        desk.rows()
            .iter()
            .position(|row| {
                row.starts_with(&format!("● {name}")) || row.starts_with(&format!("○ {name}"))
            })
            .unwrap()
    };
    assert!(at(&desk, "bob") < at(&desk, "carol"));
    desk.event(Event::Direct(direct("carol", "alice", 1, "hi")));
    assert!(at(&desk, "carol") < at(&desk, "bob"));
}

#[test]
fn the_list_and_the_title_tell_who_is_there_and_which_way_leads_there() {
    let mut desk = desk();
    desk.shows("bob · online · mailbox").shows("● bob       mailbox");
    desk.link("bob", Some(Way::Relayed)).shows("bob · online · relayed");
    desk.link("bob", Some(Way::Direct)).shows("● bob        direct");
    desk.link("bob", None).shows("bob · online · mailbox");
    desk.event(Event::Presence(presence("bob", false))).shows("○ bob").shows("bob · away");
    desk.asked();
    desk.event(Event::Presence(presence("Bob", true)));
    assert_eq!(desk.asked(), [Effect::Connect(peer("Bob"))], "back again: the link is wanted");
}

#[test]
fn older_direct_messages_are_read_from_the_oldest_that_the_store_knows() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/msg bob");
    let page: Vec<_> =
        (0..50).map(|minute| direct("bob", "alice", minute, &format!("text {minute}"))).collect();
    let oldest = page[0].clone();
    desk.outcome(Outcome::Talk { with: peer("bob"), older: false, result: Ok(page) });
    desk.asked();
    desk.apply(Input::Wheel(100)).shows("text 0 ");
    let before = Some(Box::new(oldest));
    assert_eq!(desk.asked(), [Effect::Talk { with: peer("bob"), before }]);
    desk.outcome(Outcome::Talk { with: peer("bob"), older: true, result: Ok(vec![]) });
    desk.apply(Input::Wheel(1)).shows("Messages between you and bob.");
    assert_eq!(desk.asked(), []);
}

#[test]
fn a_new_device_and_a_refused_one_are_told_in_the_talk() {
    let mut desk = desk();
    desk.event(Event::NewDevice { peer: peer("bob"), device: device(0xab) });
    desk.shows("bob uses a new device, abababab. /compare bob shows");
    let refused =
        Event::Refused { remote: remote("bob"), reason: "wrong\u{1b}[31m signature".into() };
    desk.event(refused.clone()).event(refused);
    desk.shows("taken: wrong␛[31m signature");
    let log = desk.screen();
    assert_eq!(log.matches("15:00 A device that calls itself").count(), 1, "said once:\n{log}");
    // The notice goes, the line stays.
    desk.later(60).shows("15:00 bob uses a new device");
}

fn partner(byte: u8, label: &str, way: Option<Way>, compared: bool) -> PartnerDevice {
    PartnerDevice {
        device: Device {
            device: device(byte),
            public_key: "k".repeat(43),
            label: label.to_owned(),
            live: way.is_some(),
            registered_at: "2026-03-01T10:00:00Z".into(),
            last_seen: "2026-03-02T10:05:00Z".into(),
        },
        way,
        safety_number: (0..12).map(|group| format!("{:05}", group * 11111 % 100_000)).collect(),
        compared,
    }
}

#[test]
fn devices_tell_their_way_and_whether_they_were_compared() {
    let mut desk = desk();
    desk.enters("/devices");
    assert!(desk.asked().contains(&Effect::Devices { of: peer("bob"), compare: false }));
    let devices =
        vec![partner(1, "Laptop", Some(Way::Direct), true), partner(2, "\u{1b}Phone", None, false)];
    desk.outcome(Outcome::Devices { of: peer("bob"), compare: false, result: Ok(devices) });
    desk.shows("Devices of bob").shows("direct · compared").shows("␛Phone");
    desk.shows("last seen Monday 2 March 2026, 10:05 · not compared");
}

#[test]
fn a_safety_number_has_twelve_groups_and_can_be_marked_as_compared() {
    let mut desk = Desk::new(NARROW);
    desk.enters("/compare bob");
    let devices = || vec![partner(1, "Laptop", None, false), partner(2, "Phone", None, false)];
    desk.outcome(Outcome::Devices { of: peer("bob"), compare: true, result: Ok(devices()) });
    desk.key(KeyCode::Down).shows("Phone · not compared");
    desk.shows("00000 11111 22222 33333")
        .shows("44444 55555 66666 77777")
        .shows("88888 99999 11110 22221");
    desk.asked();
    desk.key(KeyCode::Char('y'));
    assert_eq!(desk.asked(), [Effect::MarkCompared(peer("bob"), device(2))]);
    desk.outcome(Outcome::Compared { peer: peer("bob"), result: Ok(()) });
    assert_eq!(desk.asked(), [Effect::Devices { of: peer("bob"), compare: true }]);
    let now = vec![partner(1, "Laptop", None, false), partner(2, "Phone", None, true)];
    desk.outcome(Outcome::Devices { of: peer("bob"), compare: true, result: Ok(now) });
    desk.shows("Phone · compared");
}

#[test]
fn commands_about_a_person_take_the_one_of_the_open_talk_or_say_what_is_missing() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/compare").shows("That takes a direct conversation");
    desk.enters("/file /tmp/x").shows("That takes a direct conversation");
    assert_eq!(desk.asked(), []);
}
