//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::open_files;

/// An address could not be bound. The text is one line: what failed and what to try next.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error(
        "{addr} is in use by another program: find it with `ss -ltnp 'sport = :{port}'`, stop it, or choose another port",
        port = addr.port()
    )]
    InUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Ports below 1024 need a right that this user lacks.
    #[error(
        "{addr} may not be bound by this user: choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
    )]
    Denied {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The machine has no such address.
    #[error(
        "{addr} is not an address of this machine: use 0.0.0.0 for all, or one that `ip addr` lists"
    )]
    NotHere {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else the system said.
    #[error("{addr} could not be bound: {source}")]
    Other {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Connections that wait to be accepted, at most.
const BACKLOG: i32 = 4096;

/// Binds a non-blocking TCP listener.
///
/// # Errors
/// [`BindError`], with the remedy in its text.
pub fn tcp(addr: SocketAddr) -> Result<TcpListener, BindError> {
    listen(addr, false).map_err(|source| explain(addr, source))
}

/// Binds a non-blocking TCP listener that shares its port with others of the same user
/// (`SO_REUSEPORT`): the kernel spreads connections over them. For one listener per core.
///
/// # Errors
/// [`BindError`]. A first bind should go through [`tcp`] (and be dropped), since sharing would hide
/// that another program of this user already has the port.
pub fn tcp_shared(addr: SocketAddr) -> Result<TcpListener, BindError> {
    listen(addr, true).map_err(|source| explain(addr, source))
}

fn listen(addr: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    // Whoever listens is going to hold many connections.
    open_files::raise_limit();
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(addr: SocketAddr, source: io::Error) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { addr },
        io::ErrorKind::PermissionDenied => BindError::Denied { addr },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { addr },
        _ => BindError::Other { addr, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_what_to_try_next() {
        let first = tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = first.local_addr().unwrap();
        let text = tcp(addr).unwrap_err().to_string();
        assert!(text.contains(&addr.to_string()), "{text}");
        assert!(text.contains("ss -ltnp") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn shared_listeners_take_the_same_port() {
        let first = tcp_shared("127.0.0.1:0".parse().unwrap()).unwrap();
        let second = tcp_shared(first.local_addr().unwrap()).unwrap();
        assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
    }
}
