//! Who did what, from where, with what result: one row in the database and one log line for each login, registration,
//! new password, token, invite, reset and each act of an administrator. Never a password, a token or a code. A name that no
//! account has isn't noted on a failed login: it may be a password typed into the wrong field.
//!
//! What changes something writes its row in the same transaction ([`crate::store::audit::insert`], [`crate::App::change`]).
//! What changes nothing (a refusal, mostly) goes through [`Log::note`]: a bounded queue that is written in batches, so that a
//! flood of refusals costs a commit now and then. Refusals because of too many tries become one row a minute and address; what anyone can
//! repeat for nothing ([`Log::note_now_and_then`]) becomes one row a minute, address, account, event and result.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounter;
use service::{Problem, Shutdown};
use tokio::sync::mpsc;

use crate::client::Client;
use crate::clock;
use crate::recent::Recent;
use crate::store::accounts::Account;
use crate::store::{self, Store};

/// Entries that wait to be written, at most; further ones are only logged, and counted.
const QUEUE: usize = 4096;
/// Entries in one commit.
const BATCH: usize = 256;
/// Seconds between two rows that say the same of one address.
const THROTTLED_EVERY: i64 = 60;
/// What is remembered for that, at most.
const SAID_ENTRIES: usize = 10_000;

/// As wanted.
pub const SUCCESS: &str = "success";
/// A wrong password, or one of a name that is nobody's.
pub const REFUSED: &str = "refused";
/// Too many tries.
pub const THROTTLED: &str = "throttled";
/// Our fault.
pub const ERROR: &str = "error";
/// The address of what is done on the host itself.
pub const HOST: &str = "host";

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Seconds since 1970.
    pub at: i64,
    /// What: `login`, `role`, …
    pub event: &'static str,
    /// `success`, `refused`, `throttled`, `error`, or the code of the problem that its caller was told.
    pub result: &'static str,
    /// Who did it: an account's id.
    pub actor: Option<String>,
    /// Its name, or what stands for it.
    pub actor_name: String,
    /// To whom: an account's id.
    pub target: Option<String>,
    /// Its name.
    pub target_name: String,
    /// What else is to be known; no secret.
    pub detail: String,
    /// The client's address, or [`HOST`].
    pub ip: String,
    /// The client's User-Agent.
    pub user_agent: String,
    /// The proxy's id of the request.
    pub request_id: String,
}

impl Entry {
    /// A success of nobody in particular.
    pub fn new(event: &'static str, client: &Client) -> Self {
        Self {
            ip: client.ip.to_string(),
            user_agent: client.user_agent.clone(),
            request_id: client.request_id.clone(),
            ..Self::on_host(event)
        }
    }

    /// A success of whoever works on the host.
    pub fn on_host(event: &'static str) -> Self {
        Self {
            at: clock::now(),
            event,
            result: SUCCESS,
            actor: None,
            actor_name: String::new(),
            target: None,
            target_name: String::new(),
            detail: String::new(),
            ip: HOST.to_owned(),
            user_agent: String::new(),
            request_id: String::new(),
        }
    }

    /// Who did it.
    #[must_use]
    pub fn by(mut self, account: &Account) -> Self {
        self.actor = Some(account.id.clone());
        self.actor_name.clone_from(&account.name);
        self
    }

    /// Who did it, by name only.
    #[must_use]
    pub fn by_name(mut self, name: impl Into<String>) -> Self {
        self.actor_name = name.into();
        self
    }

    /// To whom.
    #[must_use]
    pub fn about(mut self, account: &Account) -> Self {
        self.target = Some(account.id.clone());
        self.target_name.clone_from(&account.name);
        self
    }

    /// What else is to be known.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// How it ended.
    #[must_use]
    pub fn result(mut self, result: &'static str) -> Self {
        self.result = result;
        self
    }

    /// How it ended, by what its caller is told.
    #[must_use]
    pub fn outcome<T>(self, outcome: &Result<T, Problem>) -> Self {
        let result = outcome.as_ref().map_or_else(Problem::code, |_| SUCCESS);
        self.result(result)
    }

    /// The log line.
    pub fn line(&self) {
        let Self { event, result, .. } = self;
        let username = match (&self.actor, self.actor_name.as_str()) {
            (None, "") => "(nobody)",
            (_, name) => name,
        };
        tracing::info!(
            target: "audit",
            event,
            result,
            username,
            about = self.target_name,
            detail = self.detail,
            ip = self.ip,
            user_agent = self.user_agent,
            request_id = self.request_id,
            "{event} {result}"
        );
    }
}

/// Takes what is not written with a change; see the module.
pub struct Log {
    queue: mpsc::Sender<Entry>,
    said: Mutex<Recent<String, i64>>,
    dropped: IntCounter,
}

/// The other end of a [`Log`], to be [`run`].
pub struct Pending(mpsc::Receiver<Entry>);

impl Log {
    /// A log, and what writes it down.
    pub fn new(dropped: IntCounter) -> (Self, Pending) {
        let (queue, pending) = mpsc::channel(QUEUE);
        let said = Mutex::new(Recent::new(SAID_ENTRIES));
        (Self { queue, said, dropped }, Pending(pending))
    }

    /// Notes something.
    pub fn note(&self, entry: Entry) {
        if entry.result == THROTTLED {
            return self.note_now_and_then(entry);
        }
        entry.line();
        self.put(entry);
    }

    /// Notes a refusal that costs its caller nothing: a line each time, and a row once a minute.
    pub fn note_now_and_then(&self, entry: Entry) {
        entry.line();
        if self.is_due(&entry) {
            self.put(entry);
        }
    }

    /// Notes why something isn't done, and gives the reason back.
    #[must_use]
    pub fn refuse(&self, entry: Entry, problem: Problem) -> Problem {
        self.note_now_and_then(entry.result(problem.code()));
        problem
    }

    fn put(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.dropped.inc();
        }
    }

    fn is_due(&self, entry: &Entry) -> bool {
        // An IPv6 client owns its whole network: /64, as throttling counts it.
        let source = match entry.ip.parse() {
            Ok(IpAddr::V6(ip)) => format!("{:x}", u128::from(ip) >> 64),
            _ => entry.ip.clone(),
        };
        // Tries of many names are one thing, whoever they are about.
        let what = match entry.result {
            THROTTLED => source,
            result => {
                let actor = entry.actor.as_deref().unwrap_or_default();
                format!("{source} {} {result} {actor}", entry.event)
            }
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let last = said.entry(what, || i64::MIN);
        let due = last.saturating_add(THROTTLED_EVERY) <= entry.at;
        if due {
            *last = entry.at;
        }
        due
    }
}

/// Writes entries down until `shutdown`, and then what still waits.
pub async fn run(Pending(mut pending): Pending, store: Store, shutdown: Shutdown) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            count = pending.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = shutdown.cancelled(), if !pending.is_closed() => {
                pending.close();
                continue;
            }
        }
        let entries = std::mem::take(&mut batch);
        let written = store
            .write(
                move |db| entries.iter().try_for_each(|entry| store::audit::insert(db, entry)),
                |()| (),
            )
            .await;
        if let Err(error) = written {
            // The log has their lines.
            tracing::error!(%error, "audit entries could not be written to the database");
        }
    }
}
