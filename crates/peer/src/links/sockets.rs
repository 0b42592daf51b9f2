//! The UDP sockets: one for each of the machine's usable addresses, so that it is known to which of them a
//! datagram came; all on one port where possible.
//!
//! Datagrams are sent and received many at once where the system can (on Linux: UDP segmentation offload both
//! ways, and recvmmsg).

mod socket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use super::connection::Net;
use super::interfaces;
pub(super) use socket::Buffers;
use socket::Socket;

/// What changed when the machine's addresses were looked at again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// New sockets.
    pub(super) added: Vec<SocketAddr>,
    /// Sockets whose address is gone.
    pub(super) removed: Vec<SocketAddr>,
}

/// The sockets.
pub(super) struct Sockets {
    list: Vec<Socket>,
    asked: Option<IpAddr>,
    port: u16,
}

impl Sockets {
    /// Binds them. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When a port that was asked for is taken, or nothing can be bound.
    pub(super) fn bind(asked: Option<IpAddr>, port: u16) -> io::Result<Self> {
        let mut sockets = Self { list: Vec::new(), asked, port };
        for ip in interfaces::usable(asked)? {
            match Socket::bind(SocketAddr::new(ip, sockets.port)) {
                Ok(socket) => sockets.add(socket),
                Err(error) if port != 0 && error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!(
                            "UDP port {port} of {ip} is taken: choose another one, or 0 for any"
                        ),
                    ));
                }
                Err(error) => sockets.try_any_port(ip, &error),
            }
        }
        if sockets.list.is_empty() {
            let text = "no UDP socket could be bound to any of this machine's addresses";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        Ok(sockets)
    }

    /// Looks at the machine's addresses again.
    pub(super) fn rescan(&mut self) -> Changes {
        let mut changes = Changes::default();
        // An address that was asked for is waited for while it is away.
        let now = interfaces::usable(self.asked).unwrap_or_default();
        self.list.retain(|socket| {
            let keep = now.contains(&socket.addr().ip());
            if !keep {
                changes.removed.push(socket.addr());
            }
            keep
        });
        for ip in now {
            if self.list.iter().any(|socket| socket.addr().ip() == ip) {
                continue;
            }
            let before = self.list.len();
            match Socket::bind(SocketAddr::new(ip, self.port)) {
                Ok(socket) => self.add(socket),
                Err(error) => self.try_any_port(ip, &error),
            }
            changes.added.extend(self.list[before..].iter().map(Socket::addr));
        }
        changes
    }

    /// Where they are bound, the most useful for others first.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.list.iter().map(Socket::addr).collect()
    }

    /// Whether one of them is bound there.
    pub(super) fn has(&self, addr: SocketAddr) -> bool {
        self.list.iter().any(|socket| socket.addr() == addr)
    }

    /// The socket from which the system would send there.
    pub(super) fn towards(&self, destination: SocketAddr) -> Option<SocketAddr> {
        let fits = |socket: &&Socket| socket.addr().is_ipv4() == destination.is_ipv4();
        let source = interfaces::source(destination.ip());
        let exact = self.list.iter().find(|socket| Some(socket.addr().ip()) == source);
        exact.or_else(|| self.list.iter().find(fits)).map(Socket::addr)
    }

    /// Waits until there is something to receive, or room for what couldn't be sent.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut ready = Poll::Pending;
        for socket in &self.list {
            if socket.poll_ready(context).is_ready() {
                ready = Poll::Ready(());
            }
        }
        ready
    }

    /// How many there are: `0..count()` are the arguments of [`Self::receive`].
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Receives what has come to one of them, into the buffers. `None` when there is nothing.
    pub(super) fn receive(&self, index: usize, buffers: &mut Buffers) -> Option<SocketAddr> {
        let socket = self.list.get(index)?;
        socket.receive(buffers).then(|| socket.addr())
    }

    /// Sends what has been collected.
    pub(super) fn flush(&mut self) {
        self.list.iter_mut().for_each(Socket::flush);
    }

    fn add(&mut self, socket: Socket) {
        if self.port == 0 {
            self.port = socket.addr().port();
        }
        self.list.push(socket);
    }

    fn try_any_port(&mut self, ip: IpAddr, error: &io::Error) {
        match Socket::bind(SocketAddr::new(ip, 0)) {
            Ok(socket) => {
                tracing::info!(%ip, port = self.port, %error, "another port here");
                self.list.push(socket);
            }
            // Such as an IPv6 address that is still being checked for duplicates.
            Err(error) => tracing::debug!(%ip, %error, "an address can't be used"),
        }
    }
}

impl Net for Sockets {
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        if let Some(socket) = self.list.iter_mut().find(|socket| socket.addr() == source) {
            socket.send(destination, datagram);
        }
    }
}

#[cfg(test)]
mod tests;
