//! What the program does on the host, next to its running server: whoever may write the data folder may do all this anyway,
//! so nobody is asked for a password.

use std::path::Path;

use rusqlite::TransactionBehavior;
use wire::PeerId;

use crate::audit::Entry;
use crate::clock;
use crate::config::Flags;
use crate::data_dir::{self, DataDirError};
use crate::handlers::admin::resets as links;
use crate::keys::{KeyError, KeyFile};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::store::accounts::{self, Role};
use crate::store::{self, OpenError, audit, endings, factors, linked, resets};

/// Why a command wasn't done. One line, with what to try next.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is no database.
    #[error("--data-dir {path}: there is no database in it; name the folder of the server")]
    NoDatabase {
        /// The folder.
        path: String,
    },
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The folder is in use.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {reason}")]
    Unfit {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It can't be read or written.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Nobody has that name.
    #[error("{name}: there is no account of this name that has a password")]
    UnknownUser {
        /// The name.
        name: String,
    },
    /// A flag is wrong.
    #[error("{0}")]
    Flag(String),
    /// The system has no randomness.
    #[error("{0}")]
    Random(#[from] getrandom::Error),
}

/// Makes a link by which someone chooses a new password.
///
/// # Errors
/// [`HostError`].
pub fn reset_link(flags: &Flags, name: &str) -> Result<String, HostError> {
    let origin = flags.public_origin.as_deref().filter(|text| !text.is_empty()).map(Origin::parse);
    let origin = origin
        .transpose()
        .map_err(|reason| HostError::Flag(format!("--public-origin {reason}")))?;
    let unknown = || HostError::UnknownUser { name: name.to_owned() };
    let peer = PeerId::parse(name).map_err(|_| unknown())?;
    let code = Secret::code()?;
    let mut db = open(&flags.data_dir)?;
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = accounts::find(&change, &peer)?;
    let (account, _) =
        found.filter(|(account, _)| account.role != Role::Bot).ok_or_else(unknown)?;
    resets::create(&change, code.hash, &account.id, clock::now())?;
    audit::insert(&change, &Entry::on_host("reset_link").about(&account))?;
    change.commit()?;
    let path = links::path(&code.text);
    Ok(origin.map_or_else(|| path.clone(), |origin| format!("{origin}{path}")))
}

/// Takes someone's second factors away; asks the server to end the account's sessions. Also where nothing is left to sign in with, even
/// to the only administrator: whoever is on the host makes a reset link next, and hears so.
///
/// # Errors
/// [`HostError`].
pub fn remove_factors(flags: &Flags, name: &str) -> Result<String, HostError> {
    let unknown = || HostError::UnknownUser { name: name.to_owned() };
    let peer = PeerId::parse(name).map_err(|_| unknown())?;
    let mut db = open(&flags.data_dir)?;
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = accounts::find(&change, &peer)?;
    let (account, password) =
        found.filter(|(account, _)| account.role != Role::Bot).ok_or_else(unknown)?;
    factors::remove_all(&change, &account.id)?;
    let linked = !linked::of_account(&change, &account.id)?.is_empty();
    endings::ask(&change, &account.id)?;
    audit::insert(&change, &Entry::on_host("remove_factors").about(&account))?;
    change.commit()?;
    let name = account.name;
    let then = match (password, linked) {
        (Some(_), _) => format!("{name} signs in with the password alone"),
        (None, true) => format!(
            "{name} has no password and signs in by OpenID Connect alone; `backend-auth reset-link {name}` makes a link for a password"
        ),
        (None, false) => format!(
            "{name} has nothing left to sign in with: `backend-auth reset-link {name}` makes a link for a password"
        ),
    };
    Ok(format!("{then}; all sessions of the account end"))
}

/// Makes a new key for identities.
///
/// # Errors
/// [`HostError`].
pub fn rotate_key(flags: &Flags, emergency: bool) -> Result<String, HostError> {
    let rotation = flags.rotation().map_err(|error| HostError::Flag(error.0))?;
    let db = open(&flags.data_dir)?;
    let file = KeyFile::new(data_dir::identity_keys(&flags.data_dir), rotation);
    let (kid, from) = file.rotate(emergency, clock::now())?;
    let how = if emergency { "in an emergency" } else { "by hand" };
    audit::insert(&db, &Entry::on_host("rotate_key").detail(format!("{kid}, {how}")))?;
    let from = clock::rfc3339(from);
    Ok(if emergency {
        format!("key {kid} signs from now on, and no other key counts any longer")
    } else {
        format!("key {kid} is published, and signs from {from} on")
    })
}

pub(crate) fn open(folder: &Path) -> Result<rusqlite::Connection, HostError> {
    let database = data_dir::database(folder);
    if !database.is_file() {
        return Err(HostError::NoDatabase { path: folder.display().to_string() });
    }
    Ok(store::open_beside(&database)?)
}
