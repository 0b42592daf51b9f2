//! Changes of the configuration, counted.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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

    pub(super) fn render(&self, text: &mut String) {
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
