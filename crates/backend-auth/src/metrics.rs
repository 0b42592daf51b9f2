//! What the admin address shows.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Counters; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Logins by result.
    pub logins: IntCounterVec,
    /// Registrations by result.
    pub registrations: IntCounterVec,
    /// Answers of the provider (OpenID Connect) by what came of them.
    pub oidc: IntCounterVec,
    /// Requests that found the hash queue full.
    pub hash_busy: IntCounter,
    /// `/auth/verify` calls.
    pub verified: IntCounter,
    /// Identities signed.
    pub minted: IntCounter,
    /// Requests refused as another site's.
    pub cross_site: IntCounter,
    /// Audit entries that are in the log only, because too many waited for the database.
    pub audit_dropped: IntCounter,
    sessions: IntGauge,
    hash_waiting: IntGauge,
}

impl Metrics {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// When a metric's name is wrong or taken.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let by_result = |name: &str, help: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &["result"])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            logins: by_result("auth_logins_total", "Logins by result")?,
            registrations: by_result("auth_registrations_total", "Registrations by result")?,
            oidc: by_result(
                "auth_oidc_answers_total",
                "Answers of the OpenID Connect provider by result",
            )?,
            hash_busy: counter("auth_hash_busy_total", "Requests that found the hash queue full")?,
            verified: counter("auth_verify_total", "Requests to /auth/verify")?,
            minted: counter("auth_identities_total", "Identities signed")?,
            cross_site: counter("auth_cross_site_total", "Requests refused as another site's")?,
            audit_dropped: counter(
                "auth_audit_dropped_total",
                "Audit entries that were logged but not stored",
            )?,
            sessions: gauge("auth_sessions", "Sessions that are not over")?,
            hash_waiting: gauge("auth_hash_waiting", "Passwords that wait to be hashed")?,
            registry,
        })
    }

    /// The text format, with the gauges as they are now.
    pub fn render(&self, sessions: usize, hash_waiting: usize) -> String {
        self.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        self.hash_waiting.set(i64::try_from(hash_waiting).unwrap_or(i64::MAX));
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics could not be written");
            String::new()
        })
    }
}
