//! The admin address: its listener, and for how long it is served.

use std::io;
use std::net::{SocketAddr, TcpListener};

use service::Shutdown;
use service::bind::{self, BindError};

use crate::handover::Estate;

/// The admin address of a running proxy.
#[derive(Debug)]
pub(super) struct Admin {
    /// As asked for; the port may be 0.
    pub(super) wanted: SocketAddr,
    /// As it is.
    pub(super) bound: SocketAddr,
    /// Kept for a successor.
    pub(super) listener: TcpListener,
    /// Cancelled when the successor answers there.
    pub(super) stop: Shutdown,
}

impl Admin {
    /// Binds it, or takes what was left.
    pub(super) fn open(wanted: SocketAddr, estate: &mut Estate) -> Result<Self, BindError> {
        let listener = match estate.take_admin(wanted) {
            Some(inherited) => inherited,
            None => bind::tcp(wanted)?,
        };
        let bound =
            listener.local_addr().map_err(|source| BindError::Other { addr: wanted, source })?;
        Ok(Self { wanted, bound, listener, stop: Shutdown::new() })
    }

    /// What the background needs to serve it.
    pub(super) fn shown(&self) -> io::Result<(TcpListener, Shutdown)> {
        Ok((self.listener.try_clone()?, self.stop.clone()))
    }
}
