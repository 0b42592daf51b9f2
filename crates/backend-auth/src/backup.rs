//! `backend-auth backup` and `restore`.
//!
//! A backup is one file: the database as it was at one moment, taken with SQLite's own backup while the server goes on, checked
//! before it is called one. The keys that sign identities are not in it: a server without them makes new ones, and trackers
//! fetch those.
//!
//! A restore checks first and changes nothing unless all is well. The file must be ours, whole, and of no newer version; it is
//! brought up to date in a draft, which then takes the database's place at once. The database so far stays beside it. Sessions of
//! the copy end, since some of them may have been ended by their owners since; trackers start over with what they know of them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use crate::audit::Entry;
use crate::clock;
use crate::data_dir::DataDir;
use crate::host::{HostError, open};
use crate::store::{audit, revocations, schema};

/// Pages that are copied at a time; all in one piece, so that no writer makes it start over.
const ALL: std::ffi::c_int = std::ffi::c_int::MAX;
const PAUSE: Duration = Duration::from_millis(50);

/// Writes a copy of the database of a server that may be running.
///
/// # Errors
/// [`HostError`].
pub fn write(folder: &Path, file: &Path) -> Result<String, HostError> {
    if file.exists() {
        return Err(unfit(file, "there is such a file already: name another"));
    }
    let database = open(folder)?;
    let draft = beside(file, "new");
    let copied = copy(&database, &draft).and_then(|copy| {
        // One file, whatever its reader knows of write-ahead logs.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        schema::check(&copy, &draft.display().to_string())?;
        Ok(())
    });
    if let Err(error) = copied {
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    fs::File::open(&draft)
        .and_then(|draft| draft.sync_all())
        .and_then(|()| fs::rename(&draft, file))
        .map_err(|source| failed(file, source))?;
    audit::insert(&database, &Entry::on_host("backup"))?;
    Ok(format!("{} is a copy of the database; keep it as safe as the original", file.display()))
}

/// Puts a copy in the database's place, while no server runs.
///
/// # Errors
/// [`HostError`]; then nothing was changed.
pub fn restore(folder: &Path, file: &Path) -> Result<String, HostError> {
    let data = DataDir::take(folder)?;
    let shown = file.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(file, flags).map_err(|_| unfit(file, FOREIGN))?;
    if !schema::is_ours(&source) {
        return Err(unfit(file, FOREIGN));
    }
    schema::check(&source, &shown)?;
    let (place, draft) = (data.database(), beside(&data.database(), "restored"));
    remove(&draft)?;
    let restored = copy(&source, &draft).and_then(|mut copy| {
        schema::migrate(&mut copy, &shown)?;
        copy.execute("DELETE FROM sessions", [])?;
        revocations::begin_anew(&copy)?;
        audit::insert(&copy, &Entry::on_host("restore"))?;
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        Ok(())
    });
    if let Err(error) = restored {
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    let kept = put_aside(&place)?;
    fs::File::open(&draft)
        .and_then(|draft| draft.sync_all())
        .and_then(|()| fs::rename(&draft, &place))
        .and_then(|()| fs::File::open(folder)?.sync_all())
        .map_err(|source| failed(&place, source))?;
    let kept =
        kept.map_or_else(String::new, |kept| format!("; the one before is {}", kept.display()));
    Ok(format!("{shown} is the database now{kept}. Everyone signs in again."))
}

const FOREIGN: &str = "this is no copy of a database of backend-auth";

/// Copies a database whole into a new file that only its owner may read.
fn copy(from: &Connection, to: &Path) -> Result<Connection, HostError> {
    service::file::replace(to, b"", 0o600).map_err(|source| failed(to, source))?;
    let mut copy = Connection::open(to)?;
    Backup::new(from, &mut copy)?.run_to_completion(ALL, PAUSE, None)?;
    Ok(copy)
}

/// A second name for the database so far, with everything in it; the first one stays until another file takes it.
fn put_aside(place: &Path) -> Result<Option<PathBuf>, HostError> {
    if !place.exists() {
        return Ok(None);
    }
    let kept = beside(place, &format!("before-restore-{}", clock::now()));
    // What is still in its log goes into the file; a log that stayed would be taken for the new file's. A file too damaged
    // for that keeps its log under the same new name.
    let whole = Connection::open(place).is_ok_and(|db| {
        db.query_row("PRAGMA wal_checkpoint (TRUNCATE)", [], |row| row.get::<_, i64>(0)) == Ok(0)
            && db.close().is_ok()
    });
    for suffix in ["-wal", "-shm"] {
        let log = with_suffix(place, suffix);
        if log.exists() {
            let moved = if whole {
                fs::remove_file(&log)
            } else {
                fs::rename(&log, with_suffix(&kept, suffix))
            };
            moved.map_err(|source| failed(&log, source))?;
        }
    }
    fs::hard_link(place, &kept)
        .and_then(|()| fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)))
        .map_err(|source| failed(&kept, source))?;
    Ok(Some(kept))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    with_suffix(path, &format!(".{suffix}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), HostError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed(path, source)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> HostError {
    HostError::File { path: path.display().to_string(), source }
}

fn unfit(path: &Path, reason: &str) -> HostError {
    HostError::Unfit { path: path.display().to_string(), reason: reason.to_owned() }
}
