//! The access log: one line a request, written when its answer is complete or broken off.
//!
//! Lines are formatted into a buffer of the worker and leave it in one write, when it is full or a fifth
//! of a second old, so no request takes a lock. With the log off nothing is even built. Whatever a client
//! chose (method, host, path) is escaped: no control character and no bidirectional override reaches the
//! reader's terminal.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::stats::Stats;
use crate::watch::millis;

mod combined;
mod line;
mod record;
mod sink;

use line::Line;
pub(crate) use line::is_invisible;
pub(crate) use record::Record;
pub(crate) use sink::Sink;

/// A buffer this full is written at once.
const FULL: usize = 64 * 1024;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// As Apache's and nginx's "combined", with the rest at the end of the line: for programs that read
    /// the logs of those.
    Combined,
}

/// The log of one worker.
pub(crate) struct AccessLog {
    sink: RefCell<Option<Sink>>,
    on: Cell<bool>,
    format: Cell<Format>,
    /// Unless the configuration says otherwise.
    usual: Format,
    buffer: RefCell<Vec<u8>>,
    /// The wall clock at an instant, set anew at every sweep.
    anchor: Cell<(Instant, Duration)>,
    /// The text of a second, such as `2026-01-31T23:59:59`, since formatting it is dearer than the rest of a line.
    second: RefCell<(u64, String)>,
    failed: Cell<bool>,
}

impl AccessLog {
    /// `wanted` is what the configuration says, if it does, and `usual` else.
    pub(crate) fn new(sink: Option<Sink>, wanted: Option<Format>, usual: Format) -> Self {
        let buffer = if sink.is_some() { Vec::with_capacity(FULL + 4096) } else { Vec::new() };
        Self {
            on: Cell::new(sink.is_some()),
            sink: RefCell::new(sink),
            format: Cell::new(wanted.unwrap_or(usual)),
            usual,
            buffer: RefCell::new(buffer),
            anchor: Cell::new(anchor()),
            second: RefCell::new((0, String::new())),
            failed: Cell::new(false),
        }
    }

    /// Whether lines are wanted.
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Whether lines tell which program asked, and from which page.
    pub(crate) fn wants_agents(&self) -> bool {
        self.is_on() && self.format.get() == Format::Combined
    }

    /// Writes lines in another format, if the configuration says so.
    pub(crate) fn reformat(&self, wanted: Option<Format>) {
        self.format.set(wanted.unwrap_or(self.usual));
        self.second.borrow_mut().1.clear();
    }

    /// Goes on writing somewhere else; what has gathered still goes where it went before.
    pub(crate) fn redirect(&self, sink: Option<Sink>) {
        self.flush();
        self.on.set(sink.is_some());
        self.failed.set(false);
        *self.sink.borrow_mut() = sink;
    }

    /// Follows the wall clock.
    pub(crate) fn sweep(&self) {
        self.anchor.set(anchor());
    }

    /// Writes what has gathered.
    pub(crate) fn flush(&self) {
        let mut buffer = self.buffer.borrow_mut();
        let sink = self.sink.borrow();
        let Some(sink) = &*sink else { return };
        if buffer.is_empty() {
            return;
        }
        if let Err(error) = sink.write(&buffer) {
            // Said once; a full disk must not fill the other log too.
            if !self.failed.replace(true) {
                tracing::error!(%error, "the access log can't be written");
            }
        } else {
            self.failed.set(false);
        }
        buffer.clear();
    }

    fn push(&self, record: &Record, ended: Instant) {
        {
            let mut buffer = self.buffer.borrow_mut();
            let (instant, wall) = self.anchor.get();
            let wall = wall + ended.saturating_duration_since(instant);
            let mut second = self.second.borrow_mut();
            if second.0 != wall.as_secs() || second.1.is_empty() {
                *second = (wall.as_secs(), date(wall.as_secs(), self.format.get()));
            }
            let line = Line {
                second: &second.1,
                millis: wall.subsec_millis(),
                micros: micros(ended.saturating_duration_since(record.started)),
                record,
            };
            match self.format.get() {
                Format::Text => line.text(&mut buffer),
                Format::Json => line.json(&mut buffer),
                Format::Combined => line.combined(&mut buffer),
            }
            if buffer.len() < FULL {
                return;
            }
        }
        self.flush();
    }
}

fn anchor() -> (Instant, Duration) {
    (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn date(second: u64, format: Format) -> String {
    let pattern = match format {
        Format::Text | Format::Json => "%Y-%m-%dT%H:%M:%S",
        Format::Combined => "%d/%b/%Y:%H:%M:%S +0000",
    };
    let time =
        i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.map_or_else(|| "?".into(), |time| time.strftime(pattern).to_string())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Where requests are accounted for.
pub(crate) struct Books {
    /// The log.
    pub(crate) log: AccessLog,
    /// The counters.
    pub(crate) stats: Arc<Stats>,
    /// How long an idle connection waits for its next request.
    pub(crate) keep_alive_ms: Cell<u64>,
}

impl Books {
    pub(crate) fn new(log: AccessLog, stats: Arc<Stats>, keep_alive: Duration) -> Rc<Self> {
        Rc::new(Self { log, stats, keep_alive_ms: Cell::new(millis(keep_alive)) })
    }
}
