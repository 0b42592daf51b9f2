//! The addresses that clients connect to, and how they change.

use std::net::{SocketAddr, TcpListener};

use service::bind::{self, BindError};

use crate::handover::Estate;

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

/// The listeners that are served, kept for a successor: each is the same socket as the worker's.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<Opened>);

impl Held {
    /// Keeps a hold of new listeners, and lets go of those that are closed.
    ///
    /// # Errors
    /// The process has as many files open as it may.
    pub(super) fn follow(&mut self, change: &Change) -> std::io::Result<()> {
        let mut held = Vec::new();
        for opened in change.open.iter().flatten() {
            held.push(Opened { address: opened.address, socket: opened.socket.try_clone()? });
        }
        self.0.retain(|opened| !change.close.contains(&opened.address));
        self.0.append(&mut held);
        Ok(())
    }

    /// Lets go of all.
    pub(super) fn release(&mut self) {
        self.0.clear();
    }

    /// Each once more, for a successor.
    pub(super) fn estate(&self) -> std::io::Result<Estate> {
        let mut estate = Estate::default();
        for Opened { address, socket } in &self.0 {
            estate.add(address.wanted, socket.try_clone()?);
        }
        Ok(estate)
    }
}

impl Change {
    /// Binds what isn't bound yet and wasn't inherited, a listener a worker.
    pub(super) fn prepare(
        current: &[Address],
        wanted: &[SocketAddr],
        workers: usize,
        estate: &mut Estate,
    ) -> Result<Self, BindError> {
        let mut open: Vec<Vec<Opened>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for &wanted in wanted {
            if let Some(kept) = current.iter().find(|address| address.wanted == wanted) {
                addresses.push(*kept);
                continue;
            }
            let inherited = estate.take(wanted);
            if let Some(first) = inherited.first() {
                let address = Address { wanted, bound: local(first, wanted)? };
                share_out(inherited, address, &mut open)?;
                addresses.push(address);
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
    Ok(Address { wanted, bound: local(&listener, wanted)? })
}

fn local(listener: &TcpListener, wanted: SocketAddr) -> Result<SocketAddr, BindError> {
    listener.local_addr().map_err(|source| BindError::Other { addr: wanted, source })
}

/// Gives each worker one listener at least. All are used: connections wait at each of them.
fn share_out(
    mut listeners: Vec<TcpListener>,
    address: Address,
    workers: &mut [Vec<Opened>],
) -> Result<(), BindError> {
    while listeners.len() < workers.len() {
        listeners.push(bind::tcp_shared(address.bound)?);
    }
    let most = workers.len().max(1);
    for (place, socket) in listeners.into_iter().enumerate() {
        if let Some(worker) = workers.get_mut(place % most) {
            worker.push(Opened { address, socket });
        }
    }
    Ok(())
}
