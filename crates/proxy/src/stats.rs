//! Counters of a worker, merged when somebody reads them.
//!
//! Each worker alone writes its own, so counting is a load and a store, no locked instruction. Failures
//! are rare enough for a map behind a mutex that nobody else wants. What belongs to an upstream is found
//! by its name when a configuration is taken into use, so it goes on counting over reloads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::config::Config;
use crate::lock::lock;
use crate::trace::export::Outbox;

mod reloads;
mod render;

pub(crate) use reloads::Reloads;
pub(crate) use render::render;

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

    fn set(&self, amount: u64) {
        self.0.store(amount, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    statuses: Statuses,
    /// Open client connections.
    pub(crate) connections: Counter,
    /// Those of them that are idle, and hold nothing but their socket.
    pub(crate) parked: Counter,
    /// Connections accepted.
    pub(crate) accepted: Counter,
    /// Connections closed at once because there are too many.
    pub(crate) turned_away: Counter,
    /// Connections closed because what comes before the first request, or a request's head, took too long.
    pub(crate) late: Counter,
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
    /// Spans on their way to a collector.
    pub(crate) spans: Outbox,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    /// By name, for whoever takes a configuration into use and for whoever reads.
    upstreams: Mutex<BTreeMap<Arc<str>, Arc<UpstreamStats>>>,
    routes: Mutex<BTreeMap<RouteName, Arc<RouteStats>>>,
}

/// Host and path.
type RouteName = (Box<str>, Arc<str>);

/// Answers by the first digit of the status; the first place is for requests that got none.
#[derive(Debug, Default)]
struct Statuses([Counter; 6]);

impl Statuses {
    fn add(&self, status: u16) {
        if let Some(counter) = self.0.get(usize::from(status / 100)) {
            counter.add(1);
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }
}

/// What one worker counts of one upstream.
#[derive(Debug, Default)]
pub(crate) struct UpstreamStats {
    statuses: Statuses,
    latency: Latency,
    /// Connections, as of the last housekeeping.
    open: Counter,
    in_use: Counter,
    /// Requests that wait for a connection, as of then.
    waiting: Counter,
}

/// What one worker counts of one route.
#[derive(Debug, Default)]
pub(crate) struct RouteStats {
    statuses: Statuses,
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
    /// Counts an answer, and the time from the request's sending to its head.
    pub(crate) fn answered(&self, status: u16, micros: u64) {
        self.statuses.add(status);
        self.latency.add(micros);
    }

    /// Notes how many connections there are, and how many requests wait for one.
    pub(crate) fn connections(&self, open: usize, in_use: usize, waiting: usize) {
        self.open.set(open as u64);
        self.in_use.set(in_use as u64);
        self.waiting.set(waiting as u64);
    }
}

impl RouteStats {
    /// Counts a finished request.
    pub(crate) fn request(&self, status: u16) {
        self.statuses.add(status);
    }

    /// Counts the time from the request's head to that of a server's answer.
    pub(crate) fn latency(&self, micros: u64) {
        self.latency.add(micros);
    }
}

impl Stats {
    /// The counters of an upstream, new or those that were there before.
    pub(crate) fn upstream(&self, name: &Arc<str>) -> Arc<UpstreamStats> {
        lock(&self.upstreams).entry(name.clone()).or_default().clone()
    }

    /// The counters of a route, new or those that were there before. A route is known by the first name of
    /// its host and by its path.
    pub(crate) fn route(&self, host: &str, path: &Arc<str>) -> Arc<RouteStats> {
        lock(&self.routes).entry((host.into(), path.clone())).or_default().clone()
    }

    /// Forgets what `config` no longer has, so that names that change can't fill the memory.
    pub(crate) fn retain(&self, config: &Config) {
        let names: BTreeSet<&str> =
            config.upstreams.iter().map(|upstream| &*upstream.name).collect();
        lock(&self.upstreams).retain(|name, _| names.contains(&**name));
        let routes: BTreeSet<(&str, &str)> = config
            .routes
            .iter()
            .map(|route| (config.routes.host_of(route), &*route.path))
            .collect();
        lock(&self.routes).retain(|(host, path), _| routes.contains(&(host, path)));
    }

    /// Counts a finished request.
    pub(crate) fn request(&self, status: u16, class: Option<&'static str>) {
        self.statuses.add(status);
        if let Some(class) = class {
            *lock(&self.failures).entry(class).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn counters_of_workers_are_added_up() {
        let text = "[upstreams.chat]\nservers = [\"127.0.0.1:1\"]\n[[hosts]]\nnames = [\"a.org\", \"b.org\"]\n\
                    [[hosts.routes]]\npath = \"/x/*\"\nupstream = \"chat\"\n\
                    [[hosts.routes]]\npath = \"/unused\"\nupstream = \"chat\"\n";
        let config = Config::parse(text, "proxy.conf").unwrap().config;
        let plan = Plan::new(config, None, crate::front::tls::Keyring::default(), None);
        let workers = [Arc::new(Stats::default()), Arc::new(Stats::default())];
        for stats in &workers {
            stats.request(200, None);
            stats.request(502, Some("upstream_closed"));
            let upstream = stats.upstream(&"chat".into());
            upstream.answered(200, 700);
            upstream.connections(3, 1, 2);
            let route = stats.route("a.org", &"/x/*".into());
            route.request(200);
            route.latency(900);
            stats.route("a.org", &"/unused".into());
            stats.route("gone.org", &"/x/*".into()).request(200);
            stats.retain(&plan.config);
        }
        let text = render(&workers, &plan, &Reloads::new());
        for line in [
            "proxy_requests_total{status=\"2xx\"} 2",
            "proxy_failures_total{class=\"upstream_closed\"} 2",
            "proxy_upstream_requests_total{upstream=\"chat\",status=\"2xx\"} 2",
            "proxy_upstream_connections{upstream=\"chat\",state=\"idle\"} 4",
            "proxy_upstream_connections{upstream=\"chat\",state=\"in_use\"} 2",
            "proxy_upstream_waiting{upstream=\"chat\"} 4",
            "proxy_upstream_servers{upstream=\"chat\",state=\"healthy\"} 1",
            "proxy_upstream_seconds_bucket{upstream=\"chat\",le=\"0.0005\"} 0",
            "proxy_upstream_seconds_bucket{upstream=\"chat\",le=\"0.001\"} 2",
            "proxy_upstream_seconds_count{upstream=\"chat\"} 2",
            "proxy_route_requests_total{host=\"a.org\",route=\"/x/*\",status=\"2xx\"} 2",
            "proxy_route_seconds_count{host=\"a.org\",route=\"/x/*\"} 2",
            "proxy_workers 2",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("/unused") && !text.contains("gone.org"), "{text}");
    }
}
