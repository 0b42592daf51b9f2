//! Channels: messages in their order, posts that come ahead of it, what is unread.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers};

use super::support::*;
use crate::event::Event;
use crate::peer::PeerError;
use crate::terminal::effect::{Effect, Outcome};
use crate::terminal::model::Input;
use crate::terminal::room::Place;

fn post(desk: &mut Desk, from: &str, name: &str, text: &str) {
    desk.event(Event::Post {
        from: peer(from),
        id: id(name),
        channel: channel("general"),
        message: text.to_owned(),
        timestamp: "2026-03-04T12:03:00Z".to_owned(),
    });
}

fn older(desk: &mut Desk, before: u64, messages: Vec<wire::tracker::StoredMessage>) {
    let result = Ok(page(messages, 120));
    desk.outcome(Outcome::History { channel: channel("general"), before: Some(before), result });
}

/// A page of `#general`, from one `seq` to another.
fn filled(from: u64, to: u64) -> Vec<wire::tracker::StoredMessage> {
    (from..=to).map(|seq| stored(seq, "bob", &format!("message {seq}"))).collect()
}

/// Some rows of the screen, without the list beside them.
fn messages(desk: &Desk, rows: std::ops::Range<usize>) -> Vec<String> {
    let rows = desk.rows()[rows].to_vec();
    rows.iter().map(|row| row.split_once('│').unwrap().1.to_owned()).collect()
}

#[test]
fn an_own_message_is_shown_at_once_and_takes_its_place_in_the_log() {
    let mut desk = Desk::new(WIDE);
    desk.enters("good morning").shows("you: good morning · sending");
    let serial = desk.sending();
    desk.outcome(Outcome::Broadcasted {
        channel: channel("general"),
        serial,
        result: Ok(id("m4")),
    });
    desk.said(3, "carol", "hi").said(4, "alice", "good morning");
    desk.hides("sending");
    let screen = desk.screen();
    assert!(screen.find("carol: hi").unwrap() < screen.find("you: good morning").unwrap());
    assert_eq!(screen.matches("good morning").count(), 1);
}

#[test]
fn a_log_that_is_quicker_than_the_answer_shows_the_message_once() {
    let mut desk = Desk::new(WIDE);
    desk.enters("good morning");
    let serial = desk.sending();
    desk.said(3, "alice", "good morning");
    desk.outcome(Outcome::Broadcasted {
        channel: channel("general"),
        serial,
        result: Ok(id("m3")),
    });
    assert_eq!(desk.screen().matches("good morning").count(), 1);
    desk.hides("sending");
}

#[test]
fn own_messages_go_one_after_the_other() {
    let mut desk = Desk::new(WIDE);
    desk.enters("one").enters("two");
    assert_eq!(desk.model.apply(Input::Tick, desk.now), []);
    let sent = |effects: Vec<Effect>| -> Vec<String> {
        let texts = effects.into_iter().filter_map(|effect| match effect {
            Effect::Broadcast { text, .. } => Some(text),
            _ => None,
        });
        texts.collect()
    };
    desk.shows("two · waiting");
    assert_eq!(sent(desk.asked()), ["one"]);
    let result = Err(PeerError::Unreachable("no route".into()));
    // The first item that was written on this desk has the next serial after the page's two.
    desk.outcome(Outcome::Broadcasted { channel: channel("general"), serial: 3, result });
    assert_eq!(sent(desk.asked()), ["two"]);
    desk.shows("you: one · failed: the server can't be reached").shows("two · sending");
}

#[test]
fn a_message_that_was_refused_says_so_and_can_be_called_back() {
    let mut desk = Desk::new(WIDE);
    desk.enters("hello?");
    let serial = desk.sending();
    let refused = PeerError::Refused { code: "not_a_member".into(), message: "no".into() };
    desk.outcome(Outcome::Broadcasted {
        channel: channel("general"),
        serial,
        result: Err(refused),
    });
    desk.shows("failed: you are not a member of this channel");
    desk.key(KeyCode::Up).shows("> hello?");
}

#[test]
fn a_post_is_marked_until_the_log_has_it() {
    let mut desk = Desk::new(WIDE);
    post(&mut desk, "bob", "m3", "look");
    desk.shows("bob: look · not confirmed yet");
    desk.said(3, "bob", "look").hides("not confirmed");
    assert_eq!(desk.screen().matches("bob: look").count(), 1);
    post(&mut desk, "bob", "m3", "look");
    assert_eq!(desk.screen().matches("bob: look").count(), 1);
}

#[test]
fn a_post_that_the_log_never_has_goes_after_thirty_seconds() {
    let mut desk = Desk::new(WIDE);
    post(&mut desk, "bob", "x", "look");
    assert_eq!(desk.model.deadline(), Some(desk.now.instant + Duration::from_secs(30)));
    desk.later(29).shows("bob: look").later(1).hides("bob: look");
    assert_eq!(desk.model.deadline(), None);
}

#[test]
fn what_is_unread_is_counted_told_and_marked() {
    let mut desk = Desk::new(WIDE);
    desk.shows("#games          2");
    let message = |seq, from: &str| Event::Message {
        channel: channel("games"),
        message: stored(seq, from, "chess?"),
    };
    desk.event(message(6, "bob")).event(message(6, "bob")).event(message(7, "alice"));
    desk.shows("#games          3");
    desk.press(KeyCode::Up, KeyModifiers::ALT);
    let asked = desk.asked();
    assert!(
        asked.contains(&Effect::History { channel: channel("games"), before: None }),
        "{asked:?}"
    );
    let messages = (1..=6).map(|seq| stored(seq, "bob", &format!("move {seq}"))).collect();
    let result = Ok(page(messages, 6));
    desk.outcome(Outcome::History { channel: channel("games"), before: None, result });
    assert!(desk.asked().contains(&Effect::MarkRead(channel("games"), 6)));
    let rows = desk.rows();
    let new = rows.iter().position(|row| row.contains("── new ")).unwrap();
    assert!(rows[new + 1].contains("move 4"), "{}", rows.join("\n"));
    desk.hides("#games          3");
    // It goes when the conversation is left.
    desk.control('n').control('p').hides("── new ");
}

#[test]
fn the_marker_moves_one_call_at_a_time() {
    let mut desk = Desk::new(WIDE);
    desk.said(3, "bob", "a");
    assert_eq!(desk.asked(), [Effect::MarkRead(channel("general"), 3)]);
    desk.said(4, "bob", "b").said(5, "bob", "c");
    assert_eq!(desk.asked(), []);
    desk.outcome(Outcome::Read { channel: channel("general"), seq: 3, result: Ok(()) });
    assert_eq!(desk.asked(), [Effect::MarkRead(channel("general"), 5)]);
}

#[test]
fn nothing_counts_as_read_while_the_window_is_in_the_background() {
    let mut desk = Desk::new(WIDE);
    desk.apply(Input::Focus(false)).said(3, "bob", "are you there?");
    assert_eq!(desk.asked(), []);
    desk.shows("── new ").apply(Input::Focus(true));
    assert_eq!(desk.asked(), [Effect::MarkRead(channel("general"), 3)]);
}

#[test]
fn older_messages_are_read_when_someone_scrolls_to_the_top() {
    let mut desk = Desk::new(WIDE);
    desk.event(Event::Reset).history(filled(71, 120), 120);
    desk.asked();
    desk.shows("message 120").hides("message 71");
    desk.key(KeyCode::PageUp).shows("newer messages below").hides("message 120");
    assert_eq!(desk.asked(), []);
    desk.press(KeyCode::Home, KeyModifiers::CONTROL).shows("message 71");
    assert_eq!(desk.asked(), [Effect::History { channel: channel("general"), before: Some(71) }]);
    desk.shows("Loading…").key(KeyCode::PageUp);
    assert_eq!(desk.asked(), [], "one page at a time");
    // What is in view stays where it is when older messages come.
    let seen = messages(&desk, 2..22);
    older(&mut desk, 71, filled(21, 70));
    assert_eq!(messages(&desk, 2..22), seen);
    desk.press(KeyCode::Home, KeyModifiers::CONTROL).shows("message 21");
    older(&mut desk, 21, filled(1, 20));
    desk.press(KeyCode::Home, KeyModifiers::CONTROL).shows("This is where #general begins.");
    desk.asked();
    desk.key(KeyCode::PageUp);
    assert_eq!(desk.asked(), []);
    desk.key(KeyCode::Esc).shows("message 120").hides("newer messages");
}

#[test]
fn who_reads_older_messages_is_not_disturbed_by_new_ones() {
    let mut desk = Desk::new(WIDE);
    desk.event(Event::Reset).history(filled(71, 120), 120);
    desk.apply(Input::Wheel(2));
    let seen = messages(&desk, 1..22);
    desk.said(121, "carol", "news");
    assert_eq!(messages(&desk, 1..22), seen);
    desk.shows("#general        1");
    desk.apply(Input::Wheel(-3)).shows("carol: news").hides("#general        1");
}

#[test]
fn a_hole_in_the_log_is_filled() {
    let mut desk = Desk::new(WIDE);
    desk.said(5, "carol", "five");
    let asked = desk.asked();
    assert!(
        asked.contains(&Effect::History { channel: channel("general"), before: None }),
        "{asked:?}"
    );
    desk.history((1..=5).map(|seq| stored(seq, "bob", &format!("number {seq}"))).collect(), 5);
    let screen = desk.screen();
    assert!(screen.find("number 4").unwrap() < screen.find("carol: five").unwrap());
    assert_eq!(screen.matches("12:05").count(), 1);
}

#[test]
fn after_a_reset_with_a_hole_only_the_newest_page_is_shown() {
    let mut desk = Desk::new(WIDE);
    desk.event(Event::Reset).history(filled(71, 75), 120);
    desk.shows("message 71").hides("anybody here?").hides("This is where");
}

#[test]
fn joining_opens_the_channel_and_leaving_closes_it() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/join #chess");
    assert_eq!(desk.asked(), [Effect::Join(channel("chess"))]);
    desk.outcome(Outcome::Joined(channel("chess"), Ok(())));
    desk.shows("You are in #chess").shows("> Message #chess");
    desk.enters("/leave");
    assert!(desk.asked().contains(&Effect::Leave(channel("chess"))));
    desk.outcome(Outcome::Left(channel("chess"), Ok(())));
    desk.shows("> Message #general");
    desk.channels(vec![told("games", true, 5, 3), told("general", true, 2, 2)]).hides("#chess  ");
}

#[test]
fn all_channels_can_be_listed_and_read_along() {
    let mut desk = Desk::new(WIDE);
    desk.key(KeyCode::F(3));
    assert_eq!(desk.asked(), [Effect::Channels { all: true }]);
    let all =
        vec![told("chess", false, 9, 0), told("games", true, 5, 5), told("general", true, 2, 2)];
    desk.outcome(Outcome::Channels { all: true, result: Ok(all) });
    desk.shows("All channels").shows("+ #chess");
    desk.control('p').control('p');
    assert_eq!(desk.model.open, Some(Place::Channel(channel("chess"))));
    desk.shows("not joined").enters("hi").shows("You are reading along. /join chess");
    assert_eq!(desk.model.draft().text(), "hi", "what was written stays");
}

#[test]
fn the_sheet_of_channels_opens_one() {
    let mut desk = Desk::new(NARROW);
    desk.enters("/channels").shows("Loading…");
    let all = vec![told("chess", false, 9, 0), told("general", true, 2, 0)];
    desk.outcome(Outcome::Channels { all: true, result: Ok(all) });
    desk.shows("#chess  3 members · not joined").shows("#general  3 members · 2 unread");
    desk.key(KeyCode::Enter);
    assert_eq!(desk.model.open, Some(Place::Channel(channel("chess"))));
}

#[test]
fn without_any_channel_a_word_of_welcome_is_shown() {
    let mut desk = Desk::bare("C", WIDE);
    desk.channels(vec![]).shows("You are in no channel yet.");
    desk.enters("hello").shows("You are in no channel yet.");
    assert_eq!(desk.model.draft().text(), "hello");
}

#[test]
fn a_private_channel_and_its_members_are_shown() {
    let mut desk = Desk::new(WIDE);
    let mut secret = told("secret", true, 0, 0);
    secret.private = true;
    desk.channels(vec![secret.clone()]).shows("* #secret");
    let members = vec![presence("bob", true), presence("alice", true)];
    desk.enters("/who").outcome(Outcome::Members(channel("general"), Ok(members)));
    desk.shows("Members of #general").shows("● alice (you)  online").shows("● bob  online");
}
