//! Counters of a worker, merged when somebody reads them.
//!
//! Each worker alone writes its own, so counting is a load and a store, no locked instruction. Failures
//! are rare enough for a map behind a mutex that nobody else wants. What belongs to an upstream is found
//! by its name when a configuration is taken into use, so it goes on counting over reloads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::Config;

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
    /// By name, for whoever takes a configuration into use and for whoever reads.
    upstreams: Mutex<BTreeMap<Arc<str>, Arc<UpstreamStats>>>,
}

/// What one worker counts of one upstream.
#[derive(Debug, Default)]
pub(crate) struct UpstreamStats {
    latency: Latency,
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [Counter; BOUNDS.len() + 1],
    sum_micros: Counter,
}

impl Latency {
    fn add(&self, micros: u64) {
        let bucket = BOUNDS.iter().position(|&bound| micros <= bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].add(1);
        self.sum_micros.add(micros);
    }
}

impl UpstreamStats {
    /// Counts the time from the request's sending to the response head.
    pub(crate) fn latency(&self, micros: u64) {
        self.latency.add(micros);
    }
}

impl Stats {
    /// The counters of an upstream, new or those that were there before.
    pub(crate) fn upstream(&self, name: &Arc<str>) -> Arc<UpstreamStats> {
        lock(&self.upstreams).entry(name.clone()).or_default().clone()
    }

    /// Forgets the upstreams that `config` no longer has, so that names that change can't fill the memory.
    pub(crate) fn retain(&self, config: &Config) {
        let names: BTreeSet<&Arc<str>> =
            config.upstreams.iter().map(|upstream| &upstream.name).collect();
        lock(&self.upstreams).retain(|name, _| names.contains(name));
    }

    /// Counts a finished request.
    pub(crate) fn request(&self, status: u16, class: Option<&'static str>) {
        if let Some(counter) = self.statuses.get(usize::from(status / 100)) {
            counter.add(1);
        }
        if let Some(class) = class {
            *lock(&self.failures).entry(class).or_default() += 1;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The metrics of all workers together, in the Prometheus text format.
pub(crate) fn render(workers: &[Arc<Stats>], reloads: &Reloads) -> String {
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
        for (class, count) in &*lock(&stats.failures) {
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
    reloads.render(&mut text);
    let mut upstreams = BTreeMap::<Arc<str>, Vec<Arc<UpstreamStats>>>::new();
    for stats in workers {
        for (name, upstream) in &*lock(&stats.upstreams) {
            upstreams.entry(name.clone()).or_default().push(upstream.clone());
        }
    }
    text.push_str("# HELP proxy_upstream_seconds Time to the response head.\n# TYPE proxy_upstream_seconds histogram\n");
    for (name, workers) in &upstreams {
        let latencies: Vec<&Latency> = workers.iter().map(|stats| &stats.latency).collect();
        histogram(&mut text, "proxy_upstream_seconds", &format!("upstream=\"{name}\""), &latencies);
    }
    text
}

/// The lines of one histogram, summed over workers.
fn histogram(text: &mut String, name: &str, labels: &str, workers: &[&Latency]) {
    let bucket = |at: usize| workers.iter().map(|one| one.buckets[at].get()).sum::<u64>();
    let mut below = 0;
    for (at, bound) in BOUNDS.iter().enumerate() {
        below += bucket(at);
        let seconds = *bound as f64 / 1e6;
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{seconds}\"}} {below}");
    }
    below += bucket(BOUNDS.len());
    let micros: u64 = workers.iter().map(|one| one.sum_micros.get()).sum();
    let seconds = micros as f64 / 1e6;
    let _ = writeln!(
        text,
        "{name}_bucket{{{labels},le=\"+Inf\"}} {below}\n\
         {name}_sum{{{labels}}} {seconds}\n\
         {name}_count{{{labels}}} {below}"
    );
}

/// Changes of the configuration while the proxy runs.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Seconds since 1970.
    last_success: AtomicU64,
}

impl Reloads {
    /// Nothing was reloaded yet; what is served was read now.
    pub(crate) fn new() -> Self {
        Self { last_success: AtomicU64::new(unix_now()), ..Self::default() }
    }

    /// Counts an attempt.
    pub(crate) fn count(&self, succeeded: bool) {
        if succeeded {
            self.succeeded.fetch_add(1, Ordering::Relaxed);
            self.last_success.store(unix_now(), Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn render(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "# HELP proxy_config_reloads_total Attempts to take a changed proxy.conf into use.\n\
             # TYPE proxy_config_reloads_total counter\n\
             proxy_config_reloads_total{{result=\"success\"}} {}\n\
             proxy_config_reloads_total{{result=\"failure\"}} {}\n\
             # HELP proxy_config_last_reload_success_timestamp_seconds When what is served was taken into use.\n\
             # TYPE proxy_config_last_reload_success_timestamp_seconds gauge\n\
             proxy_config_last_reload_success_timestamp_seconds {}",
            self.succeeded.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
            self.last_success.load(Ordering::Relaxed),
        );
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

/// Counts every worker once.
static ONE: Counter = Counter(AtomicU64::new(1));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_workers_are_added_up() {
        let workers = [Arc::new(Stats::default()), Arc::new(Stats::default())];
        for stats in &workers {
            stats.request(200, None);
            stats.request(502, Some("upstream_closed"));
            stats.upstream(&"chat".into()).latency(700);
        }
        let text = render(&workers, &Reloads::new());
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
