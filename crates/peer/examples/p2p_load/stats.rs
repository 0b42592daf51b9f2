//! Numbers out of samples.

use std::time::Duration;

/// A percentile of sorted samples, in microseconds.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1).min(last);
    sorted.get(at).map_or(0.0, |sample| sample.as_secs_f64() * 1e6)
}

/// Processor time that a process has used so far, all threads. Zero where the system doesn't tell.
pub(crate) fn cpu(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The program's name, in parentheses, may hold anything: the fields are counted after it.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // A tick is a hundredth of a second on Linux, whatever the kernel's own clock.
    Duration::from_millis((ticks() + ticks()) * 10)
}
