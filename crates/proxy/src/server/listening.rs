//! The addresses that clients connect to, and how they change.

use std::net::{SocketAddr, TcpListener};

use service::bind::{self, BindError};

/// An address that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    /// As configured; the port may be 0.
    pub(crate) wanted: SocketAddr,
    /// As it is.
    pub(crate) bound: SocketAddr,
}

/// One listener, for one worker.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) address: Address,
    pub(crate) socket: TcpListener,
}

/// What changes when other addresses are wanted.
#[derive(Debug)]
pub(super) struct Change {
    /// For each worker the new listeners.
    pub(super) open: Vec<Vec<Opened>>,
    /// Those that are wanted no more.
    pub(super) close: Vec<Address>,
    /// All that are served afterwards, in the order of the configuration.
    pub(super) addresses: Vec<Address>,
}

impl Change {
    /// Binds what isn't bound yet, a listener a worker.
    pub(super) fn prepare(
        current: &[Address],
        wanted: &[SocketAddr],
        workers: usize,
    ) -> Result<Self, BindError> {
        let mut open: Vec<Vec<Opened>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for &wanted in wanted {
            if let Some(kept) = current.iter().find(|address| address.wanted == wanted) {
                addresses.push(*kept);
                continue;
            }
            // From one address to all of them or back: the port is our own already.
            let ours = current.iter().any(|address| address.bound.port() == wanted.port());
            let address = if ours { Address { wanted, bound: wanted } } else { probe(wanted)? };
            for worker in &mut open {
                worker.push(Opened { address, socket: bind::tcp_shared(address.bound)? });
            }
            addresses.push(address);
        }
        let close =
            current.iter().filter(|address| !addresses.contains(address)).copied().collect();
        Ok(Self { open, close, addresses })
    }
}

/// Binds an address alone, since sharing would hide that somebody else already has the port.
fn probe(wanted: SocketAddr) -> Result<Address, BindError> {
    let listener = bind::tcp(wanted)?;
    let bound =
        listener.local_addr().map_err(|source| BindError::Other { addr: wanted, source })?;
    Ok(Address { wanted, bound })
}
