//! The tracker's numbers, in the Prometheus text format.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// Commit times in seconds: from a disk that lies to one that is overloaded.
const COMMIT_SECONDS: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];
/// Commands in one commit.
const COMMIT_COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counters and gauges. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    commit_seconds: Histogram,
    commit_commands: Histogram,
    commit_failures: IntCounter,
    messages: IntCounterVec,
    content_bytes: IntCounterVec,
    signals: IntCounterVec,
    stun_requests: IntCounter,
    stun_refused: IntCounterVec,
    expired: IntCounter,
    streams: IntGauge,
    peers: IntGauge,
    active_peers: IntGauge,
    channels: IntGauge,
    devices: IntGauge,
    live_devices: IntGauge,
    store_waiting: IntGauge,
    events: IntGauge,
    deliveries: IntGauge,
    slow_readers: IntGauge,
    log_bytes: IntGauge,
}

/// What is read off when the metrics are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Levels {
    /// Known peers.
    pub peers: usize,
    /// Peers that were heard from lately.
    pub active_peers: usize,
    /// Channels.
    pub channels: usize,
    /// Registered devices.
    pub devices: usize,
    /// Devices with a live stream.
    pub live_devices: usize,
    /// Commands that wait for the writer.
    pub store_waiting: usize,
    /// The hub's own numbers.
    pub hub: crate::hub::Counts,
}

impl Metrics {
    /// All zero.
    ///
    /// # Errors
    /// When a metric's name is wrong, which a test rules out.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let numbers = Numbers {
            commit_seconds: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("tracker_commit_seconds", "Time of a durable commit")
                        .buckets(COMMIT_SECONDS.to_vec()),
                )?,
            )?,
            commit_commands: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("tracker_commit_commands", "Commands in one commit")
                        .buckets(COMMIT_COMMANDS.to_vec()),
                )?,
            )?,
            commit_failures: register(
                &registry,
                IntCounter::new("tracker_commit_failures_total", "Commits that failed")?,
            )?,
            messages: counters(
                &registry,
                "tracker_messages_total",
                "Messages stored, by kind",
                "kind",
                &["channel", "direct"],
            )?,
            content_bytes: counters(
                &registry,
                "tracker_content_bytes_total",
                "Bytes of message text that were handed to the tracker, by kind",
                "kind",
                &["channel", "direct"],
            )?,
            signals: counters(
                &registry,
                "tracker_signals_total",
                "Signals between devices, by whether the other device was live",
                "delivered",
                &["yes", "no"],
            )?,
            stun_requests: register(
                &registry,
                IntCounter::new("tracker_stun_requests_total", "STUN requests, well-formed ones")?,
            )?,
            stun_refused: counters(
                &registry,
                "tracker_stun_refused_total",
                "Datagrams to the STUN server without a good answer, by reason",
                "reason",
                &["malformed", "unknown_attribute", "rate"],
            )?,
            expired: register(
                &registry,
                IntCounter::new("tracker_mailbox_expired_total", "Mailbox entries removed by age")?,
            )?,
            streams: gauge(&registry, "tracker_streams", "Live streams now")?,
            peers: gauge(&registry, "tracker_peers", "Known peers")?,
            active_peers: gauge(&registry, "tracker_active_peers", "Peers heard from lately")?,
            channels: gauge(&registry, "tracker_channels", "Channels")?,
            devices: gauge(&registry, "tracker_devices", "Registered devices")?,
            live_devices: gauge(&registry, "tracker_live_devices", "Devices with a live stream")?,
            store_waiting: gauge(
                &registry,
                "tracker_store_waiting",
                "Commands that wait for the writer",
            )?,
            events: gauge(&registry, "tracker_events", "Events published since the start")?,
            deliveries: gauge(
                &registry,
                "tracker_deliveries",
                "Events handed to live streams since the start",
            )?,
            slow_readers: gauge(
                &registry,
                "tracker_slow_readers",
                "Streams cut off as too slow since the start",
            )?,
            log_bytes: gauge(
                &registry,
                "tracker_event_log_bytes",
                "Bytes kept for streams that resume",
            )?,
            registry,
        };
        Ok(Self(Arc::new(numbers)))
    }

    pub(crate) fn commit(&self, commands: usize, took: Duration) {
        self.0.commit_seconds.observe(took.as_secs_f64());
        self.0.commit_commands.observe(commands as f64);
    }

    pub(crate) fn commit_failed(&self) {
        self.0.commit_failures.inc();
    }

    pub(crate) fn channel_message(&self) {
        self.0.messages.with_label_values(&["channel"]).inc();
    }

    pub(crate) fn direct_message(&self) {
        self.0.messages.with_label_values(&["direct"]).inc();
    }

    /// Text of a message to a channel came in.
    pub(crate) fn channel_content(&self, bytes: usize) {
        self.0.content_bytes.with_label_values(&["channel"]).inc_by(bytes as u64);
    }

    /// Text of a direct message came in.
    pub(crate) fn direct_content(&self, bytes: usize) {
        self.0.content_bytes.with_label_values(&["direct"]).inc_by(bytes as u64);
    }

    pub(crate) fn signal(&self, delivered: bool) {
        self.0.signals.with_label_values(&[if delivered { "yes" } else { "no" }]).inc();
    }

    pub(crate) fn stun_request(&self) {
        self.0.stun_requests.inc();
    }

    pub(crate) fn stun_refused(&self, reason: &str) {
        self.0.stun_refused.with_label_values(&[reason]).inc();
    }

    pub(crate) fn expired(&self, count: usize) {
        self.0.expired.inc_by(count as u64);
    }

    /// The text format 0.0.4.
    pub fn render(&self, levels: Levels) -> String {
        let numbers = &*self.0;
        set(&numbers.peers, levels.peers);
        set(&numbers.active_peers, levels.active_peers);
        set(&numbers.channels, levels.channels);
        set(&numbers.devices, levels.devices);
        set(&numbers.live_devices, levels.live_devices);
        set(&numbers.store_waiting, levels.store_waiting);
        set(&numbers.streams, levels.hub.streams);
        set(&numbers.log_bytes, levels.hub.log_bytes);
        set(&numbers.events, levels.hub.published);
        set(&numbers.deliveries, levels.hub.delivered);
        set(&numbers.slow_readers, levels.hub.slow_readers);
        TextEncoder::new().encode_to_string(&numbers.registry.gather()).unwrap_or_default()
    }
}

fn set<N: TryInto<i64>>(gauge: &IntGauge, value: N) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    register(registry, IntGauge::new(name, help)?)
}

/// A counter for each value of a label, so that all of them show from the start.
fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
    values: &[&str],
) -> prometheus::Result<IntCounterVec> {
    let counters = register(registry, IntCounterVec::new(Opts::new(name, help), &[label])?)?;
    for value in values {
        counters.with_label_values(&[*value]).reset();
    }
    Ok(counters)
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_right_and_a_commit_shows() {
        let metrics = Metrics::new().unwrap();
        metrics.commit(3, Duration::from_millis(2));
        let text = metrics.render(Levels { peers: 7, ..Levels::default() });
        assert!(text.contains("tracker_commit_commands_sum 3"), "{text}");
        assert!(text.contains("tracker_peers 7"), "{text}");
        assert!(text.contains("tracker_content_bytes_total{kind=\"direct\"} 0"), "{text}");
    }
}
