//! What keys, the wheel and the mouse do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Model, Now};
use crate::terminal::effect::Effect;
use crate::terminal::input::Edit;
use crate::terminal::log::Tone;
use crate::terminal::sheet::{About, RowKind};
use crate::terminal::view;

/// Rows that the wheel scrolls at once.
const WHEEL: isize = 3;

impl Model {
    pub(super) fn key(&mut self, key: KeyEvent, now: Now) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return self.interrupt(now);
        }
        self.warned = false;
        match (key.code, control) {
            (KeyCode::Char('z'), true) => self.ask(Effect::Suspend),
            (KeyCode::Char('l'), true) => self.ask(Effect::Redraw),
            (KeyCode::F(1), _) => self.help(),
            (KeyCode::F(2), _) => self.rooms_sheet(),
            _ if self.sheet.is_some() => self.sheet_key(key),
            _ => self.room_key(key, control, now),
        }
    }

    fn room_key(&mut self, key: KeyEvent, control: bool, now: Now) {
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        let had_candidates = !std::mem::take(&mut self.candidates).is_empty();
        match key.code {
            KeyCode::Esc if had_candidates => {}
            KeyCode::Esc => self.go_to_newest(),
            KeyCode::F(3) => self.toggle_all(),
            KeyCode::F(5) => self.accept(None, now),
            KeyCode::F(6) => self.decline(None, now),
            KeyCode::F(7) => self.cancel(None, now),
            KeyCode::Char('n') if control => self.switch(1),
            KeyCode::Char('p') if control => self.switch(-1),
            KeyCode::Down if alt => self.switch(1),
            KeyCode::Up if alt => self.switch(-1),
            KeyCode::PageUp => self.scroll(self.page()),
            KeyCode::PageDown => self.scroll(-self.page()),
            KeyCode::Up if shift => self.scroll(1),
            KeyCode::Down if shift => self.scroll(-1),
            KeyCode::Home if control => self.scroll(isize::MAX),
            KeyCode::End if control => self.go_to_newest(),
            KeyCode::Tab => self.complete(),
            KeyCode::Enter if alt || shift || control => self.insert("\n".to_owned(), now),
            KeyCode::Char('j') if control => self.insert("\n".to_owned(), now),
            KeyCode::Enter => self.submit(now),
            _ => {
                if let Some(edit) = edit(key.code, control, alt) {
                    self.edit(edit, now);
                }
            }
        }
    }

    fn insert(&mut self, text: String, now: Now) {
        self.edit(Edit::Insert(text), now);
    }

    fn edit(&mut self, edit: Edit, now: Now) {
        let sent = std::mem::take(&mut self.sent);
        let whole = self.draft_mut().edit(edit, &sent);
        self.sent = sent;
        if !whole {
            self.say(self.words().cut, Tone::Warning, now);
        }
    }

    pub(super) fn paste(&mut self, text: String, now: Now) {
        self.warned = false;
        if self.sheet.is_none() {
            self.candidates.clear();
            self.insert(text, now);
        }
    }

    fn sheet_key(&mut self, key: KeyEvent) {
        let (page, last) = view::sheet::page(self);
        let page = page.cast_signed();
        let Some(sheet) = &mut self.sheet else { return };
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => self.sheet = None,
            KeyCode::Up => sheet.step(-1, last),
            KeyCode::Down => sheet.step(1, last),
            KeyCode::PageUp => sheet.step(-page, last),
            KeyCode::PageDown | KeyCode::Char(' ') => sheet.step(page, last),
            KeyCode::Home => sheet.step(isize::MIN, last),
            KeyCode::End => sheet.step(isize::MAX, last),
            KeyCode::Enter => match sheet.chosen().map(|row| row.kind.clone()) {
                Some(RowKind::Open(place)) => self.show(&place),
                Some(_) => {}
                None => self.sheet = None,
            },
            KeyCode::Char('y' | 'Y') => {
                if let (About::Compare(with), Some(RowKind::Device(device))) =
                    (&sheet.about, sheet.chosen().map(|row| &row.kind))
                {
                    let effect = Effect::MarkCompared(with.clone(), *device);
                    self.ask(effect);
                }
            }
            _ => {}
        }
    }

    pub(super) fn wheel(&mut self, turns: isize) {
        let (_, last) = view::sheet::page(self);
        match &mut self.sheet {
            Some(sheet) => sheet.step(-turns, last),
            None => self.scroll(turns.saturating_mul(WHEEL)),
        }
    }

    pub(super) fn click(&mut self, column: u16, row: u16, _now: Now) {
        if self.sheet.is_none()
            && let Some(place) = view::list::place_at(self, column, row)
        {
            self.show(&place);
        }
    }
}

/// What a key does to the line.
fn edit(code: KeyCode, control: bool, alt: bool) -> Option<Edit> {
    Some(match code {
        KeyCode::Left if control || alt => Edit::WordLeft,
        KeyCode::Right if control || alt => Edit::WordRight,
        KeyCode::Left => Edit::Left,
        KeyCode::Right => Edit::Right,
        KeyCode::Home => Edit::Home,
        KeyCode::End => Edit::End,
        KeyCode::Up => Edit::Up,
        KeyCode::Down => Edit::Down,
        KeyCode::Backspace if alt || control => Edit::CutWordLeft,
        KeyCode::Backspace => Edit::Backspace,
        KeyCode::Delete if alt || control => Edit::CutWordRight,
        KeyCode::Delete => Edit::Delete,
        KeyCode::Char(letter) if control => match letter {
            'a' => Edit::Home,
            'e' => Edit::End,
            'b' => Edit::Left,
            'f' => Edit::Right,
            'd' => Edit::Delete,
            'h' => Edit::Backspace,
            'w' => Edit::CutBack,
            'u' => Edit::CutToHome,
            'k' => Edit::CutToEnd,
            'y' => Edit::Paste,
            _ => return None,
        },
        KeyCode::Char(letter) if alt => match letter {
            'b' => Edit::WordLeft,
            'f' => Edit::WordRight,
            'd' => Edit::CutWordRight,
            _ => return None,
        },
        KeyCode::Char(letter) => Edit::Insert(letter.to_string()),
        _ => return None,
    })
}
