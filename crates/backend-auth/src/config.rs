//! Flags as they are written, and the configuration that the program uses once they are checked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use service::args::{AdminArgs, LogArgs, duration, socket_addr};
use service::http::HttpLimits;
use wire::auth::Registration;

use crate::half::HalfConfig;
use crate::hasher::{HashCost, HasherConfig};
use crate::keys::Rotation;
use crate::oidc::{OidcArgs, Settings};
use crate::origin::Origin;
use crate::throttle::ThrottleConfig;

/// Accounts, cookie sessions and the web client of hybrid chat.
#[derive(Debug, Clone, Parser)]
#[command(name = "backend-auth", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags.
    #[command(flatten)]
    pub flags: Flags,
    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
}

const EXAMPLES: &str = "Examples:
  backend-auth                                          on 127.0.0.1:9000, data in ./data, pages from ./www
  backend-auth --public-origin https://chat.example.org secure cookies, http is redirected
  backend-auth --public-origin https://chat.example.org --oidc-issuer https://login.example.org --oidc-client-id chat
                                                        people sign in by OpenID Connect, too
  backend-auth --registration invite                    the first account, then holders of an invite
  backend-auth reset-link carol                         a link for someone who forgot the password
  backend-auth rotate-key                               a new key for identities, before it is time
  backend-auth backup accounts-monday.db                a copy of the running server's database
  backend-auth health                                   asks the running program; for containers";

/// Subcommands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Ask the program that runs at --server-ip and --server-port whether it is alive.
    Health,
    /// Take the second factors of USER away, for someone who lost them. The sessions of the account end; a running server does that
    /// within 5 seconds.
    RemoveFactors {
        /// The account's name.
        user: String,
    },
    /// Make a link by which USER chooses a new password: good once, for 15 minutes. The server may be running.
    ResetLink {
        /// The account's name.
        user: String,
    },
    /// Make a new key that signs identities: it is published at once and signs after --key-overlap. The server may be
    /// running.
    RotateKey {
        /// Someone else has the key: sign with the new one at once, and let no token of an old one in.
        #[arg(long)]
        emergency: bool,
    },
    /// Write a copy of the database to FILE while the server runs. The keys that sign identities are not in it.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Put a copy of the database in place while the server is stopped; the present one is kept beside it. All sessions end.
    Restore {
        /// The copy.
        file: PathBuf,
    },
}

/// Nobody may ask for shorter passwords than that (OWASP ASVS 6.2.1).
const SHORTEST_PASSWORD: usize = 8;

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RegistrationFlag {
    /// Anyone who reaches the page.
    Open,
    /// Holders of an invite (and the very first account).
    Invite,
    /// Nobody (but the very first account).
    Closed,
}

impl From<RegistrationFlag> for Registration {
    fn from(flag: RegistrationFlag) -> Self {
        match flag {
            RegistrationFlag::Open => Self::Open,
            RegistrationFlag::Invite => Self::Invite,
            RegistrationFlag::Closed => Self::Closed,
        }
    }
}

/// All flags but the log's.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Address to listen on.
    #[arg(long, env = "SERVER_IP", default_value = "127.0.0.1", global = true)]
    pub server_ip: IpAddr,
    /// Port to listen on.
    #[arg(long, env = "SERVER_PORT", default_value_t = 9000, global = true)]
    pub server_port: u16,
    /// Folder of the database and of the key that signs identities; made if missing.
    #[arg(long, env = "DATA_DIR", default_value = "data", value_name = "DIR", global = true)]
    pub data_dir: PathBuf,
    /// Folder of the web client.
    #[arg(long, env = "WWW_DIR", default_value = "www", value_name = "DIR")]
    pub www: PathBuf,
    /// Where browsers find the chat, e.g. `https://chat.example.org`. With https, cookies are Secure and
    /// plain http is redirected; without, any host name works over plain http.
    #[arg(long, env = "PUBLIC_ORIGIN", value_name = "URL", global = true)]
    pub public_origin: Option<String>,
    /// Who may make an account. The very first account always may, and administers.
    #[arg(long, env = "REGISTRATION", value_enum, default_value = "open")]
    pub registration: RegistrationFlag,
    /// Neighbours whose X-Forwarded-For and -Proto are believed: addresses or networks, by comma.
    #[arg(
        long,
        env = "TRUSTED_PROXIES",
        default_value = "127.0.0.0/8,::1/128",
        value_name = "CIDR"
    )]
    pub trusted_proxies: String,

    /// A session ends when it wasn't used for so long (90s, 15m, 24h, 7d).
    #[arg(long, env = "SESSION_IDLE", default_value = "24h", value_parser = duration)]
    pub session_idle: Duration,
    /// A session ends so long after signing in, used or not.
    #[arg(long, env = "SESSION_ABSOLUTE", default_value = "7d", value_parser = duration)]
    pub session_absolute: Duration,
    /// --session-idle for those who asked to stay signed in.
    #[arg(long, env = "REMEMBER_IDLE", default_value = "30d", value_parser = duration)]
    pub remember_idle: Duration,
    /// --session-absolute for those who asked to stay signed in.
    #[arg(long, env = "REMEMBER_ABSOLUTE", default_value = "90d", value_parser = duration)]
    pub remember_absolute: Duration,
    /// Who signed in longer ago than this shows the password again before what matters: ending other sessions, tokens,
    /// and whatever an administrator changes.
    #[arg(long, env = "STEP_UP_AFTER", default_value = "5m", value_parser = duration)]
    pub step_up_after: Duration,
    /// Sessions of one account at most; a further one ends the one unused for longest.
    #[arg(long, env = "SESSIONS_PER_ACCOUNT", default_value_t = 50)]
    pub sessions_per_account: usize,

    /// How long someone whose password was right may take to show the second factor.
    #[arg(long, env = "SECOND_FACTOR_WITHIN", default_value = "5m", value_parser = duration)]
    pub second_factor_within: Duration,
    /// Codes that may be tried in that time before the password is asked for again.
    #[arg(long, env = "SECOND_FACTOR_TRIES", default_value_t = 5)]
    pub second_factor_tries: u32,
    /// How often in that time an account's password may lead to the second factor without one being shown, on devices on which
    /// it never signed in before: whoever stole a password guesses no further.
    #[arg(long, env = "SECOND_FACTOR_OPEN", default_value_t = 10)]
    pub second_factor_open: usize,

    /// Sign-in by OpenID Connect.
    #[command(flatten)]
    pub oidc: OidcArgs,

    /// Passkeys of one account at most.
    #[arg(long, env = "PASSKEYS_PER_ACCOUNT", default_value_t = 20)]
    pub passkeys_per_account: usize,

    /// Personal access tokens of one account at most.
    #[arg(long, env = "TOKENS_PER_ACCOUNT", default_value_t = 50)]
    pub tokens_per_account: usize,

    /// Characters of a password at least; 8 is the lowest.
    #[arg(long, env = "PASSWORD_MIN", default_value_t = 12)]
    pub password_min: usize,
    /// Bytes of a password at most.
    #[arg(long, env = "PASSWORD_MAX_BYTES", default_value_t = 1024)]
    pub password_max_bytes: usize,
    /// Memory of one password hash (argon2id), in KiB.
    #[arg(long, env = "HASH_MEMORY_KIB", default_value_t = 19_456)]
    pub hash_memory_kib: u32,
    /// Passes of one password hash.
    #[arg(long, env = "HASH_PASSES", default_value_t = 2)]
    pub hash_passes: u32,
    /// Threads that hash passwords [default: one less than there are cores, at least one].
    #[arg(long, env = "HASH_THREADS")]
    pub hash_threads: Option<usize>,
    /// Hashes that wait at most; half of the places are kept for devices that signed in before. The others
    /// hold a class that signs up at the same moment.
    #[arg(long, env = "HASH_QUEUE", default_value_t = 64)]
    pub hash_queue: usize,
    /// How long a hash waits for its turn before the caller hears 503.
    #[arg(long, env = "HASH_WAIT", default_value = "2s", value_parser = duration)]
    pub hash_wait: Duration,

    /// Failed logins that one address may make at once.
    #[arg(long, env = "LOGIN_BURST", default_value_t = 20)]
    pub login_burst: u32,
    /// Failed logins that are forgiven per address and minute.
    #[arg(long, env = "LOGIN_FAILURES_PER_MINUTE", default_value_t = 10)]
    pub login_failures_per_minute: u32,
    /// Tries of one address on one account before each further one has to wait 1, 2, 4 … seconds.
    #[arg(long, env = "LOGIN_FREE_TRIES", default_value_t = 5)]
    pub login_free_tries: u32,
    /// The longest such wait.
    #[arg(long, env = "LOGIN_BACKOFF_MAX", default_value = "60s", value_parser = duration)]
    pub login_backoff_max: Duration,
    /// An account under attack from many addresses answers unknown devices slower, by this at most.
    #[arg(long, env = "ACCOUNT_DELAY_MAX", default_value = "5s", value_parser = duration)]
    pub account_delay_max: Duration,
    /// Accounts that one address may make at once (a class shares one address).
    #[arg(long, env = "REGISTER_BURST", default_value_t = 100)]
    pub register_burst: u32,
    /// Accounts that one address may make per hour after that.
    #[arg(long, env = "REGISTER_PER_HOUR", default_value_t = 60)]
    pub register_per_hour: u32,
    /// Addresses, and accounts, that throttling remembers at most.
    #[arg(long, env = "THROTTLE_ENTRIES", default_value_t = 100_000)]
    pub throttle_entries: usize,

    /// How long entries of the audit log are kept.
    #[arg(long, env = "AUDIT_KEEP", default_value = "365d", value_parser = duration)]
    pub audit_keep: Duration,
    /// Entries about failures that are kept at most: the oldest of them go first, and no success goes for their sake.
    #[arg(long, env = "AUDIT_FAILURES", default_value_t = 200_000)]
    pub audit_failures: usize,

    /// How long a key signs identities before another takes its place.
    #[arg(long, env = "KEY_LIFETIME", default_value = "30d", value_parser = duration, global = true)]
    pub key_lifetime: Duration,
    /// How long a key is published before it signs: twice as long as key sets are cached.
    #[arg(long, env = "KEY_OVERLAP", default_value = "10m", value_parser = duration, global = true)]
    pub key_overlap: Duration,
    /// How long a key is published after it signed: longer than any token lives.
    #[arg(long, env = "KEY_KEEP", default_value = "1h", value_parser = duration, global = true)]
    pub key_keep: Duration,

    /// Bytes of a request's body at most.
    #[arg(long, env = "BODY_MAX_BYTES", default_value_t = 65_536)]
    pub body_max_bytes: usize,
    /// How long a client may take to send a request's body.
    #[arg(long, env = "BODY_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub body_timeout: Duration,
    /// Limits of the listener.
    #[command(flatten)]
    pub http: HttpLimits,
    /// The admin address.
    #[command(flatten)]
    pub admin: AdminArgs,
}

impl Flags {
    /// What no flag gives (the environment still does): for tests and programs that embed the server.
    pub fn defaults() -> Self {
        Cli::try_parse_from(["backend-auth"])
            .map(|cli| cli.flags)
            .unwrap_or_else(|error| error.exit())
    }

    /// How keys change.
    ///
    /// # Errors
    /// When a key would never come to sign.
    pub fn rotation(&self) -> Result<Rotation, ConfigError> {
        if self.key_overlap >= self.key_lifetime {
            return Err(ConfigError("--key-lifetime must be longer than --key-overlap".to_owned()));
        }
        Ok(Rotation {
            lifetime: seconds(self.key_lifetime),
            overlap: seconds(self.key_overlap),
            keep: seconds(self.key_keep),
        })
    }

    /// The address to listen on.
    pub fn addr(&self) -> SocketAddr {
        socket_addr(self.server_ip, self.server_port)
    }
}

/// How long sessions live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Seconds without use.
    pub idle: i64,
    /// Seconds in all.
    pub absolute: i64,
}

/// What the server runs with; made from [`Flags`], all of it checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub addr: SocketAddr,
    /// Where the admin listener listens.
    pub admin: Option<SocketAddr>,
    /// Folder of database and key.
    pub data_dir: PathBuf,
    /// Folder of the pages.
    pub www: PathBuf,
    /// Where browsers find us, when that is known.
    pub origin: Option<Origin>,
    /// Who may make an account.
    pub registration: Registration,
    /// Neighbours that may speak for a client.
    pub trusted_proxies: Vec<IpNet>,
    /// An ordinary session.
    pub session: Lifetimes,
    /// A session of someone who asked to stay signed in.
    pub remembered: Lifetimes,
    /// Seconds after signing in during which nobody is asked again.
    pub step_up_after: i64,
    /// Sessions of one account.
    pub sessions_per_account: usize,
    /// Sign-ins that wait for a second factor.
    pub halves: HalfConfig,
    /// The provider by which people may sign in, if there is one.
    pub oidc: Option<Settings>,
    /// Passkeys of one account.
    pub passkeys_per_account: usize,
    /// Tokens of one account.
    pub tokens_per_account: usize,
    /// Characters of a password at least.
    pub password_min: usize,
    /// Bytes of a password at most.
    pub password_max_bytes: usize,
    /// The password hash.
    pub hasher: HasherConfig,
    /// Limits on guessing.
    pub throttle: ThrottleConfig,
    /// How the keys that sign identities change.
    pub keys: Rotation,
    /// Seconds that entries of the audit log are kept.
    pub audit_keep: i64,
    /// Entries about failures at most.
    pub audit_failures: usize,
    /// Bytes of a body at most.
    pub body_max_bytes: usize,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// Limits of the listener.
    pub http: HttpLimits,
}

impl Config {
    /// Whether cookies are Secure and plain http is sent elsewhere.
    pub fn https(&self) -> bool {
        self.origin.as_ref().is_some_and(Origin::is_https)
    }

    /// `iss` of the identities.
    pub fn issuer(&self) -> String {
        self.origin.as_ref().map_or(wire::identity::DEFAULT_ISSUER, Origin::as_str).to_owned()
    }
}

/// A flag's value that can't work; the text is one line with the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl TryFrom<Flags> for Config {
    type Error = ConfigError;

    fn try_from(flags: Flags) -> Result<Self, ConfigError> {
        let origin = flags
            .public_origin
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(Origin::parse)
            .transpose()
            .map_err(|reason| ConfigError(format!("--public-origin {reason}")))?;
        if !flags.www.is_dir() {
            return Err(ConfigError(format!(
                "--www {}: no such folder; name the one with the web client (index.html, login.html)",
                flags.www.display()
            )));
        }
        let lifetimes = |name: &str, idle: Duration, absolute: Duration| {
            if idle.is_zero() || absolute < idle {
                return Err(ConfigError(format!(
                    "--{name}-absolute must be at least --{name}-idle, and that more than nothing"
                )));
            }
            Ok(Lifetimes { idle: seconds(idle), absolute: seconds(absolute) })
        };
        let session = lifetimes("session", flags.session_idle, flags.session_absolute)?;
        let remembered = lifetimes("remember", flags.remember_idle, flags.remember_absolute)?;
        if flags.password_min < SHORTEST_PASSWORD {
            return Err(ConfigError(format!(
                "--password-min {} is too low: shorter passwords than {SHORTEST_PASSWORD} characters are guessed, whatever they are",
                flags.password_min
            )));
        }
        if flags.password_min > flags.password_max_bytes {
            return Err(ConfigError(format!(
                "--password-min {} must be at most --password-max-bytes {}",
                flags.password_min, flags.password_max_bytes
            )));
        }
        let keys = flags.rotation()?;
        let cost = HashCost { memory_kib: flags.hash_memory_kib, passes: flags.hash_passes };
        cost.check().map_err(|reason| {
            ConfigError(format!("--hash-memory-kib or --hash-passes: {reason}"))
        })?;
        let oidc = Settings::of(&flags.oidc, origin.as_ref()).map_err(ConfigError)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            addr: flags.addr(),
            admin: flags.admin.admin,
            trusted_proxies: networks(&flags.trusted_proxies)?,
            data_dir: flags.data_dir,
            www: flags.www,
            origin,
            registration: flags.registration.into(),
            session,
            remembered,
            step_up_after: seconds(flags.step_up_after),
            sessions_per_account: flags.sessions_per_account.max(1),
            halves: HalfConfig {
                within: seconds(flags.second_factor_within).max(1),
                tries: flags.second_factor_tries.max(1),
                per_account: flags.second_factor_open.max(1),
            },
            oidc,
            passkeys_per_account: flags.passkeys_per_account,
            tokens_per_account: flags.tokens_per_account,
            password_min: flags.password_min,
            password_max_bytes: flags.password_max_bytes,
            hasher: HasherConfig {
                cost,
                threads: flags.hash_threads.unwrap_or(cores.saturating_sub(1)).clamp(1, 256),
                queue: flags.hash_queue.max(1),
                wait: flags.hash_wait,
            },
            throttle: ThrottleConfig {
                login_burst: flags.login_burst.max(1),
                login_per_minute: flags.login_failures_per_minute,
                free_tries: flags.login_free_tries.max(1),
                backoff_max: flags.login_backoff_max,
                account_delay_max: flags.account_delay_max,
                register_burst: flags.register_burst.max(1),
                register_per_hour: flags.register_per_hour,
                entries: flags.throttle_entries.max(2),
            },
            keys,
            audit_keep: seconds(flags.audit_keep),
            audit_failures: flags.audit_failures.max(1),
            body_max_bytes: flags.body_max_bytes,
            body_timeout: flags.body_timeout,
            http: flags.http,
        })
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4)
}

fn networks(list: &str) -> Result<Vec<IpNet>, ConfigError> {
    list.split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                ConfigError(format!(
                    "--trusted-proxies {text:?} is neither an address nor a network such as 172.16.0.0/12"
                ))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_proxies_are_addresses_or_networks() {
        assert_eq!(networks("10.0.0.0/8, 192.0.2.1").map(|list| list.len()).ok(), Some(2));
        let text = networks("everyone").unwrap_err().to_string();
        assert!(text.contains("everyone") && text.contains("172.16.0.0/12"), "{text}");
    }

    #[test]
    fn a_missing_www_folder_is_named_with_its_flag() {
        let flags = Flags { www: "/nowhere/www".into(), ..Flags::defaults() };
        let text = Config::try_from(flags).unwrap_err().to_string();
        assert!(text.contains("--www /nowhere/www") && !text.contains('\n'), "{text}");
    }
}
