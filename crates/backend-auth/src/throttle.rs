//! Limits on guessing that can't lock an owner out.
//!
//! - Per address: failed logins only (a class behind one address signs in as it likes), a bucket that
//!   refills. An IPv6 client owns a whole /64, so that counts as one address.
//! - Per (address or known device, account): a few free tries, then 1, 2, 4 … seconds between tries.
//! - Per account, over all addresses: a delay for unknown devices, never a refusal. A device on which
//!   the account signed in before isn't delayed, and isn't refused for its address's sake.
//! - Registrations per address: a generous bucket of their own. So have sign-ins that begin without showing anything (at a provider,
//!   by a passkey): what waits for their end is kept in bounded tables, and no address may throw out of them what others began.
//!
//! Accounts are counted under the name that was submitted, whether it exists or not: the answers tell
//! nothing. All maps are bounded.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::recent::Recent;
use crate::secret::SecretHash;

/// The numbers.
#[derive(Debug, Clone)]
pub struct ThrottleConfig {
    /// Failed logins of an address at once.
    pub login_burst: u32,
    /// Failed logins of an address that are forgiven per minute.
    pub login_per_minute: u32,
    /// Tries of an address on an account before they have to wait.
    pub free_tries: u32,
    /// The longest such wait.
    pub backoff_max: Duration,
    /// The longest delay of an account under attack.
    pub account_delay_max: Duration,
    /// Registrations of an address at once.
    pub register_burst: u32,
    /// Registrations of an address per hour.
    pub register_per_hour: u32,
    /// Entries of each map.
    pub entries: usize,
}

/// Failures of an account, over all addresses, before unknown devices are delayed.
const ACCOUNT_FREE: f64 = 10.0;
/// One failure of an account is forgotten every so many seconds.
const ACCOUNT_FORGET: f64 = 30.0;
/// Estimates of a password's strength that an address gets a second, and at once: a class shares one.
const ESTIMATES_PER_SECOND: f64 = 50.0;
const ESTIMATES_BURST: u32 = 300;
/// Sign-ins that an address may begin a second, and at once: a class shares one. In the ten minutes that one may take these are fewer than half
/// of what is remembered ([`crate::oidc::pending`], [`crate::passkeys`]), so that one address alone throws out nobody's.
const BEGINNINGS_PER_SECOND: f64 = 10.0;
const BEGINNINGS_BURST: u32 = 300;
/// A pair of address and account starts afresh after so long.
const PAIR_FORGET: Duration = Duration::from_secs(15 * 60);

/// Who tries to sign in, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// The client's address.
    pub ip: IpAddr,
    /// The mark of a device on which this very account signed in before.
    pub device: Option<SecretHash>,
    /// The submitted name, folded and hashed.
    pub account: SecretHash,
}

/// Too much: come back after so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

/// Counts tries. The lock is a std one: it is held for a few map look-ups and no await.
#[derive(Debug)]
pub struct Throttle {
    config: ThrottleConfig,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    failures: Recent<u128, Bucket>,
    pairs: Recent<(Source, SecretHash), Pair>,
    accounts: Recent<SecretHash, Bucket>,
    registrations: Recent<u128, Bucket>,
    estimates: Recent<u128, Bucket>,
    beginnings: Recent<u128, Bucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Address(u128),
    Device(SecretHash),
}

/// A level that rises by one per event and sinks with time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    fn empty(now: Instant) -> Self {
        Self { level: 0.0, at: now }
    }

    fn sink(&mut self, per_second: f64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level - passed * per_second).max(0.0);
        self.at = now;
        self.level
    }

    /// Counts one more, unless that would exceed the burst.
    fn take(&mut self, per_second: f64, burst: u32, now: Instant) -> Result<(), RetryAfter> {
        over(self.sink(per_second, now), burst, per_second)?;
        self.level += 1.0;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    tries: u32,
    until: Instant,
    last: Instant,
}

impl Throttle {
    /// Nothing counted yet.
    pub fn new(config: ThrottleConfig) -> Self {
        let entries = config.entries;
        let counts = Counts {
            failures: Recent::new(entries),
            pairs: Recent::new(entries),
            accounts: Recent::new(entries),
            registrations: Recent::new(entries),
            estimates: Recent::new(entries),
            beginnings: Recent::new(entries),
        };
        Self { config, counts: Mutex::new(counts) }
    }

    /// Whether a try may go on, and after what delay. A try that goes on is counted for its pair at
    /// once, so that many at the same time can't slip through; end it with [`Self::failed`],
    /// [`Self::succeeded`] or [`Self::undecided`].
    ///
    /// # Errors
    /// [`RetryAfter`] when there were too many.
    pub fn admit(&self, attempt: Attempt, now: Instant) -> Result<Duration, RetryAfter> {
        let mut counts = self.lock();
        if attempt.device.is_none() {
            self.within_address(&mut counts, attempt.ip, now)?;
        }
        let pair = counts.pairs.entry(attempt.pair(), || Pair { tries: 0, until: now, last: now });
        if now.saturating_duration_since(pair.last) > PAIR_FORGET {
            pair.tries = 0;
        }
        if let Some(left) = pair.until.checked_duration_since(now).filter(|left| !left.is_zero()) {
            return Err(RetryAfter(whole_seconds(left)));
        }
        pair.tries = pair.tries.saturating_add(1);
        pair.last = now;
        if let Some(exponent) = pair.tries.checked_sub(self.config.free_tries) {
            let wait = Duration::from_secs(1 << exponent.min(20)).min(self.config.backoff_max);
            pair.until = now + wait;
        }
        if attempt.device.is_some() {
            return Ok(Duration::ZERO);
        }
        let level = counts
            .accounts
            .get_mut(attempt.account)
            .map_or(0.0, |failures| failures.sink(1.0 / ACCOUNT_FORGET, now));
        Ok(self.account_delay(level))
    }

    /// The try was a wrong guess.
    pub fn failed(&self, attempt: Attempt, now: Instant) {
        let mut counts = self.lock();
        counts.failures.entry(address(attempt.ip), || Bucket::empty(now)).level += 1.0;
        let failures = counts.accounts.entry(attempt.account, || Bucket::empty(now));
        failures.sink(1.0 / ACCOUNT_FORGET, now);
        // Bounded, so that a long attack doesn't slow the account for days after its end.
        failures.level = (failures.level + 1.0).min(100.0);
    }

    /// The try was right: its pair starts afresh.
    pub fn succeeded(&self, attempt: Attempt) {
        self.lock().pairs.remove(&attempt.pair());
    }

    /// The try came to no decision (we were too busy): it doesn't count.
    pub fn undecided(&self, attempt: Attempt, now: Instant) {
        if let Some(pair) = self.lock().pairs.get_mut(attempt.pair()) {
            pair.tries = pair.tries.saturating_sub(1);
            pair.until = now;
        }
    }

    /// Whether an address may make another account; counts it.
    ///
    /// # Errors
    /// [`RetryAfter`] when there were too many.
    pub fn register(&self, ip: IpAddr, now: Instant) -> Result<(), RetryAfter> {
        let per_second = f64::from(self.config.register_per_hour) / 3600.0;
        let mut counts = self.lock();
        let bucket = counts.registrations.entry(address(ip), || Bucket::empty(now));
        bucket.take(per_second, self.config.register_burst, now)
    }

    /// Whether an address may have another password estimated; counts it. A page asks while someone types.
    ///
    /// # Errors
    /// [`RetryAfter`] when there were too many.
    pub fn estimate(&self, ip: IpAddr, now: Instant) -> Result<(), RetryAfter> {
        let mut counts = self.lock();
        let bucket = counts.estimates.entry(address(ip), || Bucket::empty(now));
        bucket.take(ESTIMATES_PER_SECOND, ESTIMATES_BURST, now)
    }

    /// Whether an address may begin another sign-in before it shows anything; counts it.
    ///
    /// # Errors
    /// [`RetryAfter`] when there were too many.
    pub fn begin(&self, ip: IpAddr, now: Instant) -> Result<(), RetryAfter> {
        let mut counts = self.lock();
        let bucket = counts.beginnings.entry(address(ip), || Bucket::empty(now));
        bucket.take(BEGINNINGS_PER_SECOND, BEGINNINGS_BURST, now)
    }

    fn within_address(
        &self,
        counts: &mut Counts,
        ip: IpAddr,
        now: Instant,
    ) -> Result<(), RetryAfter> {
        let per_second = f64::from(self.config.login_per_minute) / 60.0;
        match counts.failures.get_mut(address(ip)) {
            Some(bucket) => over(bucket.sink(per_second, now), self.config.login_burst, per_second),
            None => Ok(()),
        }
    }

    fn account_delay(&self, level: f64) -> Duration {
        if level < ACCOUNT_FREE {
            return Duration::ZERO;
        }
        let factor = ((level - ACCOUNT_FREE) / 5.0).exp2();
        Duration::from_millis(100).mul_f64(factor.min(1e6)).min(self.config.account_delay_max)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counts are valid after any panic: each is a plain number.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    fn pair(&self) -> (Source, SecretHash) {
        let source = self.device.map_or_else(|| Source::Address(address(self.ip)), Source::Device);
        (source, self.account)
    }
}

/// Refuses when one more would exceed the burst; a level sinks at `per_second`.
fn over(level: f64, burst: u32, per_second: f64) -> Result<(), RetryAfter> {
    let excess = level + 1.0 - f64::from(burst);
    // A hair of tolerance: time passes between two equal readings.
    if excess <= 0.001 {
        return Ok(());
    }
    if per_second <= 0.0 {
        return Err(RetryAfter(3600));
    }
    Err(RetryAfter(whole_seconds(Duration::from_secs_f64((excess / per_second).min(3600.0)))))
}

fn whole_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// An address as it is counted: an IPv6 client by its /64.
fn address(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => u128::from(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(ThrottleConfig {
            login_burst: 20,
            login_per_minute: 10,
            free_tries: 5,
            backoff_max: Duration::from_secs(60),
            account_delay_max: Duration::from_secs(5),
            register_burst: 100,
            register_per_hour: 60,
            entries: 1000,
        })
    }

    fn attempt(ip: &str, name: &str) -> Attempt {
        Attempt { ip: ip.parse().unwrap(), device: None, account: SecretHash::digest(name) }
    }

    fn fail(throttle: &Throttle, attempt: Attempt, now: Instant) -> Result<Duration, RetryAfter> {
        let delay = throttle.admit(attempt, now)?;
        throttle.failed(attempt, now);
        Ok(delay)
    }

    #[test]
    fn an_address_is_stopped_after_twenty_failures_and_let_in_again_later() {
        let (throttle, now) = (throttle(), Instant::now());
        for number in 0..20 {
            assert!(fail(&throttle, attempt("192.0.2.1", &format!("u{number}")), now).is_ok());
        }
        assert_eq!(fail(&throttle, attempt("192.0.2.1", "x"), now), Err(RetryAfter(6)));
        assert!(fail(&throttle, attempt("192.0.2.2", "x"), now).is_ok());
        let later = now + Duration::from_secs(6);
        assert!(fail(&throttle, attempt("192.0.2.1", "x"), later).is_ok());
    }

    #[test]
    fn a_class_behind_one_address_signs_in_and_registers_freely() {
        let (throttle, now) = (throttle(), Instant::now());
        for number in 0..90 {
            let student = attempt("192.0.2.1", &format!("student{number}"));
            assert_eq!(throttle.admit(student, now), Ok(Duration::ZERO));
            throttle.succeeded(student);
            assert_eq!(throttle.register(student.ip, now), Ok(()));
        }
    }

    #[test]
    fn tries_on_one_account_wait_longer_and_longer() {
        let (throttle, mut now) = (throttle(), Instant::now());
        let guess = attempt("192.0.2.1", "alice");
        for _ in 0..5 {
            assert!(throttle.admit(guess, now).is_ok());
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(throttle.admit(guess, now), Err(RetryAfter(wait)));
            now += Duration::from_secs(wait);
            assert!(throttle.admit(guess, now).is_ok());
        }
    }

    #[test]
    fn success_starts_the_pair_afresh_and_a_busy_server_counts_nothing() {
        let (throttle, now) = (throttle(), Instant::now());
        let owner = attempt("192.0.2.1", "alice");
        for _ in 0..50 {
            assert!(throttle.admit(owner, now).is_ok());
            throttle.undecided(owner, now);
        }
        for _ in 0..4 {
            assert!(throttle.admit(owner, now).is_ok());
        }
        throttle.succeeded(owner);
        for _ in 0..5 {
            assert!(throttle.admit(owner, now).is_ok());
        }
    }

    #[test]
    fn an_attack_from_everywhere_delays_strangers_but_neither_the_owner_nor_anyone_for_ever() {
        let (throttle, now) = (throttle(), Instant::now());
        for number in 0..1000_u32 {
            let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
            assert!(fail(&throttle, attempt(&ip, "alice"), now).is_ok(), "a delay, not a refusal");
        }
        let stranger = throttle.admit(attempt("198.51.100.1", "alice"), now);
        assert_eq!(stranger, Ok(Duration::from_secs(5)));
        let owner = Attempt {
            device: Some(SecretHash::digest("laptop")),
            ..attempt("198.51.100.2", "alice")
        };
        assert_eq!(throttle.admit(owner, now), Ok(Duration::ZERO));
        let hour = now + Duration::from_secs(3600);
        assert_eq!(throttle.admit(attempt("198.51.100.3", "alice"), hour), Ok(Duration::ZERO));
    }

    #[test]
    fn a_known_device_is_not_refused_for_its_address() {
        let (throttle, now) = (throttle(), Instant::now());
        for number in 0..20 {
            let _ = fail(&throttle, attempt("192.0.2.1", &format!("u{number}")), now);
        }
        let owner =
            Attempt { device: Some(SecretHash::digest("laptop")), ..attempt("192.0.2.1", "alice") };
        assert!(throttle.admit(owner, now).is_ok());
    }

    #[test]
    fn an_address_begins_fewer_sign_ins_in_ten_minutes_than_half_of_what_is_remembered() {
        let (throttle, begun) = (throttle(), Instant::now());
        let ip = "192.0.2.1".parse().unwrap();
        let tries = (0..600_000).map(|millis| begun + Duration::from_millis(millis));
        let made = tries.filter(|now| throttle.begin(ip, *now).is_ok()).count();
        assert!((6_000..10_000).contains(&made), "{made}");
        let last = begun + Duration::from_secs(600);
        assert_eq!(throttle.begin("192.0.2.2".parse().unwrap(), last), Ok(()));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        assert_eq!(
            address("2001:db8::1".parse().unwrap()),
            address("2001:db8::2".parse().unwrap())
        );
        assert_ne!(
            address("2001:db8::1".parse().unwrap()),
            address("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(
            address("::ffff:192.0.2.1".parse().unwrap()),
            address("192.0.2.1".parse().unwrap())
        );
        assert_ne!(address("192.0.2.1".parse().unwrap()), address("192.0.2.2".parse().unwrap()));
    }
}
