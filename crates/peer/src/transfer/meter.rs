//! How fast a file moves, smoothed so that a person can read it.

use std::time::{Duration, Instant};

/// Over about how long the speed is taken.
const WINDOW: Duration = Duration::from_secs(2);

/// A file of which no piece (1 MiB) gets through for so long makes room for others that wait.
const STANDSTILL: Duration = Duration::from_secs(300);

/// Measures one file's speed.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    at: Instant,
    /// When there was last more than before.
    moved: Instant,
    done: u64,
    /// Bytes a second; `None` before the first measurement.
    speed: Option<f64>,
}

impl Meter {
    /// Begins with so many bytes that were there before.
    pub fn new(now: Instant, done: u64) -> Self {
        Self { at: now, moved: now, done, speed: None }
    }

    /// Takes how many bytes are there now.
    pub fn update(&mut self, now: Instant, done: u64) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        if passed <= 0.0 {
            return;
        }
        let lately = done.saturating_sub(self.done) as f64 / passed;
        let weight = 1.0 - (-passed / WINDOW.as_secs_f64()).exp();
        self.speed = Some(self.speed.map_or(lately, |speed| speed + weight * (lately - speed)));
        if done > self.done {
            self.moved = now;
        }
        self.at = now;
        self.done = done;
    }

    /// Whether nothing has moved for so long that others shouldn't wait for it any more.
    pub fn stands(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.moved) >= STANDSTILL
    }

    /// Bytes that are there.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Bytes a second, lately.
    pub fn speed(&self) -> u64 {
        self.speed.unwrap_or_default() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speeds(steps: &[(u64, u64)]) -> Vec<u64> {
        let start = Instant::now();
        let mut meter = Meter::new(start, 500);
        let mut done = 500;
        steps
            .iter()
            .scan(0, |at, (milliseconds, bytes)| {
                *at += milliseconds;
                done += bytes;
                meter.update(start + Duration::from_millis(*at), done);
                Some(meter.speed())
            })
            .collect()
    }

    #[test]
    fn a_steady_speed_is_shown_as_it_is_and_what_was_there_before_does_not_count() {
        assert_eq!(speeds(&[(200, 200), (200, 200), (400, 400)]), [1000, 1000, 1000]);
    }

    #[test]
    fn a_jump_is_smoothed_and_a_standstill_fades() {
        let shown = speeds(&[(200, 200), (200, 2000), (200, 0), (10_000, 0)]);
        assert!(shown[1] > 1000 && shown[1] < 3000, "{shown:?}");
        assert!(shown[2] < shown[1] && shown[3] < 20, "{shown:?}");
    }

    #[test]
    fn no_time_and_less_than_before_do_no_harm() {
        let now = Instant::now();
        let mut meter = Meter::new(now, 10);
        meter.update(now, 20);
        assert_eq!(meter.speed(), 0);
        meter.update(now + Duration::from_secs(1), 5);
        assert_eq!((meter.speed(), meter.done()), (0, 5));
    }
}
