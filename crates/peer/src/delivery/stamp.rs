//! Times of messages: milliseconds since 1970, UTC.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// How far another device's clock may be off before its messages are filed under this device's time.
const SKEW_MILLIS: i64 = 120_000;

/// Gives the times of own messages: never two the same, never backwards, and after those of the messages that were heard.
#[derive(Debug, Clone, Copy)]
pub struct Stamper {
    last: i64,
}

impl Stamper {
    /// After this one.
    pub fn after(last: i64) -> Self {
        Self { last }
    }

    /// The time of the next message, which is now, or a millisecond after the last one.
    pub fn next(&mut self, now: Timestamp) -> i64 {
        self.last = now.as_millisecond().max(self.last.saturating_add(1));
        self.last
    }

    /// A message with this time is here: what is written from now on may answer it.
    pub fn heard(&mut self, at: i64) {
        self.last = self.last.max(at);
    }
}

/// The one [`Stamper`] of a device, for all that it says. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<Stamper>>);

impl Clock {
    /// Goes on after this time.
    pub fn after(last: i64) -> Self {
        // A std lock: held for an addition.
        Self(Arc::new(Mutex::new(Stamper::after(last))))
    }

    /// The time of the next message.
    pub fn next(&self) -> i64 {
        self.stamper().next(Timestamp::now())
    }

    /// Under which time a message is filed that another device says to have written then ([`filed`]); own messages come
    /// after it.
    pub fn file(&self, said: &str) -> i64 {
        let at = filed(said, Timestamp::now());
        self.stamper().heard(at);
        at
    }

    fn stamper(&self) -> MutexGuard<'_, Stamper> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which time a message is filed that says `said`: its own, or `now` when the clocks differ by more than two minutes.
pub fn filed(said: &str, now: Timestamp) -> i64 {
    let now = now.as_millisecond();
    match said.parse::<Timestamp>() {
        Ok(said) if said.as_millisecond().abs_diff(now) <= SKEW_MILLIS.unsigned_abs() => {
            said.as_millisecond()
        }
        _ => now,
    }
}

/// A time that the tracker gave; it is the same for all.
pub fn given(said: &str, now: Timestamp) -> i64 {
    said.parse::<Timestamp>().unwrap_or(now).as_millisecond()
}

/// As it goes on the wire: `2025-11-05T10:30:00.123Z`.
pub fn wire(at: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn no_two_messages_have_the_same_time_even_when_the_clock_is_set_back() {
        let mut stamper = Stamper::after(0);
        let first = stamper.next(at("2026-01-01T00:00:00Z"));
        assert_eq!(stamper.next(at("2026-01-01T00:00:00Z")), first + 1);
        assert_eq!(stamper.next(at("2025-01-01T00:00:00Z")), first + 2);
        assert_eq!(stamper.next(at("2026-01-01T00:00:01Z")), first + 1000);
        assert_eq!(wire(first), "2026-01-01T00:00:00.000Z");
    }

    #[test]
    fn an_answer_stands_after_what_it_answers_though_the_other_clock_is_ahead() {
        let now = at("2026-01-01T00:00:00Z");
        let mut stamper = Stamper::after(0);
        let asked = filed("2026-01-01T00:01:00Z", now);
        stamper.heard(asked);
        assert_eq!(stamper.next(now), asked + 1);
        stamper.heard(asked - 1000);
        assert_eq!(stamper.next(now), asked + 2);
        // Not by more than two minutes, whatever others say.
        stamper.heard(filed("2099-01-01T00:00:00Z", now));
        assert_eq!(stamper.next(now), asked + 3);
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_two_minutes_is_not_believed() {
        let now = at("2026-01-01T00:10:00Z");
        assert_eq!(wire(filed("2026-01-01T00:08:00.000Z", now)), "2026-01-01T00:08:00.000Z");
        assert_eq!(wire(filed("2026-01-01T00:12:00.000Z", now)), "2026-01-01T00:12:00.000Z");
        for said in ["2026-01-01T00:07:59.999Z", "2026-01-01T00:12:00.001Z", "", "yesterday"] {
            assert_eq!(filed(said, now), now.as_millisecond(), "{said}");
        }
    }
}
