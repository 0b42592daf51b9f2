//! One worker: a thread with its own runtime, listeners, upstream connections, decisions, log buffer and
//! counters. Workers share nothing on the way of a request, so there is no lock and no wake-up across
//! threads; the kernel spreads connections over their listeners (`SO_REUSEPORT`).

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use service::Shutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::config;
use crate::error::RequestIds;
use crate::forward::Visit;
use crate::front::crowd::Guest;
use crate::front::door::Door;
use crate::front::stream::Stream;
use crate::front::tls::Secure;
use crate::headers::Client;
use crate::log::{AccessLog, Books, Format};
use crate::plan::Plan;
use crate::server::Opened;
use crate::site::Site;
use crate::stats::Stats;
use crate::watch::{Drain, TICK, Watches, millis};

mod arrivals;
mod h1;
mod h2;
mod linger;
mod live;
mod lot;
mod orders;
mod places;
mod refusal;
mod wire;

use arrivals::{TOO_MANY, dismiss};
use lot::Lot;
use orders::Accepting;
pub(crate) use orders::Order;
use places::{Place, Places};

/// How long live streams and tunnels may go on when the proxy goes down.
const LIVE_GRACE: Duration = Duration::from_millis(200);

/// What a worker holds.
pub(crate) struct Worker {
    number: usize,
    site: RefCell<Rc<Site>>,
    /// Log and counters.
    pub(crate) books: Rc<Books>,
    /// Names for requests.
    pub(crate) ids: RequestIds,
    watches: Watches,
    places: Places,
    /// Where idle connections wait; none if the system has no means left for it.
    lot: Option<Lot>,
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
    http2_streams: u32,
    http2_head_bytes: u32,
    http2_control_frames: usize,
    http2_stream_window: u32,
    http2_connection_window: u32,
    http2_ping_interval: Duration,
    http2_ping_timeout: Duration,
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
            http2_streams: server.http2_max_streams,
            http2_head_bytes: server.http2_max_head_bytes,
            http2_control_frames: server.http2_max_control_frames,
            http2_stream_window: server.http2_stream_window,
            http2_connection_window: server.http2_connection_window,
            http2_ping_interval: server.http2_ping_interval,
            http2_ping_timeout: server.http2_ping_timeout,
        }
    }
}

impl Worker {
    pub(crate) fn new(plan: &Plan, number: usize, format: Format, stats: Arc<Stats>) -> Rc<Self> {
        let site = Site::new(plan, &stats, number, None);
        let server = &plan.config.server;
        let log = AccessLog::new(plan.sink.clone(), server.access_log_format, format);
        stats.spans.want(plan.config.exports_traces());
        Rc::new(Self {
            number,
            books: Books::new(log, stats, server.keep_alive),
            ids: RequestIds::new(),
            watches: Watches::new(),
            places: Places::default(),
            lot: Lot::open()
                .inspect_err(|error| tracing::warn!(%error, "idle connections can't be parked"))
                .ok(),
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
        let waiting = tokio::task::spawn_local(self.clone().watch_lot());
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
        waiting.abort();
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
        if self.places.taken() >= self.limits.get().connections {
            stats.turned_away.add(1);
            dismiss(&stream, TOO_MANY);
            return;
        }
        // How a place is served is looked up anew for each connection: a reload may change it. A place
        // that was just closed is served no more.
        if let Some(door) = self.site().door(wanted) {
            self.receive(stream, peer, door);
        }
    }

    /// Serves one connection to its end, or until it is parked.
    async fn attend(
        self: Rc<Self>,
        stream: Stream,
        peer: SocketAddr,
        (guest, place): (Option<Guest>, Place),
        (door, secure): (Rc<Door>, Option<Secure>),
    ) {
        let watch = self.watches.open(self.limits.get().header_ms);
        self.books.stats.connections.add(1);
        let scheme = if secure.is_some() { "https" } else { "http" };
        let visit = Rc::new(Visit {
            worker: self.clone(),
            watch: watch.clone(),
            client: Rc::new(Client::new(peer, scheme, self.site().config.server.trusts(peer.ip()))),
            peer,
            door,
            secure: secure.map(Rc::new),
            tunnel: RefCell::new(None),
            live: Some(RefCell::default()),
        });
        let idle = if stream.speaks_http2() {
            Box::pin(self.clone().serve_http2(stream, Bytes::new(), &visit)).await;
            None
        } else {
            self.serve(stream, &visit).await
        };
        self.watches.close(&watch);
        self.books.stats.connections.sub(1);
        if let Some(stream) = idle {
            self.park(stream, peer, (guest, place), visit.door.clone(), watch.due());
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
                self.sweep_lot();
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
        while self.places.taken() > 0 && Instant::now() < deadline {
            tokio::time::sleep(TICK).await;
        }
    }

    async fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let live = (Instant::now() + LIVE_GRACE).min(deadline);
        self.watches.set_drain(Drain::Requests);
        self.clear_lot();
        while self.places.taken() > 0 && Instant::now() < deadline {
            if self.watches.drain() == Drain::Requests && Instant::now() >= live {
                self.watches.set_drain(Drain::Live);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let open = self.places.taken();
        if open > 0 {
            tracing::warn!(open, "drain time is over: cutting open connections");
        }
    }
}
