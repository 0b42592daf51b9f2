//! Keys: writing, completing, switching, leaving.

use crossterm::event::{KeyCode, KeyModifiers};
use wire::limits::MESSAGE_BYTES;

use super::support::*;
use crate::event::Event;
use crate::terminal::effect::{Effect, Outcome};
use crate::terminal::model::Input;

fn text(desk: &Desk) -> &str {
    desk.model.draft().text()
}

#[test]
fn a_line_is_edited_and_sent() {
    let mut desk = Desk::new(WIDE);
    desk.types("helo wrld").control('a').types("> ").key(KeyCode::End);
    desk.press(KeyCode::Char('b'), KeyModifiers::ALT).key(KeyCode::Right).types("o");
    desk.press(KeyCode::Left, KeyModifiers::CONTROL).press(KeyCode::Left, KeyModifiers::CONTROL);
    desk.key(KeyCode::Right).key(KeyCode::Right).types("l");
    assert_eq!(text(&desk), "> hello world");
    desk.control('w').control('y').control('e').control('u').control('y');
    assert_eq!(text(&desk), "> hello world");
    desk.key(KeyCode::Enter);
    assert!(
        matches!(&desk.asked()[..], [Effect::Broadcast { text, .. }] if text == "> hello world")
    );
    assert_eq!(text(&desk), "");
}

#[test]
fn several_lines_are_one_message() {
    let mut desk = Desk::new(WIDE);
    desk.types("one").press(KeyCode::Enter, KeyModifiers::ALT).types("two").control('j');
    desk.apply(Input::Paste("three\r\nfour".into()));
    desk.shows("> one").shows("  two").shows("  four");
    desk.key(KeyCode::Enter).shows("you: one");
    assert!(
        matches!(&desk.asked()[..], [Effect::Broadcast { text, .. }] if text == "one\ntwo\nthree\nfour")
    );
    let rows = desk.rows();
    let first = rows.iter().position(|row| row.contains("you: one")).unwrap();
    assert!(rows[first + 1].ends_with("       two") && rows[first + 3].contains("four · sending"));
}

#[test]
fn the_cursor_is_where_the_next_letter_goes() {
    let mut desk = Desk::new(WIDE);
    let cursor = |desk: &Desk| desk.buffer().1.unwrap();
    assert_eq!(cursor(&desk), (24, 23));
    desk.types("日本");
    assert_eq!(cursor(&desk), (28, 23));
    desk.key(KeyCode::Left).press(KeyCode::Enter, KeyModifiers::ALT);
    assert_eq!(cursor(&desk), (24, 23));
    desk.key(KeyCode::F(1));
    assert_eq!(desk.buffer().1, None, "a sheet has no cursor");
}

#[test]
fn every_conversation_has_its_own_draft() {
    let mut desk = Desk::new(WIDE);
    desk.types("for general").control('p').types("for games");
    desk.control('n');
    assert_eq!(text(&desk), "for general");
    desk.control('n');
    assert_eq!(text(&desk), "for games");
}

#[test]
fn what_is_too_long_is_said_and_not_sent() {
    let mut desk = Desk::new(WIDE);
    desk.apply(Input::Paste("x".repeat(MESSAGE_BYTES - 100))).shows("100 bytes left");
    desk.apply(Input::Paste("x".repeat(101))).shows("1 bytes too long").key(KeyCode::Enter);
    assert_eq!(desk.asked(), []);
    desk.key(KeyCode::Backspace).key(KeyCode::Enter);
    assert!(
        matches!(&desk.asked()[..], [Effect::Broadcast { text, .. }] if text.len() == MESSAGE_BYTES)
    );
}

#[test]
fn tab_completes_and_tells_the_choices() {
    let mut desk = Desk::new(WIDE);
    desk.types("/jo").key(KeyCode::Tab).types("g").key(KeyCode::Tab);
    assert_eq!(text(&desk), "/join g");
    desk.shows("games  general").types("e").hides("games  general").key(KeyCode::Tab);
    assert_eq!(text(&desk), "/join general ");
    desk.control('u').types("/msg c").key(KeyCode::Tab);
    assert_eq!(text(&desk), "/msg carol ");
}

#[test]
fn tab_completes_a_path_as_the_disk_has_it() {
    let mut desk = Desk::new(WIDE);
    desk.types("/file /tmp/ph").key(KeyCode::Tab);
    let asked = desk.asked();
    assert_eq!(asked, [Effect::Paths { typed: "/tmp/ph".into(), path: "/tmp/ph".into() }]);
    let found = || Outcome::Paths { typed: "/tmp/ph".into(), names: vec!["photos/".into()] };
    desk.outcome(found());
    assert_eq!(text(&desk), "/file /tmp/photos/");
    desk.control('u').types("something else").outcome(found());
    assert_eq!(text(&desk), "something else", "an answer that comes late changes nothing");
}

#[test]
fn an_unknown_command_stays_and_two_slashes_make_it_text() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/etc is a folder").shows("There is no command /etc.");
    assert_eq!(text(&desk), "/etc is a folder");
    desk.control('a').types("/").key(KeyCode::Enter);
    assert!(
        matches!(&desk.asked()[..], [Effect::Broadcast { text, .. }] if text == "/etc is a folder")
    );
    desk.enters("/join").shows("That takes more: /join CHANNEL");
}

#[test]
fn help_lists_every_command_and_scrolls() {
    let mut desk = Desk::new((40, 10));
    desk.key(KeyCode::F(1)).shows("Help").shows("/join CHANNEL");
    let mut seen = String::new();
    for _ in 0..40 {
        seen.push_str(&desk.screen());
        desk.key(KeyCode::PageDown);
    }
    for part in ["/quit", "Ctrl-Y", "Ctrl-C", "private channel"] {
        assert!(seen.contains(part), "no {part}");
    }
    desk.shows("private channel").key(KeyCode::PageUp).hides("private channel");
    desk.key(KeyCode::F(1)).hides("Help").enters("/help").shows("Help").key(KeyCode::Esc);
    desk.hides("Help");
}

#[test]
fn a_narrow_window_has_the_conversations_on_a_sheet() {
    let mut desk = Desk::new(NARROW);
    desk.outcome(Outcome::Talks(Ok(vec![peer("bob")])));
    desk.key(KeyCode::F(2)).shows("Conversations").shows("#games").shows("● bob");
    desk.key(KeyCode::Down).key(KeyCode::Enter).shows("> Message bob");
}

#[test]
fn a_click_opens_a_conversation() {
    let mut desk = Desk::new(WIDE);
    desk.apply(Input::Click(3, 2)).shows("> Message #games");
    desk.apply(Input::Click(3, 1)).apply(Input::Click(50, 3)).shows("> Message #games");
}

#[test]
fn ctrl_c_leaves_and_twice_leaves_at_once() {
    let mut desk = Desk::new(WIDE);
    desk.control('c').shows("Closing the links");
    assert_eq!(desk.asked(), [Effect::Goodbye]);
    desk.control('c');
    assert_eq!(desk.asked(), [Effect::Quit]);
}

#[test]
fn ctrl_c_warns_first_when_something_is_not_sent() {
    let mut desk = Desk::new(WIDE);
    desk.types("a draft").control('p').control('c').shows("Something you wrote is not sent");
    assert_eq!(
        desk.asked().last(),
        Some(&Effect::History { channel: channel("games"), before: None })
    );
    desk.types("x").control('c');
    assert_eq!(desk.asked(), [], "another key takes the warning back");
    desk.control('c');
    assert_eq!(desk.asked(), [Effect::Quit]);
}

#[test]
fn leaving_waits_until_direct_messages_are_on_the_disk() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/msg bob").enters("one").enters("two");
    let serial = desk.sending();
    desk.apply(Input::Stop);
    assert_eq!(desk.asked(), []);
    desk.outcome(Outcome::Sent { to: peer("bob"), serial, result: Ok(id("a1")) });
    let serial = desk.sending();
    desk.outcome(Outcome::Sent { to: peer("bob"), serial, result: Ok(id("a2")) });
    assert_eq!(desk.asked(), [Effect::Goodbye]);
    desk.apply(Input::Stop);
    assert_eq!(desk.asked(), [Effect::Quit]);
}

#[test]
fn the_connection_is_shown_and_its_loss_told() {
    let mut desk = Desk::new(WIDE);
    desk.shows("alice        online");
    desk.event(Event::Offline { reason: "no route\u{7}".into() });
    desk.shows("alice       offline").shows("Connection lost (no route␇)");
    desk.asked();
    desk.event(Event::Online).shows("Connected again");
    assert!(desk.asked().contains(&Effect::Channels { all: false }));
    desk.later(11).hides("Connected again");
    desk.event(Event::SignedOut).shows("signed out").shows("Your session is over");
    let mut narrow = Desk::new(NARROW);
    narrow.hides("online").event(Event::Offline { reason: "x".into() }).shows("offline");
}

#[test]
fn a_conversation_that_could_not_be_read_is_read_once_the_tracker_is_back() {
    let mut desk = Desk::new(WIDE);
    desk.event(Event::Offline { reason: "x".into() }).control('p');
    let error = crate::peer::PeerError::Unreachable("x".into());
    desk.outcome(Outcome::History { channel: channel("games"), before: None, result: Err(error) });
    desk.shows("the server can't be reached");
    desk.asked();
    desk.event(Event::Online);
    assert!(desk.asked().contains(&Effect::History { channel: channel("games"), before: None }));
}

#[test]
fn what_could_not_be_read_at_the_start_is_read_once_connected() {
    let mut desk = Desk::bare("C", WIDE);
    let gone = || crate::peer::PeerError::Unreachable("x".into());
    desk.outcome(Outcome::Channels { all: false, result: Err(gone()) });
    desk.hides("can't be reached").asked();
    desk.event(Event::Online);
    assert!(desk.asked().contains(&Effect::Channels { all: false }));
    desk.event(Event::Online);
    assert_eq!(desk.asked(), []);
    desk.enters("/channels").outcome(Outcome::Channels { all: true, result: Err(gone()) });
    desk.hides("Loading").shows("the server can't be reached");
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let mut desk = Desk::new(WIDE);
    desk.enters("/mouse").shows("The mouse belongs to the terminal");
    assert_eq!(desk.asked(), [Effect::Mouse(false)]);
    desk.enters("/mouse");
    assert_eq!(desk.asked(), [Effect::Mouse(true)]);
}

#[test]
fn ctrl_z_stops_and_ctrl_l_draws_anew() {
    let mut desk = Desk::new(WIDE);
    desk.control('z').control('l');
    assert_eq!(desk.asked(), [Effect::Suspend, Effect::Redraw]);
}
