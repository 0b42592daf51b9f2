//! One UDP socket, and what waits to be sent on it.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Bytes that the system is asked to hold for us, each way. It may give less.
const SYSTEM_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of one send at most: what a UDP datagram's length can say, less the headers.
const SEND_BYTES: usize = 65_000;
/// Bytes that wait because the system takes no more, at most. More is dropped, as a network would.
const BACKLOG_BYTES: usize = 4 * 1024 * 1024;
/// Receives at once at most.
const RECEIVES: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };
/// Bytes of one receive: several datagrams, joined by the system.
const RECEIVE_BYTES: usize = 65_536;

/// One socket.
pub(super) struct Socket {
    addr: SocketAddr,
    io: UdpSocket,
    state: UdpSocketState,
    /// What is being collected.
    batch: Batch,
    /// What the system didn't take.
    backlog: VecDeque<Batch>,
    backlogged: usize,
}

/// Datagrams of one size (the last may be shorter) to one destination.
#[derive(Default)]
struct Batch {
    destination: Option<SocketAddr>,
    bytes: Vec<u8>,
    size: usize,
    count: usize,
    /// A shorter one was added: it is the last.
    full: bool,
}

impl Batch {
    fn takes(&self, destination: SocketAddr, datagram: &[u8], most: usize) -> bool {
        self.destination == Some(destination)
            && !self.full
            && self.count < most
            && datagram.len() <= self.size
            && self.bytes.len() + datagram.len() <= SEND_BYTES
    }

    fn begin(&mut self, destination: SocketAddr, datagram: &[u8]) {
        self.destination = Some(destination);
        self.bytes.clear();
        self.bytes.extend_from_slice(datagram);
        self.size = datagram.len();
        self.count = 1;
        self.full = false;
    }

    fn add(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.count += 1;
        self.full = datagram.len() < self.size;
    }
}

impl Socket {
    pub(super) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Smaller buffers cost throughput, not correctness.
        let _ = socket.set_recv_buffer_size(SYSTEM_BYTES);
        let _ = socket.set_send_buffer_size(SYSTEM_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        let io = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let addr = io.local_addr()?;
        Ok(Self {
            addr,
            io,
            state,
            batch: Batch::default(),
            backlog: VecDeque::new(),
            backlogged: 0,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let receive = self.io.poll_recv_ready(context).is_ready();
        let send = !self.backlog.is_empty() && self.io.poll_send_ready(context).is_ready();
        if receive || send { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Collects a datagram; [`Self::flush`] sends.
    pub(super) fn send(&mut self, destination: SocketAddr, datagram: &[u8]) {
        if datagram.is_empty() {
            return;
        }
        let most = self.state.max_gso_segments();
        if self.batch.takes(destination, datagram, most) {
            self.batch.add(datagram);
        } else {
            self.put();
            self.batch.begin(destination, datagram);
        }
    }

    /// Sends what has been collected, and what waited.
    pub(super) fn flush(&mut self) {
        while let Some(batch) = self.backlog.front() {
            if !self.transmit(batch) {
                break;
            }
            if let Some(batch) = self.backlog.pop_front() {
                self.backlogged -= batch.bytes.len();
            }
        }
        self.put();
    }

    fn put(&mut self) {
        if self.batch.count == 0 {
            return;
        }
        if !self.backlog.is_empty() || !self.transmit(&self.batch) {
            let batch = std::mem::take(&mut self.batch);
            if self.backlogged + batch.bytes.len() <= BACKLOG_BYTES {
                self.backlogged += batch.bytes.len();
                self.backlog.push_back(batch);
            }
        }
        self.batch.count = 0;
        self.batch.destination = None;
    }

    /// `false` when the system takes nothing now.
    fn transmit(&self, batch: &Batch) -> bool {
        let Some(destination) = batch.destination else { return true };
        let transmit = Transmit {
            destination,
            ecn: None,
            contents: &batch.bytes,
            segment_size: (batch.count > 1).then_some(batch.size),
            src_ip: None,
        };
        let sent = self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send(UdpSockRef::from(&self.io), &transmit)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                // No route, a port that nobody listens on: others of the pair's addresses may do better.
                tracing::trace!(%destination, %error, "nothing was sent");
                true
            }
            Ok(()) => true,
        }
    }

    /// Receives. `false` when there is nothing.
    pub(super) fn receive(&self, buffers: &mut Buffers) -> bool {
        let received = self.io.try_io(Interest::READABLE, || {
            let mut slices = buffers.bytes.chunks_mut(RECEIVE_BYTES).map(IoSliceMut::new);
            let mut slices: [IoSliceMut<'_>; RECEIVES] =
                std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut buffers.meta)
        });
        match received {
            Ok(count) => {
                buffers.count = count;
                true
            }
            Err(error) => {
                buffers.count = 0;
                // Any other error is about a datagram that was sent before: there may be more to receive.
                error.kind() != io::ErrorKind::WouldBlock
            }
        }
    }
}

/// Where datagrams are received into.
pub(in super::super) struct Buffers {
    bytes: Vec<u8>,
    meta: [RecvMeta; RECEIVES],
    count: usize,
}

impl Buffers {
    pub(in super::super) fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVES * RECEIVE_BYTES],
            meta: [RecvMeta::default(); RECEIVES],
            count: 0,
        }
    }

    /// What was received: from where, and the datagram.
    pub(in super::super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let received = self.bytes.chunks(RECEIVE_BYTES).zip(&self.meta).take(self.count);
        received.flat_map(|(bytes, meta)| {
            bytes[..meta.len.min(bytes.len())]
                .chunks(meta.stride.max(1))
                .map(|datagram| (meta.addr, datagram))
        })
    }
}
