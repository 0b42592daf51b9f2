//! The counters of all workers as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{
    BOUNDS, Counter, Latency, Reloads, RouteName, RouteStats, Stats, Statuses, UpstreamStats,
};
use crate::lock::lock;
use crate::plan::Plan;
use crate::watch::clock;

/// Names for the first digit of a status.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of all workers together, in the Prometheus text format.
pub(crate) fn render(workers: &[Arc<Stats>], plan: &Plan, reloads: &Reloads) -> String {
    let sum = |pick: &dyn Fn(&Stats) -> u64| workers.iter().map(|stats| pick(stats)).sum::<u64>();
    let mut text = String::with_capacity(4096);
    head(&mut text, "proxy_requests_total", "counter", "Finished requests by class of status.");
    for (place, class) in CLASSES.iter().enumerate() {
        let total = sum(&|stats| stats.statuses.0[place].get());
        let _ = writeln!(text, "proxy_requests_total{{status=\"{class}\"}} {total}");
    }
    let mut failures = BTreeMap::<&str, u64>::new();
    for stats in workers {
        for (class, count) in &*lock(&stats.failures) {
            *failures.entry(class).or_default() += count;
        }
    }
    head(&mut text, "proxy_failures_total", "counter", "Requests that went wrong, by class.");
    for (class, count) in failures {
        let _ = writeln!(text, "proxy_failures_total{{class=\"{class}\"}} {count}");
    }
    type Pick = fn(&Stats) -> &Counter;
    let simple: [(&str, &str, &str, Pick); 15] = [
        ("proxy_connections", "gauge", "Open client connections.", |stats| &stats.connections),
        (
            "proxy_connections_parked",
            "gauge",
            "Those that have been idle for a quarter of a second, and wait without a task.",
            |stats| &stats.parked,
        ),
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
        (
            "proxy_connections_late_total",
            "counter",
            "Client connections closed because a head or a handshake took too long.",
            |stats| &stats.late,
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
        ("proxy_spans_exported_total", "counter", "Spans that the collector took.", |stats| {
            &stats.spans.exported
        }),
        ("proxy_spans_dropped_total", "counter", "Spans for which there was no room.", |stats| {
            &stats.spans.lost
        }),
        (
            "proxy_spans_refused_total",
            "counter",
            "Spans that the collector did not take.",
            |stats| &stats.spans.refused,
        ),
        ("proxy_workers", "gauge", "Worker threads.", |_| &ONE),
    ];
    for (name, kind, help, pick) in simple {
        let total = sum(&|stats| pick(stats).get());
        head(&mut text, name, kind, help);
        let _ = writeln!(text, "{name} {total}");
    }
    reloads.render(&mut text);
    per_upstream(&mut text, workers, plan);
    per_route(&mut text, workers);
    text
}

/// What is counted by upstream, and what is known of its servers.
fn per_upstream(text: &mut String, workers: &[Arc<Stats>], plan: &Plan) {
    let mut upstreams = BTreeMap::<Arc<str>, Vec<Arc<UpstreamStats>>>::new();
    for stats in workers {
        for (name, upstream) in &*lock(&stats.upstreams) {
            upstreams.entry(name.clone()).or_default().push(upstream.clone());
        }
    }
    head(
        text,
        "proxy_upstream_requests_total",
        "counter",
        "Answers of servers by class of status.",
    );
    for (name, workers) in &upstreams {
        let statuses: Vec<&Statuses> = workers.iter().map(|stats| &stats.statuses).collect();
        by_class(text, "proxy_upstream_requests_total", &format!("upstream=\"{name}\""), &statuses);
    }
    head(text, "proxy_upstream_connections", "gauge", "Connections to servers.");
    for (name, workers) in &upstreams {
        let open: u64 = workers.iter().map(|stats| stats.open.get()).sum();
        let in_use: u64 = workers.iter().map(|stats| stats.in_use.get()).sum();
        for (state, number) in [("idle", open.saturating_sub(in_use)), ("in_use", in_use)] {
            let _ = writeln!(
                text,
                "proxy_upstream_connections{{upstream=\"{name}\",state=\"{state}\"}} {number}"
            );
        }
    }
    head(text, "proxy_upstream_waiting", "gauge", "Requests that wait for a connection.");
    for (name, workers) in &upstreams {
        let waiting: u64 = workers.iter().map(|stats| stats.waiting.get()).sum();
        let _ = writeln!(text, "proxy_upstream_waiting{{upstream=\"{name}\"}} {waiting}");
    }
    head(text, "proxy_upstream_servers", "gauge", "Addresses of servers by health.");
    for tended in &plan.upstreams {
        let known = tended.directory.known();
        let now = clock();
        let (well, unhealthy): (Vec<_>, Vec<_>) =
            known.iter().partition(|known| known.is_healthy());
        let ejected = well.iter().filter(|known| known.is_ejected(now)).count();
        let name = &tended.config.name;
        for (state, number) in [
            ("healthy", well.len() - ejected),
            ("unhealthy", unhealthy.len()),
            ("ejected", ejected),
        ] {
            let _ = writeln!(
                text,
                "proxy_upstream_servers{{upstream=\"{name}\",state=\"{state}\"}} {number}"
            );
        }
    }
    head(text, "proxy_upstream_seconds", "histogram", "Time from sending to the response head.");
    for (name, workers) in &upstreams {
        let latencies: Vec<&Latency> = workers.iter().map(|stats| &stats.latency).collect();
        histogram(text, "proxy_upstream_seconds", &format!("upstream=\"{name}\""), &latencies);
    }
}

/// What is counted by route. Routes that were never asked for have no lines: there may be thousands.
fn per_route(text: &mut String, workers: &[Arc<Stats>]) {
    let mut routes = BTreeMap::<RouteName, Vec<Arc<RouteStats>>>::new();
    for stats in workers {
        for (name, route) in &*lock(&stats.routes) {
            if route.statuses.total() > 0 {
                routes.entry(name.clone()).or_default().push(route.clone());
            }
        }
    }
    let labels = |(host, path): &RouteName| format!("host=\"{host}\",route=\"{path}\"");
    head(text, "proxy_route_requests_total", "counter", "Finished requests by class of status.");
    for (name, workers) in &routes {
        let statuses: Vec<&Statuses> = workers.iter().map(|stats| &stats.statuses).collect();
        by_class(text, "proxy_route_requests_total", &labels(name), &statuses);
    }
    let help = "Time from the request head to the head of a server's answer.";
    head(text, "proxy_route_seconds", "histogram", help);
    for (name, workers) in &routes {
        let latencies: Vec<&Latency> = workers.iter().map(|stats| &stats.latency).collect();
        histogram(text, "proxy_route_seconds", &labels(name), &latencies);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// The lines of a counter by class of status, without the classes that never occurred.
fn by_class(text: &mut String, name: &str, labels: &str, workers: &[&Statuses]) {
    for (place, class) in CLASSES.iter().enumerate() {
        let total: u64 = workers.iter().map(|statuses| statuses.0[place].get()).sum();
        if total > 0 {
            let _ = writeln!(text, "{name}{{{labels},status=\"{class}\"}} {total}");
        }
    }
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

/// Counts every worker once.
static ONE: Counter = Counter(AtomicU64::new(1));
