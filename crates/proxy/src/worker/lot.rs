//! Where idle connections wait for their next request.
//!
//! A task with its timers and buffers is a kilobyte and more; a connection that waits here is a socket, a
//! deadline, and who it belongs to. It has no task: one task waits for all of them, and the first byte that
//! comes makes the connection what it was.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mio::{Events, Interest, Poll, Registry, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use slab::Slab;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

use super::{Place, Worker};
use crate::front::crowd::Guest;
use crate::front::door::Door;
use crate::front::stream::Stream;
use crate::watch::now_ms;

/// Events taken at once.
const EVENTS: usize = 256;

/// Idle connections of a worker.
pub(super) struct Lot {
    registry: Registry,
    parked: RefCell<Slab<Parked>>,
    poll: Cell<Option<Poll>>,
}

/// One of them.
pub(super) struct Parked {
    stream: mio::net::TcpStream,
    peer: SocketAddr,
    guest: Option<Guest>,
    place: Place,
    door: Rc<Door>,
    /// When it has been idle for too long.
    due: u64,
}

impl Lot {
    /// Fails if the process has no descriptor left.
    pub(super) fn open() -> io::Result<Self> {
        let poll = Poll::new()?;
        Ok(Self {
            registry: poll.registry().try_clone()?,
            parked: RefCell::default(),
            poll: Cell::new(Some(poll)),
        })
    }

    fn add(&self, mut parked: Parked) -> io::Result<()> {
        let mut all = self.parked.borrow_mut();
        let entry = all.vacant_entry();
        self.registry.register(&mut parked.stream, Token(entry.key()), Interest::READABLE)?;
        entry.insert(parked);
        Ok(())
    }

    /// The one that an event is about, if anything came. Otherwise it stays.
    fn woken(&self, token: Token) -> Option<(Parked, usize)> {
        let mut all = self.parked.borrow_mut();
        let parked = all.get(token.0)?;
        let mut first = [0; 1];
        let came = match recv(&parked.stream, &mut first[..], RecvFlags::PEEK | RecvFlags::DONTWAIT)
        {
            Err(Errno::AGAIN | Errno::INTR) => return None,
            Err(_) => 0,
            Ok((count, _)) => count,
        };
        let mut parked = all.remove(token.0);
        // Fails only if it is not there.
        let _ = self.registry.deregister(&mut parked.stream);
        Some((parked, came))
    }

    /// Takes out those for whom `gone` holds.
    fn drop_if(&self, gone: impl Fn(&Parked) -> bool) -> usize {
        let mut all = self.parked.borrow_mut();
        let before = all.len();
        all.retain(|_, parked| !gone(parked));
        // After a rush, the space is given back.
        if all.is_empty() {
            all.shrink_to_fit();
        }
        before - all.len()
    }
}

impl Worker {
    /// Lets a connection wait without a task, until `due`.
    pub(super) fn park(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        (guest, place): (Option<Guest>, Place),
        door: Rc<Door>,
        due: u64,
    ) {
        let Some(lot) = &self.lot else { return };
        let added = stream.into_std().and_then(|stream| {
            let stream = mio::net::TcpStream::from_std(stream);
            lot.add(Parked { stream, peer, guest, place, door, due })
        });
        match added {
            Ok(()) => {
                self.books.stats.connections.add(1);
                self.books.stats.parked.add(1);
            }
            Err(error) => tracing::debug!(%peer, %error, "an idle connection could not be kept"),
        }
    }

    /// Closes the connections that have been idle for too long.
    pub(super) fn sweep_lot(&self) {
        let now = now_ms();
        self.leave_lot(|parked| now >= parked.due);
    }

    /// Closes all connections that are idle.
    pub(super) fn clear_lot(&self) {
        self.leave_lot(|_| true);
    }

    fn leave_lot(&self, gone: impl Fn(&Parked) -> bool) {
        let count = self.lot.as_ref().map_or(0, |lot| lot.drop_if(gone));
        self.left_lot(count);
    }

    fn left_lot(&self, count: usize) {
        let count = count as u64;
        self.books.stats.connections.sub(count);
        self.books.stats.parked.sub(count);
    }

    /// Waits for all that are parked.
    pub(super) async fn watch_lot(self: Rc<Self>) {
        let Some(lot) = &self.lot else { return };
        let Some(poll) = lot.poll.take() else { return };
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe; a `Poll` owns its descriptor until it is dropped"
        )]
        let watched = AsyncFd::with_interest(poll, tokio::io::Interest::READABLE);
        let mut poll = match watched {
            Ok(poll) => poll,
            Err(error) => return tracing::error!(%error, "idle connections can't be watched"),
        };
        let mut events = Events::with_capacity(EVENTS);
        while let Ok(mut ready) = poll.readable_mut().await {
            // It doesn't wait, so nothing but an interruption can go wrong; then it is asked again.
            if ready.get_inner_mut().poll(&mut events, Some(Duration::ZERO)).is_err() {
                continue;
            }
            if events.is_empty() {
                ready.clear_ready();
            }
            for event in &events {
                if let Some((parked, came)) = lot.woken(event.token()) {
                    self.left_lot(1);
                    // Most of them are woken by their end.
                    if came > 0 {
                        self.resume(parked);
                    }
                }
            }
        }
    }

    fn resume(self: &Rc<Self>, parked: Parked) {
        let Parked { stream, peer, guest, place, door, .. } = parked;
        match TcpStream::from_std(stream.into()) {
            Ok(stream) => {
                let stream = Stream::Plain(stream);
                let attend = self.clone().attend(stream, peer, (guest, place), (door, None));
                tokio::task::spawn_local(attend);
            }
            Err(error) => tracing::debug!(%peer, %error, "an idle connection could not go on"),
        }
    }
}
