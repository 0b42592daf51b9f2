//! Reading older messages.

use super::Model;
use crate::terminal::effect::Effect;
use crate::terminal::log::Loaded;
use crate::terminal::room::{Anchor, Place};
use crate::terminal::view::{self, Layout};

impl Model {
    /// Rows that a page of the history scrolls: one stays to read on from.
    pub(super) fn page(&self) -> isize {
        let height = Layout::of(self).history.height;
        isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1)
    }

    /// Back to the newest message.
    pub(super) fn go_to_newest(&mut self) {
        if let Some(room) = self.current_mut() {
            room.anchor = None;
            room.log.trim();
        }
        self.seen();
    }

    /// Scrolls so many rows up, or down.
    pub(super) fn scroll(&mut self, rows: isize) {
        let pane = Layout::of(self).history;
        let (width, height) = (usize::from(pane.width), usize::from(pane.height));
        let Some(room) = self.current() else { return };
        let count = room.log.items().len();
        let rows_of = |at: usize| view::history::block(self, room, at, width).len();
        let mut bottom = Bottom::at(room.anchor, |serial| room.log.position(serial), count);
        bottom.up(rows, rows_of);
        let at_top = bottom.fill(height, rows_of);
        let anchor = bottom.anchor(|at| room.log.items().get(at).map(|item| item.serial));
        if let Some(room) = self.current_mut() {
            room.anchor = anchor;
        }
        if at_top && rows > 0 {
            self.load_older();
        }
        self.seen();
    }

    /// Reads what is before the oldest loaded message.
    fn load_older(&mut self) {
        self.load();
        let Some(room) = self.current_mut() else { return };
        if room.log.loaded != Loaded::Yes || room.log.start || room.log.older {
            return;
        }
        room.log.older = true;
        let effect = match &room.place {
            Place::Channel(channel) => {
                Effect::History { channel: channel.clone(), before: room.log.oldest_seq() }
            }
            Place::Talk(with) => {
                Effect::Talk { with: with.clone(), before: room.log.oldest_direct() }
            }
        };
        self.ask(effect);
    }
}

/// The lower edge of the view: this item, so many of whose rows are below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bottom {
    at: usize,
    hidden: usize,
    count: usize,
}

impl Bottom {
    fn at(anchor: Option<Anchor>, position: impl Fn(u64) -> Option<usize>, count: usize) -> Self {
        let found = anchor.and_then(|anchor| Some((position(anchor.serial)?, anchor.hidden)));
        let (at, hidden) = found.unwrap_or((count.saturating_sub(1), 0));
        Self { at, hidden, count }
    }

    /// Moves up, or down when negative; stops at the first row and at the last one.
    fn up(&mut self, rows: isize, rows_of: impl Fn(usize) -> usize) {
        let mut left = rows.unsigned_abs();
        if rows >= 0 {
            while left > 0 && self.count > 0 {
                let above = rows_of(self.at).saturating_sub(self.hidden);
                if left < above || self.at == 0 {
                    self.hidden += left.min(above);
                    return;
                }
                left -= above;
                self.at -= 1;
                self.hidden = 0;
            }
            return;
        }
        while left > 0 {
            if left <= self.hidden {
                self.hidden -= left;
                return;
            }
            left -= self.hidden;
            self.hidden = 0;
            if self.at + 1 >= self.count {
                return;
            }
            self.at += 1;
            self.hidden = rows_of(self.at);
        }
    }

    /// Moves down until the view above is full. Gives whether its first row is the first of all.
    fn fill(&mut self, height: usize, rows_of: impl Fn(usize) -> usize) -> bool {
        let mut above = 0;
        for at in (0..=self.at.min(self.count.saturating_sub(1))).rev() {
            if self.count == 0 {
                return true;
            }
            let rows = rows_of(at);
            above += if at == self.at { rows.saturating_sub(self.hidden) } else { rows };
            if above > height {
                return false;
            }
        }
        let missing = isize::try_from(height - above.min(height)).unwrap_or(0);
        self.up(-missing, rows_of);
        true
    }

    /// `None` at the last row.
    fn anchor(&self, serial: impl Fn(usize) -> Option<u64>) -> Option<Anchor> {
        let last = self.at + 1 >= self.count && self.hidden == 0;
        let serial = serial(self.at).filter(|_| !last)?;
        Some(Anchor { serial, hidden: self.hidden })
    }
}
