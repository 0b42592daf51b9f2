//! One worker: a thread with its own runtime, listeners, upstream connections, decisions, log buffer and
//! counters. Workers share nothing on the way of a request, so there is no lock and no wake-up across
//! threads; the kernel spreads connections over their listeners (`SO_REUSEPORT`).

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, ready};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use service::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::config;
use crate::error::RequestIds;
use crate::forward::{self, Visit};
use crate::front::crowd::Guest;
use crate::front::door::Door;
use crate::front::stream::Stream;
use crate::front::tls::Secure;
use crate::guard::{OutOfStep, Reason};
use crate::headers::Client;
use crate::log::{AccessLog, Books, Format, Record};
use crate::plan::Plan;
use crate::server::Opened;
use crate::site::Site;
use crate::stats::Stats;
use crate::watch::{Drain, Phase, TICK, Watches, millis};

mod arrivals;
mod orders;
mod wire;

use arrivals::TOO_MANY;
use orders::Accepting;
pub(crate) use orders::Order;
use wire::{Socket, Wire, join};

/// How long live streams and tunnels may go on when the proxy goes down.
const LIVE_GRACE: Duration = Duration::from_millis(200);
/// What a client may still send after our side of its connection is closed, and for how long: closing
/// both sides at once would tear down the last answer before it is read (RFC 9112 §9.6).
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;
/// What a worker holds.
pub(crate) struct Worker {
    number: usize,
    site: RefCell<Rc<Site>>,
    /// Log and counters.
    pub(crate) books: Rc<Books>,
    /// Names for requests.
    pub(crate) ids: RequestIds,
    watches: Watches,
    limits: Cell<Limits>,
    /// Somebody without the right was told off, in the log; once is enough.
    told_off: Cell<bool>,
    /// Whether the end may take its time.
    patient: Cell<bool>,
}

/// What a worker grants its clients.
#[derive(Debug, Clone, Copy)]
struct Limits {
    header_ms: u64,
    proxy_protocol_ms: u64,
    connections: usize,
    head_bytes: usize,
}

impl Limits {
    /// The share of one worker.
    fn share(server: &config::Server) -> Self {
        Self {
            header_ms: millis(server.header_timeout),
            proxy_protocol_ms: millis(server.proxy_protocol_timeout),
            connections: server.max_connections.div_ceil(server.workers.max(1)).max(1),
            // The least that hyper takes.
            head_bytes: server.max_head_bytes.max(8192),
        }
    }
}

impl Worker {
    pub(crate) fn new(plan: &Plan, number: usize, format: Format, stats: Arc<Stats>) -> Rc<Self> {
        let site = Site::new(plan, &stats, number, None);
        let server = &plan.config.server;
        let log = AccessLog::new(plan.sink.clone(), server.access_log_format, format);
        Rc::new(Self {
            number,
            books: Books::new(log, stats, server.keep_alive),
            ids: RequestIds::new(),
            watches: Watches::new(),
            limits: Cell::new(Limits::share(server)),
            told_off: Cell::new(false),
            patient: Cell::new(false),
            site: RefCell::new(Rc::new(site)),
        })
    }

    /// The configuration that new requests are served by.
    pub(crate) fn site(&self) -> Rc<Site> {
        self.site.borrow().clone()
    }

    /// Serves until `stop`, then lets what is open finish, within limits.
    pub(crate) async fn run(
        self: Rc<Self>,
        opened: Vec<Opened>,
        mut orders: UnboundedReceiver<Order>,
        stop: Shutdown,
    ) {
        let housekeeping = tokio::task::spawn_local(self.clone().keep_house());
        let mut accepting = Accepting::default();
        self.listen(opened, &mut accepting, &stop);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(order) = orders.recv() => self.follow(order, &mut accepting, &stop),
            }
        }
        accepting.ended().await;
        while let Ok(order) = orders.try_recv() {
            if matches!(order, Order::Patience) {
                self.patient.set(true);
            }
        }
        let limit = self.site().drain_timeout();
        if self.patient.get() {
            self.wait(limit).await;
            self.drain(2 * LIVE_GRACE).await;
        } else {
            self.drain(limit).await;
        }
        housekeeping.abort();
        self.books.log.flush();
    }

    /// Takes connections until `stop`, and then those that the kernel has already queued.
    async fn accept(self: Rc<Self>, listener: TcpListener, wanted: SocketAddr, stop: Shutdown) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            self.admit(accepted, wanted).await;
        }
        while let Poll::Ready(accepted) =
            std::future::poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await
        {
            self.admit(accepted, wanted).await;
        }
    }

    async fn admit(
        self: &Rc<Self>,
        accepted: io::Result<(TcpStream, SocketAddr)>,
        wanted: SocketAddr,
    ) {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: waiting lets others close theirs.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(TICK).await;
                return;
            }
        };
        let stats = &self.books.stats;
        if self.watches.len() >= self.limits.get().connections {
            stats.turned_away.add(1);
            let _ = stream.try_write(TOO_MANY);
            return;
        }
        // How a place is served is looked up anew for each connection: a reload may change it. A place
        // that was just closed is served no more.
        if let Some(door) = self.site().door(wanted) {
            self.receive(stream, peer, door);
        }
    }

    /// Serves one connection to its end.
    async fn attend(
        self: Rc<Self>,
        stream: Stream,
        peer: SocketAddr,
        guest: Option<Guest>,
        (door, secure): (Rc<Door>, Option<Secure>),
    ) {
        let watch = self.watches.open(self.limits.get().header_ms);
        self.books.stats.connections.add(1);
        let scheme = if secure.is_some() { "https" } else { "http" };
        let visit = Rc::new(Visit {
            worker: self.clone(),
            watch: watch.clone(),
            client: Client::new(peer, scheme, self.site().config.server.trusts(peer.ip())),
            peer,
            door,
            secure,
            tunnel: RefCell::new(None),
        });
        self.serve(stream, &visit).await;
        self.watches.close(&watch);
        drop(guest);
        self.books.stats.connections.sub(1);
    }

    async fn serve(&self, stream: Stream, visit: &Rc<Visit>) {
        let watch = &visit.watch;
        let header_ms = self.limits.get().header_ms;
        let wire = Wire::new(stream);
        let socket = Socket::new(wire.clone(), watch.clone(), header_ms);
        let handle = service_fn(|request| {
            if wire.claim() {
                Either::Left(Box::pin(forward::handle(visit.clone(), request)))
            } else {
                Either::Right(ready(Err(OutOfStep)))
            }
        });
        // Deadlines are the watch's business, so hyper needs no timer. And it need not look for a client
        // that leaves while its request is under way, which it does by reading ahead, at the price of a
        // new buffer for each request: `Wire::hung_up` sees that without reading.
        let mut connection = http1::Builder::new()
            .max_buf_size(self.limits.get().head_bytes)
            .header_read_timeout(None)
            .half_close(true)
            .serve_connection(TokioIo::new(socket), handle);
        let mut told = false;
        let ended = std::future::poll_fn(|cx| {
            watch.set_task(cx.waker());
            watch.next_turn();
            let last = match watch.drain() {
                Drain::No => false,
                // A request may be on its way: it is served, and told that it was the last one.
                Drain::Patient => watch.phase() == Phase::Busy,
                Drain::Requests | Drain::Live => true,
            };
            if !told && last {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                // Whoever had this deadline did nothing about it: the client is the one who is late.
                Poll::Pending if watch.expired() => Poll::Ready(None),
                Poll::Pending if watch.phase() == Phase::Busy && wire.hung_up(cx) => {
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        match ended {
            None => {}
            Some(Ok(())) => {
                let early = connection.into_parts().read_buf;
                let Some(wire) = Rc::into_inner(wire) else { return };
                let (stream, held) = wire.into_parts();
                let early = join(early, held);
                let tunnel = visit.tunnel.borrow_mut().take();
                // Boxed, so that the thousands of connections that do neither needn't have the space.
                match tunnel {
                    Some(tunnel) => Box::pin(tunnel.run(stream, early, watch)).await,
                    None => Box::pin(linger(stream)).await,
                }
            }
            Some(Err(error)) => {
                if error.is_parse() {
                    // hyper has answered this one by itself.
                    let status = if error.is_parse_too_large() { 431 } else { 400 };
                    let class = wire.refused().map_or("malformed_request", Reason::class);
                    Record::malformed(
                        &self.books,
                        watch,
                        visit.client.address(),
                        self.ids.next(),
                        (status, class),
                    );
                    drop(connection);
                    if let Some(wire) = Rc::into_inner(wire) {
                        Box::pin(linger(wire.stream.into_inner())).await;
                    }
                }
                tracing::debug!(peer = %visit.peer, error = %crate::error::causes(&error), "connection ended");
            }
        }
    }

    async fn keep_house(self: Rc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks = 0_u64;
        loop {
            tick.tick().await;
            ticks += 1;
            self.watches.sweep();
            self.books.log.sweep();
            // A fifth of a second.
            if ticks.is_multiple_of(4) {
                self.books.log.flush();
            }
            if ticks.is_multiple_of(10) {
                self.site().sweep();
            }
        }
    }

    /// Another process serves: nobody is in a hurry. What is left after the drain time is cut.
    async fn wait(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.watches.set_drain(Drain::Patient);
        while self.watches.len() > 0 && Instant::now() < deadline {
            tokio::time::sleep(TICK).await;
        }
    }

    async fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let live = (Instant::now() + LIVE_GRACE).min(deadline);
        self.watches.set_drain(Drain::Requests);
        while self.watches.len() > 0 && Instant::now() < deadline {
            if self.watches.drain() == Drain::Requests && Instant::now() >= live {
                self.watches.set_drain(Drain::Live);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let open = self.watches.len();
        if open > 0 {
            tracing::warn!(open, "drain time is over: cutting open connections");
        }
    }
}

/// Closes our side, and reads what the client is still sending.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let read = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut scrap = [0; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(read @ 1..) = stream.read(&mut scrap).await {
            match left.checked_sub(read) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, read).await;
}
