//! Accounts, cookie sessions, identity tokens, and the web client's files.
//!
//! # A login, step by step
//! 1. [`router`] finds the handler; [`csrf`] has refused other sites, [`body`] bounds and parses the body.
//! 2. `handlers::login` looks the name up in the [`store`], asks [`throttle`], has the password compared by
//!    [`hasher`] on threads of its own, and stores a new session.
//! 3. [`cookies`] carry its token; [`sessions`] holds it in memory, where `GET /auth/verify` finds it.
//! 4. The proxy asks that for each protected request and passes on the identity that [`identity`] signs.
//!
//! # Layout
//! - [`config`]: flags, and what they become once checked; [`origin`]: the public address among them.
//! - [`server`]: [`AuthServer`]: opens everything, binds, ends in order; [`data_dir`]: the folder it keeps.
//! - [`router`]: the table of calls; [`handlers`]: one file per group of calls.
//! - [`pages`], [`doors`], [`markup`], [`files`], [`headers`]: the web client and what browsers may do with it.
//! - [`store`]: accounts, sessions, invites, known devices, the audit log in SQLite; [`sessions`]: the same in memory.
//! - [`step_up`]: what asks for the password again.
//! - [`password`], [`hasher`]: which passwords do, and hashing them without drowning.
//! - [`throttle`], [`recent`]: limits on guessing that can't lock an owner out, in bounded memory.
//! - [`identity`]: the JWT, the key set; [`keys`]: what signs, and how it changes; [`secret`]: tokens and what is kept of them.
//! - [`half`]: sign-ins that wait for a second factor; [`totp`], [`recovery`]: codes that show one; [`passkeys`]; [`seal`]: seeds at rest.
//! - [`oidc`]: sign-in by OpenID Connect: the provider, what it says, and who is there just now.
//! - [`user_agent`]: a name for a device.
//! - [`client`], [`cookies`], [`csrf`], [`next`], [`body`]: reading a request without believing it.
//! - [`host`], [`backup`]: what the program does on the host, next to its running server.
//! - [`addresses`], [`qr`]: how others get in.
//! - [`audit`], [`metrics`], [`openapi`], [`clock`]: who did what, numbers, the API's description, the time.

pub mod addresses;
pub mod audit;
pub mod backup;
pub mod body;
pub mod client;
pub mod clock;
pub mod config;
pub mod cookies;
pub mod csrf;
pub mod data_dir;
pub mod doors;
pub mod files;
pub mod half;
pub mod handlers;
pub mod hasher;
pub mod headers;
pub mod host;
pub mod identity;
pub mod keys;
pub mod markup;
pub mod metrics;
pub mod next;
pub mod oidc;
pub mod openapi;
pub mod origin;
pub mod pages;
pub mod passkeys;
pub mod password;
pub mod qr;
pub mod recent;
pub mod recovery;
pub mod router;
pub mod seal;
pub mod secret;
pub mod server;
pub mod sessions;
pub mod step_up;
pub mod store;
pub mod throttle;
pub mod totp;
pub mod user_agent;

pub use config::{Config, Flags};
pub use server::{AuthServer, StartError};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::Transaction;
use service::Problem;

use audit::Entry;

/// What handlers share: each field is a service of its own.
pub struct App {
    /// The configuration; never changes.
    pub config: Config,
    /// The database.
    pub store: store::Store,
    /// Sessions, in memory.
    pub sessions: sessions::Sessions,
    /// Password hashes.
    pub hasher: hasher::Hasher,
    /// Those whose password was right and who owe a second factor.
    pub halves: half::Halves,
    /// Passkeys of this host.
    pub passkeys: passkeys::Passkeys,
    /// The provider by which people may sign in, if there is one.
    pub oidc: Option<oidc::Provider>,
    /// Seals what must be read again.
    pub seal: seal::Seal,
    /// Limits on guessing.
    pub throttle: throttle::Throttle,
    /// Identities.
    pub mint: identity::Mint,
    /// Names and attributes of the cookies.
    pub cookies: cookies::Cookies,
    /// Which passwords do.
    pub policy: password::Policy,
    /// The web client's files.
    pub files: Arc<files::Files>,
    /// Who did what.
    pub audit: audit::Log,
    /// Numbers for the admin address.
    pub metrics: metrics::Metrics,
    /// No account exists yet.
    pub first_run: AtomicBool,
    /// The database answered when it was last looked at.
    pub ready: AtomicBool,
}

impl App {
    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        self.store.read(|db| db.query_row("SELECT 1", [], |_| Ok(()))).await.is_ok()
    }

    /// Makes a change and the audit log's row about it in one transaction; `applied` brings memory in line. What
    /// `work` refuses changes nothing, and is noted with the refusal's code.
    ///
    /// # Errors
    /// What `work` refuses, or 503 when the database can't do it.
    pub async fn change<T: Send + 'static>(
        &self,
        mut entry: Entry,
        work: impl FnOnce(&Transaction<'_>, &mut Entry) -> rusqlite::Result<Result<T, Problem>>
        + Send
        + 'static,
        applied: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, Problem> {
        let unmade = entry.clone();
        let made = self
            .store
            .write(
                move |db| {
                    let made = work(db, &mut entry)?;
                    if made.is_ok() {
                        store::audit::insert(db, &entry)?;
                    }
                    Ok((made, entry))
                },
                move |(made, _)| {
                    if let Ok(made) = made {
                        applied(made);
                    }
                },
            )
            .await;
        match made {
            Ok((Ok(made), entry)) => {
                entry.line();
                Ok(made)
            }
            Ok((Err(problem), entry)) => {
                self.audit.note(entry.result(problem.code()));
                Err(problem)
            }
            Err(error) => {
                self.audit.note(unmade.result(audit::ERROR));
                Err(error.into())
            }
        }
    }
}
