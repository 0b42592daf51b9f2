//! A new binary in place of the running one, without a refused connection.
//!
//! The running proxy waits at a unix socket. Its successor asks there for the listeners: not for new ones
//! on the same port, but for the same sockets, so that connections that wait in the kernel to be accepted
//! belong to both. When the successor serves it says so; then the old one accepts no more, finishes what
//! it has, and ends. If the successor fails before that, nothing has happened.
//!
//! Both ends must be of the same user (or root): whoever gets the listeners gets the clients.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;

mod wire;

/// Longest wait for the other side's next word.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait until the successor serves: it may have names to resolve.
const START: Duration = Duration::from_secs(60);

/// Where a successor may ask.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

/// A successor that asks.
#[derive(Debug)]
pub struct Heir(UnixStream);

impl Door {
    /// Opens it, in place of whatever socket is there. Call it inside a runtime.
    ///
    /// # Errors
    /// The system's word.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Put in place when it is ready: nobody finds half of it, and nobody else's is lost on failure.
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        remove(&fresh)?;
        let listener = UnixListener::bind(&fresh)?;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&fresh, path)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// The next one that asks and may.
    pub async fn heir(&self) -> Heir {
        loop {
            let heir = match self.listener.accept().await {
                Ok((stream, _)) => stream.into_std().and_then(prepared),
                Err(error) => Err(error),
            };
            match heir {
                Ok(stream) => return Heir(stream),
                Err(error) => {
                    tracing::warn!(%error, "somebody asked for the listeners in vain");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Closes it for good, when there is no successor.
    pub fn close(self) {
        let _ = remove(&self.path);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Checks who is at the other end, and limits the wait for it.
fn prepared(stream: UnixStream) -> io::Result<UnixStream> {
    let peer = rustix::net::sockopt::socket_peercred(&stream)?;
    if !peer.uid.is_root() && peer.uid != rustix::process::geteuid() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// What one proxy leaves to the next: its listeners, by the address as configured.
#[derive(Debug, Default)]
pub struct Estate {
    listeners: Vec<(SocketAddr, Vec<TcpListener>)>,
    admin: Option<(SocketAddr, TcpListener)>,
}

impl Estate {
    /// Adds a listener.
    pub(crate) fn add(&mut self, wanted: SocketAddr, listener: TcpListener) {
        match self.listeners.iter_mut().find(|(addr, _)| *addr == wanted) {
            Some((_, listeners)) => listeners.push(listener),
            None => self.listeners.push((wanted, vec![listener])),
        }
    }

    /// Adds the listener of the admin address.
    pub(crate) fn set_admin(&mut self, wanted: SocketAddr, listener: TcpListener) {
        self.admin = Some((wanted, listener));
    }

    /// This, and what of `other` is for addresses that this is not.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (addr, listeners) in other.listeners {
            if !self.listeners.iter().any(|(mine, _)| *mine == addr) {
                self.listeners.push((addr, listeners));
            }
        }
        self.admin = self.admin.or(other.admin);
        self
    }

    /// The listeners of an address; none if it was not served.
    pub(crate) fn take(&mut self, wanted: SocketAddr) -> Vec<TcpListener> {
        let place = self.listeners.iter().position(|(addr, _)| *addr == wanted);
        place.map_or_else(Vec::new, |place| self.listeners.swap_remove(place).1)
    }

    /// The listener of the admin address.
    pub(crate) fn take_admin(&mut self, wanted: SocketAddr) -> Option<TcpListener> {
        self.admin.take_if(|(addr, _)| *addr == wanted).map(|(_, listener)| listener)
    }
}

/// The proxy that runs, as its successor sees it.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

/// Asks the running proxy for its listeners; `None` if none is running.
///
/// # Errors
/// It runs and doesn't give them.
pub fn inherit(path: &Path) -> io::Result<Option<(Predecessor, Estate)>> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => prepared(stream)?,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut estate = Estate::default();
    loop {
        wire::send(&stream, "next", &[])?;
        let (word, sockets) = wire::receive(&stream)?;
        let mut words = word.split(' ');
        let kind = words.next();
        if kind == Some("end") {
            return Ok(Some((Predecessor(stream), estate)));
        }
        let addr = words.next().and_then(|addr| addr.parse().ok());
        let addr = addr.ok_or_else(|| misunderstood(&word))?;
        for socket in sockets.into_iter().map(TcpListener::from) {
            match kind {
                Some("listener") => estate.add(addr, socket),
                Some("admin") => estate.set_admin(addr, socket),
                _ => return Err(misunderstood(&word)),
            }
        }
    }
}

impl Predecessor {
    /// Tells it that its successor serves: it may go.
    ///
    /// # Errors
    /// It is gone already.
    pub fn release(self) -> io::Result<()> {
        wire::send(&self.0, "serving", &[])?;
        wire::receive(&self.0).map(|_| ())
    }
}

impl Heir {
    /// Gives the listeners, and waits until the successor serves.
    ///
    /// # Errors
    /// It went away before that: whoever gave goes on as before.
    pub fn give(self, estate: &Estate) -> io::Result<()> {
        let stream = self.0;
        let mut gifts = Vec::new();
        for (addr, listeners) in &estate.listeners {
            gifts.extend(
                listeners.chunks(wire::MOST).map(|some| (format!("listener {addr}"), some)),
            );
        }
        if let Some((addr, listener)) = &estate.admin {
            gifts.push((format!("admin {addr}"), std::slice::from_ref(listener)));
        }
        for (word, sockets) in &gifts {
            expect(&stream, "next")?;
            wire::send(&stream, word, sockets)?;
        }
        expect(&stream, "next")?;
        wire::send(&stream, "end", &[])?;
        stream.set_read_timeout(Some(START))?;
        expect(&stream, "serving")?;
        // It serves, whether or not it still hears this.
        let _ = wire::send(&stream, "farewell", &[]);
        Ok(())
    }
}

fn expect(stream: &UnixStream, wanted: &str) -> io::Result<()> {
    let (word, _) = wire::receive(stream)?;
    if word == wanted { Ok(()) } else { Err(misunderstood(&word)) }
}

fn misunderstood(word: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{word:?} is not understood"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn wanted(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn the_very_same_sockets_change_hands_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("handover.sock");
        assert!(inherit(&path).unwrap().is_none(), "nobody is there");
        let door = Door::open(&path).unwrap();
        let many = wire::MOST + 5;
        let mut estate = Estate::default();
        let first = listener();
        let bound = first.local_addr().unwrap();
        // A connection that nobody has accepted yet.
        let _waiting = TcpStream::connect(bound).unwrap();
        estate.add(wanted("127.0.0.1:0"), first);
        for _ in 1..many {
            estate.add(wanted("127.0.0.1:0"), listener());
        }
        estate.add(wanted("[::1]:80"), listener());
        estate.set_admin(wanted("127.0.0.1:9100"), listener());
        let heir = std::thread::spawn(move || inherit(&path).unwrap().unwrap());
        let giver = door.heir().await;
        let given = std::thread::spawn(move || giver.give(&estate).map(|()| drop(estate)));
        let (predecessor, mut estate) = heir.join().unwrap();
        predecessor.release().unwrap();
        given.join().unwrap().unwrap();
        let taken = estate.take(wanted("127.0.0.1:0"));
        assert_eq!(taken.len(), many);
        assert_eq!(taken[0].local_addr().unwrap(), bound);
        taken[0].accept().unwrap();
        assert_eq!(estate.take(wanted("[::1]:80")).len(), 1);
        assert!(estate.take(wanted("[::1]:81")).is_empty());
        assert!(estate.take_admin(wanted("127.0.0.1:1")).is_none());
        assert!(estate.take_admin(wanted("127.0.0.1:9100")).is_some());
    }

    #[tokio::test]
    async fn an_heir_that_fails_or_talks_nonsense_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("handover.sock");
        let door = Door::open(&path).unwrap();
        let asked = path.clone();
        let heir = std::thread::spawn(move || drop(inherit(&asked).unwrap()));
        let giver = door.heir().await;
        let given = std::thread::spawn(move || giver.give(&Estate::default()));
        heir.join().unwrap();
        assert_eq!(given.join().unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let stream = UnixStream::connect(&path).unwrap();
        wire::send(&stream, "serving", &[]).unwrap();
        let error = door.heir().await.give(&Estate::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        door.close();
        assert!(!path.exists());
    }
}
