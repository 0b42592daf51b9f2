//! Quantiles, and results as a line of JSON.

use std::time::Duration;

use serde_json::{Value, json};

/// Latencies of a run.
#[derive(Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Milliseconds that are not exceeded by this share of them.
    fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (share * last as f64).round() as usize;
        self.0.get(index).map_or(0.0, |&micros| f64::from(micros) / 1000.0)
    }

    pub(crate) fn summary(&mut self) -> Value {
        self.0.sort_unstable();
        json!({ "p50_ms": self.quantile(0.5), "p99_ms": self.quantile(0.99), "max_ms": self.quantile(1.0) })
    }
}

/// Microseconds of processor time that a process has used (proc(5): fields 14 and 15, in ticks, of which
/// Linux has 100 a second).
pub(crate) fn cpu_micros(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |field: usize| fields.split_whitespace().nth(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) * 10_000.0)
}

/// Prints a result.
pub(crate) fn print(result: &Value) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{result}");
}
