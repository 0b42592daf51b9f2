//! A STUN server (RFC 8489) for binding requests over UDP: it tells a device the address under which others
//! see it, so that a network without Internet needs no other server.
//!
//! It keeps nothing of a question but how many came from an address lately, asks for no credentials, and sends
//! nothing to those who did not ask.

mod reply;
#[cfg(test)]
mod tests;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use service::Shutdown;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::metrics::Metrics;
use crate::rate::Rates;
use crate::settings::LinkArgs;
use reply::{Reply, reply};

/// A UDP datagram at its largest: the system may hand over several of one sender as one piece.
const BUFFER: usize = 65_536;
/// How long it pauses when the socket fails, which it should not.
const PAUSE: Duration = Duration::from_millis(100);

/// The address could not be bound. The text is one line: what failed and what to try next.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has the port.
    #[error(
        "UDP {addr} is in use by another program: find it with `ss -lunp 'sport = :{port}'`, stop it, or choose another port with --stun-port (0 for any free one; --stun off goes without)",
        port = addr.port()
    )]
    InUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else the system said.
    #[error(
        "UDP {addr} could not be bound: {source} (--stun-ip and --stun-port choose another address, --stun off goes without)"
    )]
    Other {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound server.
pub struct Server {
    socket: UdpSocket,
    /// Tells to which of the machine's addresses a question went: the answer comes from that one (RFC 8489
    /// §6.3), also where the socket listens on all of them.
    state: UdpSocketState,
    addr: SocketAddr,
    rates: Rates<IpAddr>,
    metrics: Metrics,
}

impl Server {
    /// Binds the server that the flags ask for, inside the runtime; `None` when they ask for none.
    ///
    /// # Errors
    /// [`BindError`], with the remedy in its text.
    pub fn bind(args: &LinkArgs, metrics: &Metrics) -> Result<Option<Self>, BindError> {
        let Some(addr) = args.stun_addr() else { return Ok(None) };
        let named = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { addr },
            _ => BindError::Other { addr, source },
        };
        let socket = bind(addr, open).and_then(UdpSocket::from_std).map_err(named)?;
        let state = UdpSocketState::new((&socket).into()).map_err(named)?;
        let addr = socket.local_addr().map_err(named)?;
        let rates = Rates::new(args.stun_rate, args.stun_burst);
        Ok(Some(Self { socket, state, addr, rates, metrics: metrics.clone() }))
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers until `shutdown`.
    pub async fn run(self, shutdown: Shutdown) {
        tracing::info!("Answering STUN on {}", self.addr);
        let mut buffer = vec![0; BUFFER];
        loop {
            let ready = tokio::select! {
                () = shutdown.cancelled() => return,
                ready = self.socket.readable() => ready,
            };
            if let Err(error) = ready.and_then(|()| self.take(&mut buffer)) {
                tracing::debug!(%error, "the STUN socket failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Takes what came and answers it.
    fn take(&self, buffer: &mut [u8]) -> io::Result<()> {
        let mut meta = [RecvMeta::default()];
        let received = self.socket.try_io(Interest::READABLE, || {
            let mut pieces = [IoSliceMut::new(buffer)];
            self.state.recv((&self.socket).into(), &mut pieces, &mut meta)
        });
        match received {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let [meta] = meta;
        let now = Instant::now();
        let received = &buffer[..meta.len.min(buffer.len())];
        for datagram in received.chunks(meta.stride.max(1)) {
            if let Some(answer) = self.answer(datagram, meta.addr, now) {
                // What can't be sent now is lost, as any datagram may be: the other side asks again.
                let _ = self.state.try_send(
                    (&self.socket).into(),
                    &Transmit {
                        destination: meta.addr,
                        ecn: None,
                        contents: &answer,
                        segment_size: None,
                        src_ip: meta.dst_ip,
                    },
                );
            }
        }
        Ok(())
    }

    fn answer(&self, datagram: &[u8], from: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        let (answer, known) = match reply(datagram, from) {
            Reply::Address(answer) => (answer, true),
            Reply::UnknownAttribute(answer) => (answer, false),
            Reply::Silence => return None,
            Reply::Malformed => {
                self.metrics.stun_refused("malformed");
                return None;
            }
        };
        self.metrics.stun_request();
        if self.rates.take(&asker(from.ip()), now).is_err() {
            self.metrics.stun_refused("rate");
            return None;
        }
        if !known {
            self.metrics.stun_refused("unknown_attribute");
        }
        Some(answer)
    }
}

/// Who counts as one asker: an IPv4 address, or the network of an IPv6 one, in which a machine takes
/// whatever address it likes (RFC 6177: a site has a /64 at least).
fn asker(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Binds an address; where it is all of them and the machine has no IPv6, all of IPv4's.
fn bind<S>(addr: SocketAddr, open: impl Fn(SocketAddr) -> io::Result<S>) -> io::Result<S> {
    open(addr).or_else(|error| match (addr.ip(), error.kind()) {
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), kind) if kind != io::ErrorKind::AddrInUse => {
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port()))
        }
        _ => Err(error),
    })
}

fn open(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}
