//! The session that a sign-in gave, kept in the data folder: whoever reads it is signed in, so nobody else may.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use http::HeaderMap;
use http::header::SET_COOKIE;
use serde::{Deserialize, Serialize};
use wire::PeerId;

/// The file's name in the data folder.
const FILE: &str = "session";
/// The session's cookie: for plain http, and for https.
const SESSION_COOKIES: [&str; 2] = ["session", "__Host-session"];
/// The mark of a device that has signed in before, which spares it some of the waiting after wrong passwords.
const DEVICE_COOKIES: [&str; 2] = ["device", "__Host-device"];

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// At which server.
    pub server: String,
    /// Whose: the account's name as it was registered.
    pub user: PeerId,
    /// The `Cookie` header that proves it.
    pub cookie: String,
}

impl Session {
    /// The session out of the headers of a good answer to `POST /login`; `None` when there is none.
    pub fn from_answer(server: String, user: PeerId, headers: &HeaderMap) -> Option<Self> {
        let pairs: Vec<(&str, &str)> = headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok()?.split(';').next()?.trim().split_once('='))
            .collect();
        let of = |names: [&str; 2]| pairs.iter().find(|(name, _)| names.contains(name));
        let (name, value) = of(SESSION_COOKIES).filter(|(_, value)| !value.is_empty())?;
        let mut cookie = format!("{name}={value}");
        if let Some((name, value)) = of(DEVICE_COOKIES) {
            cookie.push_str(&format!("; {name}={value}"));
        }
        Some(Self { server, user, cookie })
    }

    /// The session that a data folder keeps. A file that can't be read as one counts as none.
    pub fn load(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(path(folder)).ok()?;
        serde_json::from_str(&text)
            .inspect_err(|_| tracing::warn!("the kept session is damaged: sign in again"))
            .ok()
    }

    /// Keeps it (mode 0600), in place of one that was kept before.
    ///
    /// # Errors
    /// What the system said.
    pub fn keep(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join(format!("{FILE}.new"));
        // A left-over of a crash may have another mode.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(serde_json::to_string(self).map_err(io::Error::other)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path(folder))
    }

    /// Forgets the kept one. Whether there was one.
    ///
    /// # Errors
    /// What the system said.
    pub fn forget(folder: &Path) -> io::Result<bool> {
        match fs::remove_file(path(folder)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn answer(lines: &[&'static str]) -> Option<Session> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SET_COOKIE, line.parse().unwrap());
        }
        Session::from_answer("http://a".to_owned(), PeerId::parse("alice").unwrap(), &headers)
    }

    #[test]
    fn the_session_is_found_among_the_cookies_with_the_devices_mark() {
        let session = answer(&[
            "device=d1; HttpOnly; Path=/; Max-Age=5",
            "session=abc; HttpOnly; SameSite=Lax; Path=/",
            "theme=dark",
        ]);
        assert_eq!(session.unwrap().cookie, "session=abc; device=d1");
        let session = answer(&["__Host-session=abc; Secure; Path=/"]);
        assert_eq!(session.unwrap().cookie, "__Host-session=abc");
        assert_eq!(answer(&["session=; Max-Age=0", "other=1"]), None);
    }

    #[test]
    fn a_kept_session_comes_back_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Session::load(folder.path()), None);
        let session = answer(&["session=abc"]).unwrap();
        fs::write(folder.path().join("session.new"), "left over").unwrap();
        session.keep(folder.path()).unwrap();
        session.keep(folder.path()).unwrap();
        assert_eq!(Session::load(folder.path()), Some(session));
        let mode = fs::metadata(path(folder.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Session::forget(folder.path()).unwrap());
        assert!(!Session::forget(folder.path()).unwrap());
        fs::write(path(folder.path()), "{").unwrap();
        assert_eq!(Session::load(folder.path()), None);
    }
}
