//! How much may lie in SCTP's buffers: as much as the path holds, and little more.
//!
//! str0m gives a buffer of fixed size to all data channels together. Too small, and a long path runs dry; too
//! large, and a message waits behind a file, and SCTP, whose work grows with what is in flight, slows down. So the
//! time from writing to acknowledgement is watched: close to the shortest one seen, nothing queued on the way, and
//! there may be more; far above it, there is a queue, and there has to be less.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes at least.
pub(super) const LEAST: usize = 32 * 1024;
/// Bytes at most.
pub(super) const MOST: usize = 1024 * 1024;
/// Bytes between two measurements.
const SPACING: u64 = 4 * 1024;
/// What no path is blamed for: a scheduler's or a timer's grain.
const GRAIN: Duration = Duration::from_millis(2);

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    written: u64,
    /// What was written up to a moment.
    marks: VecDeque<(u64, Instant)>,
    shortest: Option<Duration>,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { size: LEAST, written: 0, marks: VecDeque::new(), shortest: None }
    }

    /// The path is another one now.
    pub(super) fn rerouted(&mut self) {
        self.shortest = None;
    }

    /// Bytes that may be buffered now.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// So many bytes were written.
    pub(super) fn wrote(&mut self, bytes: usize, now: Instant) {
        self.written += bytes as u64;
        let last = self.marks.back().map_or(0, |(upto, _)| *upto);
        if self.marks.is_empty() || self.written - last >= SPACING {
            self.marks.push_back((self.written, now));
        }
    }

    /// So many bytes are buffered still.
    pub(super) fn buffered(&mut self, bytes: usize, now: Instant) {
        let acknowledged = self.written.saturating_sub(bytes as u64);
        let mut full = false;
        let mut took = None;
        while let Some(&(upto, at)) = self.marks.front()
            && upto <= acknowledged
        {
            self.marks.pop_front();
            took = Some(now.saturating_duration_since(at));
            full |= bytes + SPACING as usize * 4 >= self.size / 2;
        }
        if let Some(took) = took {
            self.measured(took, full);
        }
    }

    /// `full`: the window was what held the sender back.
    fn measured(&mut self, took: Duration, full: bool) {
        let shortest = self.shortest.map_or(took, |shortest| shortest.min(took));
        self.shortest = Some(shortest);
        if took > shortest * 3 + 2 * GRAIN {
            self.size = (self.size - self.size / 8).max(LEAST);
        } else if full && took <= shortest + shortest / 2 && took > GRAIN {
            self.size = (self.size + self.size / 4).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path: so many bytes a second, so long from end to end and back. Gives the window after a while, and how
    /// many bytes a second came through.
    fn run(rate: f64, round_trip: Duration) -> (usize, f64) {
        let start = Instant::now();
        let mut window = Window::new();
        let (mut now, mut free_at) = (start, start);
        let mut flying: VecDeque<(Instant, usize)> = VecDeque::new();
        let mut delivered = 0;
        while now - start < Duration::from_secs(20) {
            while flying.front().is_some_and(|(at, _)| *at <= now) {
                delivered += flying.pop_front().unwrap().1;
            }
            let buffered: usize = flying.iter().map(|(_, bytes)| *bytes).sum();
            window.buffered(buffered, now);
            let mut room = window.size().saturating_sub(buffered);
            while room >= 16 * 1024 {
                room -= 16 * 1024;
                window.wrote(16 * 1024, now);
                free_at = free_at.max(now) + Duration::from_secs_f64(16.0 * 1024.0 / rate);
                flying.push_back((free_at + round_trip, 16 * 1024));
            }
            now = flying.front().unwrap().0;
        }
        (window.size(), f64::from(delivered as u32) / 20.0)
    }

    #[test]
    fn a_short_path_keeps_a_small_window() {
        let (size, _) = run(200e6, Duration::from_micros(100));
        assert_eq!(size, LEAST);
    }

    #[test]
    fn a_long_path_is_filled() {
        let (size, rate) = run(12.5e6, Duration::from_millis(50));
        assert!(size > 500_000, "{size}");
        assert!(rate > 10e6, "{rate}");
    }

    #[test]
    fn a_slow_path_is_not_flooded() {
        let (size, rate) = run(200e3, Duration::from_millis(20));
        assert!(size <= 2 * LEAST, "{size}: more than 0.6 s of the path");
        assert!(rate > 190e3, "{rate}");
    }

    #[test]
    fn marks_are_as_few_as_the_window_is_large() {
        let (mut window, now) = (Window::new(), Instant::now());
        for _ in 0..100_000 {
            window.wrote(10, now);
        }
        assert!(window.marks.len() as u64 <= 1_000_000 / SPACING);
        window.buffered(0, now);
        assert!(window.marks.is_empty());
    }
}
