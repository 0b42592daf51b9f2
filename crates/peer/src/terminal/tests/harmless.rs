//! Whatever comes, from others or from the keyboard, in whichever window: nothing breaks, and no control sequence but
//! our own reaches the terminal.

use crossterm::event::{KeyCode, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::{TerminalOptions, Viewport};
use wire::p2p::{FileId, FileOffer};

use super::support::*;
use crate::event::{Direction, Event, FileState, FileStatus};
use crate::links::Way;
use crate::terminal::effect::Outcome;
use crate::terminal::model::Input;
use crate::terminal::view;

/// What would be written to a terminal for the whole screen.
fn written(desk: &Desk) -> String {
    let (columns, rows) = desk.model.setting.size;
    let mut bytes = Vec::new();
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, columns, rows)) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut bytes), options).unwrap();
    terminal.draw(|frame| view::draw(&desk.model, frame)).unwrap();
    drop(terminal);
    String::from_utf8(bytes).unwrap()
}

/// Fails unless all control characters are those of our own sequences: move, style, show and hide the cursor.
fn assert_harmless(desk: &Desk) {
    let text = written(desk);
    let mut rest = text.as_str();
    while let Some(at) = rest.find(char::is_control) {
        let sequence = &rest[at..];
        let body = sequence.strip_prefix("\u{1b}[").unwrap_or_else(|| panic!("{sequence:?}"));
        let end = body.find(|c: char| !(c.is_ascii_digit() || ";?".contains(c))).unwrap();
        let last = body[end..].chars().next().unwrap();
        let whole = &body[..=end];
        assert!(last == 'H' || last == 'm' || whole == "?25h" || whole == "?25l", "{whole:?}");
        rest = &body[end + 1..];
    }
    for c in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{9b}'] {
        assert!(!text.contains(c), "{c:?}");
    }
}

const EVIL: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\n\u{202e}txt.exe\u{2066}\u{200f}\u{8}\0\t\u{7f}";

#[test]
fn no_text_of_others_can_control_the_terminal() {
    let mut desk = Desk::new(WIDE);
    desk.said(3, "bob", EVIL);
    desk.event(Event::Post {
        from: peer("bob"),
        id: id("p"),
        channel: channel("general"),
        message: EVIL.into(),
        timestamp: EVIL.into(),
    });
    desk.event(Event::Offline { reason: EVIL.into() });
    assert_harmless(&desk);
    desk.event(Event::Refused { remote: remote("bob"), reason: EVIL.into() });
    assert_harmless(&desk);
    let offer = FileOffer {
        file: FileId::new([1; 16]),
        to: peer("alice"),
        name: EVIL.into(),
        size: u64::MAX,
        mime: EVIL.into(),
        timestamp: EVIL.into(),
    };
    let status = |state| FileStatus {
        offer: offer.clone(),
        from: peer("bob"),
        direction: Direction::Incoming,
        way: Some(Way::Direct),
        state,
        trouble: None,
    };
    desk.event(Event::File(status(FileState::Offered)));
    assert_harmless(&desk);
    desk.enters("/msg bob");
    desk.outcome(Outcome::Talk {
        with: peer("bob"),
        older: false,
        result: Ok(vec![direct("bob", "alice", 1, EVIL)]),
    });
    desk.event(Event::File(status(FileState::Running { done: u64::MAX, speed: u64::MAX })));
    assert_harmless(&desk);
    desk.event(Event::File(status(FileState::Done { path: Some(EVIL.into()) })));
    assert_harmless(&desk);
    desk.outcome(Outcome::Paths {
        typed: String::new(),
        names: vec![EVIL.into(), format!("{EVIL}2")],
    });
    desk.apply(Input::Paste(EVIL.into()));
    assert_harmless(&desk);
}

#[test]
fn without_colours_none_is_used_and_with_them_no_background() {
    let mut desk = Desk::new(WIDE);
    desk.said(3, "alice", "hi").event(Event::Offline { reason: "x".into() });
    let cells = |desk: &Desk| desk.buffer().0.content().to_vec();
    assert!(cells(&desk).iter().any(|cell| cell.fg != Color::Reset));
    assert!(cells(&desk).iter().all(|cell| cell.bg == Color::Reset));
    desk.model.setting.colours = false;
    assert!(cells(&desk).iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn vietnamese_and_wide_characters_stay_in_their_columns() {
    let mut desk = Desk::new(NARROW);
    desk.said(3, "bob", "Tie\u{302}\u{301}ng Vie\u{323}\u{302}t co\u{301} da\u{302}\u{301}u, và Tiếng Việt dựng sẵn");
    desk.said(4, "bob", "日本語のとても長い文章は語の間に空白がないので文字の間で折り返されます");
    desk.said(5, "bob", "👨‍👩‍👧‍👦 🇻🇳 ok");
    for row in desk.rows() {
        assert!(crate::terminal::wrap::columns(&row) <= 40, "{row}");
    }
    desk.shows("dựng sẵn").shows("Vie\u{323}\u{302}t").shows("🇻🇳 ok");
}

#[derive(Debug, Clone)]
enum Happens {
    Key(KeyCode, KeyModifiers),
    Text(String),
    Size(u16, u16),
    Said(String),
    Wheel(isize),
    Click(u16, u16),
    Direct(String),
    Line(&'static str),
    Page,
    File(u8, bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    let codes = vec![
        KeyCode::Enter,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Tab,
        KeyCode::Esc,
        KeyCode::F(1),
        KeyCode::F(2),
        KeyCode::F(3),
        KeyCode::F(5),
        KeyCode::Char('a'),
        KeyCode::Char('n'),
        KeyCode::Char('p'),
        KeyCode::Char('w'),
        KeyCode::Char('y'),
        KeyCode::Char('/'),
        KeyCode::Char('日'),
        KeyCode::Char('\u{301}'),
    ];
    let modifiers = vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL,
        KeyModifiers::SHIFT,
    ];
    let lines = vec!["/msg bob", "/who", "/help", "/channels", "/compare bob", "hello", "/leave"];
    prop_oneof![
        8 => (prop::sample::select(codes), prop::sample::select(modifiers)).prop_map(|(code, modifiers)| Happens::Key(code, modifiers)),
        2 => any::<String>().prop_map(Happens::Text),
        2 => (0_u16..130, 0_u16..50).prop_map(|(columns, rows)| Happens::Size(columns, rows)),
        2 => any::<String>().prop_map(Happens::Said),
        1 => (-9_isize..9).prop_map(Happens::Wheel),
        1 => (0_u16..130, 0_u16..50).prop_map(|(column, row)| Happens::Click(column, row)),
        1 => any::<String>().prop_map(Happens::Direct),
        2 => prop::sample::select(lines).prop_map(Happens::Line),
        1 => Just(Happens::Page),
        1 => (0_u8..4, any::<bool>()).prop_map(|(byte, over)| Happens::File(byte, over)),
    ]
}

fn live(desk: &mut Desk, happens: Happens, seq: u64) {
    match happens {
        Happens::Key(code, modifiers) => desk.press(code, modifiers),
        Happens::Text(text) => desk.apply(Input::Paste(text)),
        Happens::Size(columns, rows) => desk.apply(Input::Resize(columns, rows)),
        Happens::Said(text) => desk.said(seq, "bob", &text),
        Happens::Wheel(turns) => desk.apply(Input::Wheel(turns)),
        Happens::Click(column, row) => desk.apply(Input::Click(column, row)),
        Happens::Direct(text) => {
            desk.event(Event::Direct(direct("bob", "alice", (seq % 60) as u32, &text)))
        }
        Happens::Line(line) => desk.enters(line),
        Happens::Page => {
            desk.history((1..seq).map(|seq| stored(seq, "carol", "old words")).collect(), seq);
            desk.outcome(Outcome::Talk { with: peer("bob"), older: true, result: Ok(vec![]) })
        }
        Happens::File(byte, over) => {
            let state = if over { FileState::Done { path: None } } else { FileState::Offered };
            desk.event(Event::File(FileStatus {
                offer: FileOffer {
                    file: FileId::new([byte; 16]),
                    to: peer("alice"),
                    name: "n".repeat(usize::from(byte) * 40),
                    size: 1 << 40,
                    mime: String::new(),
                    timestamp: String::new(),
                },
                from: peer("bob"),
                direction: Direction::Incoming,
                way: None,
                state,
                trouble: None,
            }))
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn nothing_that_happens_breaks_the_interface(all in prop::collection::vec(happens(), 1..80)) {
        let mut desk = Desk::new(WIDE);
        for (seq, happens) in (3..).zip(all) {
            live(&mut desk, happens, seq);
            let draft = desk.model.draft();
            prop_assert!(draft.text().is_char_boundary(draft.cursor()));
            let (columns, rows) = desk.model.setting.size;
            if columns > 0 && rows > 0 {
                desk.buffer();
                assert_harmless(&desk);
            }
        }
    }
}
