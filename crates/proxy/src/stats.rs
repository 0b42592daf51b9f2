//! Counters of a worker, merged when somebody reads them.
//!
//! Each worker alone writes its own, so counting is a load and a store, no locked instruction. Failures
//! are rare enough for a map behind a mutex that nobody else wants.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Upper bounds of the latency histogram, in microseconds.
const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// A number that one thread counts and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(amount), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Requests by the first digit of the status; the first place is for those that got none.
    statuses: [Counter; 6],
    /// Open client connections.
    pub(crate) connections: Counter,
    /// Connections accepted.
    pub(crate) accepted: Counter,
    /// Connections closed at once because there are too many.
    pub(crate) turned_away: Counter,
    /// Open tunnels.
    pub(crate) tunnels: Counter,
    /// Body bytes from clients.
    pub(crate) bytes_in: Counter,
    /// Body bytes to clients.
    pub(crate) bytes_out: Counter,
    /// Auth decisions taken from the cache.
    pub(crate) auth_hits: Counter,
    /// Auth decisions asked for.
    pub(crate) auth_misses: Counter,
    /// Requests sent a second time.
    pub(crate) retries: Counter,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    upstreams: Vec<Latency>,
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [Counter; BOUNDS.len() + 1],
    sum_micros: Counter,
}

impl Stats {
    pub(crate) fn new(upstreams: usize) -> Self {
        Self { upstreams: (0..upstreams).map(|_| Latency::default()).collect(), ..Self::default() }
    }

    /// Counts a finished request.
    pub(crate) fn request(&self, status: u16, class: Option<&'static str>) {
        if let Some(counter) = self.statuses.get(usize::from(status / 100)) {
            counter.add(1);
        }
        if let Some(class) = class {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            *failures.entry(class).or_default() += 1;
        }
    }

    /// Counts the time from the request's sending to the response head.
    pub(crate) fn latency(&self, upstream: usize, micros: u64) {
        if let Some(latency) = self.upstreams.get(upstream) {
            let bucket = BOUNDS.iter().position(|&bound| micros <= bound).unwrap_or(BOUNDS.len());
            latency.buckets[bucket].add(1);
            latency.sum_micros.add(micros);
        }
    }
}

/// The metrics of all workers together, in the Prometheus text format.
pub(crate) fn render(workers: &[Arc<Stats>], upstreams: &[Arc<str>]) -> String {
    let sum = |pick: &dyn Fn(&Stats) -> u64| workers.iter().map(|stats| pick(stats)).sum::<u64>();
    let mut text = String::with_capacity(4096);
    text.push_str("# HELP proxy_requests_total Finished requests by class of status.\n# TYPE proxy_requests_total counter\n");
    let classes = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
    for (place, class) in classes.iter().enumerate() {
        let total = sum(&|stats| stats.statuses[place].get());
        let _ = writeln!(text, "proxy_requests_total{{status=\"{class}\"}} {total}");
    }
    let mut failures = BTreeMap::<&str, u64>::new();
    for stats in workers {
        for (class, count) in &*stats.failures.lock().unwrap_or_else(PoisonError::into_inner) {
            *failures.entry(class).or_default() += count;
        }
    }
    text.push_str("# HELP proxy_failures_total Requests that went wrong, by class.\n# TYPE proxy_failures_total counter\n");
    for (class, count) in failures {
        let _ = writeln!(text, "proxy_failures_total{{class=\"{class}\"}} {count}");
    }
    type Pick = fn(&Stats) -> &Counter;
    let simple: [(&str, &str, &str, Pick); 10] = [
        ("proxy_connections", "gauge", "Open client connections.", |stats| &stats.connections),
        ("proxy_tunnels", "gauge", "Open WebSocket tunnels.", |stats| &stats.tunnels),
        ("proxy_connections_total", "counter", "Accepted client connections.", |stats| {
            &stats.accepted
        }),
        (
            "proxy_connections_refused_total",
            "counter",
            "Client connections closed because there were too many.",
            |stats| &stats.turned_away,
        ),
        ("proxy_received_bytes_total", "counter", "Body bytes from clients.", |stats| {
            &stats.bytes_in
        }),
        ("proxy_sent_bytes_total", "counter", "Body bytes to clients.", |stats| &stats.bytes_out),
        ("proxy_auth_cache_hits_total", "counter", "Decisions taken from the cache.", |stats| {
            &stats.auth_hits
        }),
        ("proxy_auth_cache_misses_total", "counter", "Decisions asked of backend-auth.", |stats| {
            &stats.auth_misses
        }),
        ("proxy_retries_total", "counter", "Requests sent a second time.", |stats| &stats.retries),
        ("proxy_workers", "gauge", "Worker threads.", |_| &ONE),
    ];
    for (name, kind, help, pick) in simple {
        let total = sum(&|stats| pick(stats).get());
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {total}");
    }
    text.push_str("# HELP proxy_upstream_seconds Time to the response head.\n# TYPE proxy_upstream_seconds histogram\n");
    for (place, name) in upstreams.iter().enumerate() {
        let bucket = |at: usize| {
            sum(&|stats| stats.upstreams.get(place).map_or(0, |latency| latency.buckets[at].get()))
        };
        let mut below = 0;
        for (at, bound) in BOUNDS.iter().enumerate() {
            below += bucket(at);
            let seconds = *bound as f64 / 1e6;
            let _ = writeln!(
                text,
                "proxy_upstream_seconds_bucket{{upstream=\"{name}\",le=\"{seconds}\"}} {below}"
            );
        }
        below += bucket(BOUNDS.len());
        let micros =
            sum(&|stats| stats.upstreams.get(place).map_or(0, |latency| latency.sum_micros.get()));
        let seconds = micros as f64 / 1e6;
        let _ = writeln!(
            text,
            "proxy_upstream_seconds_bucket{{upstream=\"{name}\",le=\"+Inf\"}} {below}\n\
             proxy_upstream_seconds_sum{{upstream=\"{name}\"}} {seconds}\n\
             proxy_upstream_seconds_count{{upstream=\"{name}\"}} {below}"
        );
    }
    text
}

/// Counts every worker once.
static ONE: Counter = Counter(AtomicU64::new(1));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_workers_are_added_up() {
        let workers = [Arc::new(Stats::new(1)), Arc::new(Stats::new(1))];
        for stats in &workers {
            stats.request(200, None);
            stats.request(502, Some("upstream_closed"));
            stats.latency(0, 700);
        }
        let text = render(&workers, &["chat".into()]);
        for line in [
            "proxy_requests_total{status=\"2xx\"} 2",
            "proxy_failures_total{class=\"upstream_closed\"} 2",
            "proxy_upstream_seconds_bucket{upstream=\"chat\",le=\"0.0005\"} 0",
            "proxy_upstream_seconds_bucket{upstream=\"chat\",le=\"0.001\"} 2",
            "proxy_upstream_seconds_count{upstream=\"chat\"} 2",
            "proxy_workers 2",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
