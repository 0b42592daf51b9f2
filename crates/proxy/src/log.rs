//! The access log: one line a request, written when its answer is complete or broken off.
//!
//! Lines are formatted into a buffer of the worker and leave it in one write, when it is full or a fifth
//! of a second old, so no request takes a lock. With the log off nothing is even built. Whatever a client
//! chose (method, host, path) is escaped: no control character and no bidirectional override reaches the
//! reader's terminal.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{REFERER, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};

use crate::body::Upload;
use crate::error::late;
use crate::pool::Endpoint;
use crate::route::Route;
use crate::site::{RouteBook, Site};
use crate::stats::Stats;
use crate::trace::export::Span;
use crate::trace::{self, Context};
use crate::upstream::Upstream;
use crate::watch::{Phase, Watch, millis};

mod combined;
mod line;
mod sink;

use line::Line;
pub(crate) use sink::Sink;

/// A buffer this full is written at once.
const FULL: usize = 64 * 1024;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// As Apache's and nginx's "combined", with the rest at the end of the line: for programs that read
    /// the logs of those.
    Combined,
}

/// The log of one worker.
pub(crate) struct AccessLog {
    sink: RefCell<Option<Sink>>,
    on: Cell<bool>,
    format: Cell<Format>,
    /// Unless the configuration says otherwise.
    usual: Format,
    buffer: RefCell<Vec<u8>>,
    /// The wall clock at an instant, set anew at every sweep.
    anchor: Cell<(Instant, Duration)>,
    /// The text of a second, such as `2026-01-31T23:59:59`, since formatting it is dearer than the rest of a line.
    second: RefCell<(u64, String)>,
    failed: Cell<bool>,
}

impl AccessLog {
    /// `wanted` is what the configuration says, if it does, and `usual` else.
    pub(crate) fn new(sink: Option<Sink>, wanted: Option<Format>, usual: Format) -> Self {
        let buffer = if sink.is_some() { Vec::with_capacity(FULL + 4096) } else { Vec::new() };
        Self {
            on: Cell::new(sink.is_some()),
            sink: RefCell::new(sink),
            format: Cell::new(wanted.unwrap_or(usual)),
            usual,
            buffer: RefCell::new(buffer),
            anchor: Cell::new(anchor()),
            second: RefCell::new((0, String::new())),
            failed: Cell::new(false),
        }
    }

    /// Whether lines are wanted.
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Whether lines tell which program asked, and from which page.
    pub(crate) fn wants_agents(&self) -> bool {
        self.is_on() && self.format.get() == Format::Combined
    }

    /// Writes lines in another format, if the configuration says so.
    pub(crate) fn reformat(&self, wanted: Option<Format>) {
        self.format.set(wanted.unwrap_or(self.usual));
        self.second.borrow_mut().1.clear();
    }

    /// Goes on writing somewhere else; what has gathered still goes where it went before.
    pub(crate) fn redirect(&self, sink: Option<Sink>) {
        self.flush();
        self.on.set(sink.is_some());
        self.failed.set(false);
        *self.sink.borrow_mut() = sink;
    }

    /// Follows the wall clock.
    pub(crate) fn sweep(&self) {
        self.anchor.set(anchor());
    }

    /// Writes what has gathered.
    pub(crate) fn flush(&self) {
        let mut buffer = self.buffer.borrow_mut();
        let sink = self.sink.borrow();
        let Some(sink) = &*sink else { return };
        if buffer.is_empty() {
            return;
        }
        if let Err(error) = sink.write(&buffer) {
            // Said once; a full disk must not fill the other log too.
            if !self.failed.replace(true) {
                tracing::error!(%error, "the access log can't be written");
            }
        } else {
            self.failed.set(false);
        }
        buffer.clear();
    }

    fn push(&self, record: &Record, ended: Instant) {
        {
            let mut buffer = self.buffer.borrow_mut();
            let (instant, wall) = self.anchor.get();
            let wall = wall + ended.saturating_duration_since(instant);
            let mut second = self.second.borrow_mut();
            if second.0 != wall.as_secs() || second.1.is_empty() {
                *second = (wall.as_secs(), date(wall.as_secs(), self.format.get()));
            }
            let line = Line {
                second: &second.1,
                millis: wall.subsec_millis(),
                micros: micros(ended.saturating_duration_since(record.started)),
                record,
            };
            match self.format.get() {
                Format::Text => line.text(&mut buffer),
                Format::Json => line.json(&mut buffer),
                Format::Combined => line.combined(&mut buffer),
            }
            if buffer.len() < FULL {
                return;
            }
        }
        self.flush();
    }
}

fn anchor() -> (Instant, Duration) {
    (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn date(second: u64, format: Format) -> String {
    let pattern = match format {
        Format::Text | Format::Json => "%Y-%m-%dT%H:%M:%S",
        Format::Combined => "%d/%b/%Y:%H:%M:%S +0000",
    };
    let time =
        i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.map_or_else(|| "?".into(), |time| time.strftime(pattern).to_string())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What is remembered of a request until it is over; dropping it counts the request and writes its
/// line, however the request ended.
pub(crate) struct Record {
    books: Rc<Books>,
    watch: Rc<Watch>,
    started: Instant,
    /// When the last part of the time that is told apart was over.
    mark: Instant,
    client: HeaderValue,
    asked: Option<Asked>,
    id: HeaderValue,
    upload: Option<Rc<Upload>>,
    endpoint: Option<Rc<Endpoint>>,
    route: Option<Rc<RouteBook>>,
    status: u16,
    bytes_out: u64,
    auth_micros: Option<u64>,
    connect_micros: Option<u64>,
    upstream_micros: Option<u64>,
    context: Option<Context>,
    class: Option<&'static str>,
    complete: bool,
    tunnel: bool,
}

/// What the client asked for, kept only for the log and for traces.
struct Asked {
    method: Method,
    host: Option<HeaderValue>,
    path: Option<PathAndQuery>,
    agent: Option<Box<Agent>>,
}

/// Which program asked, and from which page; only for the format that tells.
struct Agent {
    version: Version,
    referer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
}

/// Where requests are accounted for.
pub(crate) struct Books {
    /// The log.
    pub(crate) log: AccessLog,
    /// The counters.
    pub(crate) stats: Arc<Stats>,
    /// How long an idle connection waits for its next request.
    pub(crate) keep_alive_ms: Cell<u64>,
}

impl Record {
    pub(crate) fn new(
        books: &Rc<Books>,
        watch: &Rc<Watch>,
        client: &HeaderValue,
        id: HeaderValue,
        (method, uri, host): (&Method, &Uri, Option<&HeaderValue>),
    ) -> Box<Self> {
        let wanted = books.log.is_on() || books.stats.spans.is_wanted();
        let asked = wanted.then(|| Asked {
            method: method.clone(),
            host: host.cloned(),
            path: uri.path_and_query().cloned(),
            agent: None,
        });
        let now = Instant::now();
        Box::new(Self {
            books: books.clone(),
            watch: watch.clone(),
            started: now,
            mark: now,
            client: client.clone(),
            asked,
            id,
            upload: None,
            endpoint: None,
            route: None,
            status: 0,
            bytes_out: 0,
            auth_micros: None,
            connect_micros: None,
            upstream_micros: None,
            context: None,
            class: None,
            complete: false,
            tunnel: false,
        })
    }

    /// A request that was no HTTP, with its status and class: counted and logged, then gone.
    pub(crate) fn malformed(
        books: &Rc<Books>,
        watch: &Rc<Watch>,
        client: &HeaderValue,
        id: HeaderValue,
        (status, class): (u16, &'static str),
    ) {
        let none = (&Method::default(), &Uri::default(), None);
        let mut record = Self::new(books, watch, client, id, none);
        record.asked = None;
        record.answered(status, None);
        record.fail(class);
        record.complete();
    }

    /// Remembers which program asked, if the log tells.
    pub(crate) fn introduce(&mut self, parts: &Parts) {
        if let Some(asked) = &mut self.asked
            && self.books.log.wants_agents()
        {
            asked.agent = Some(Box::new(Agent {
                version: parts.version,
                referer: parts.headers.get(REFERER).cloned(),
                user_agent: parts.headers.get(USER_AGENT).cloned(),
            }));
        }
    }

    /// It is known who asked, or that nobody may.
    pub(crate) fn decided(&mut self) {
        if self.asked.is_some() {
            self.mark = Instant::now();
            self.auth_micros = Some(micros(self.mark - self.started));
        }
    }

    /// A new connection was made for it, or there is none.
    pub(crate) fn connected(&mut self, now: Instant) {
        self.connect_micros = Some(micros(now.saturating_duration_since(self.mark)));
    }

    /// It has to be sent again.
    pub(crate) fn again(&mut self) {
        self.mark = Instant::now();
    }

    /// It belongs to a trace.
    pub(crate) fn traced(&mut self, context: Context) {
        self.context = Some(context);
    }

    /// What there is to tell a collector of traces.
    fn span(&self, context: &Context) -> Span {
        let taken = self.started.elapsed();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let asked = self.asked.as_ref();
        let path = asked.and_then(|asked| asked.path.as_ref());
        Span {
            trace: context.trace,
            id: trace::span_of(&self.id),
            parent: context.parent,
            started: now.saturating_sub(taken),
            taken,
            method: asked.map(|asked| asked.method.clone()).unwrap_or_default(),
            host: asked.and_then(|asked| asked.host.clone()),
            path: path.map_or_else(String::new, |path| path.path().to_owned()),
            route: self.route.as_ref().map(|route| route.path.clone()),
            client: self.client.clone(),
            status: self.status,
            failure: self.class,
        }
    }

    /// The id that the client, the upstream and the log line share.
    pub(crate) fn id(&self) -> &HeaderValue {
        &self.id
    }

    /// When it came.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The deadline of the client's connection.
    pub(crate) fn watch(&self) -> &Rc<Watch> {
        &self.watch
    }

    /// The counters of the worker.
    pub(crate) fn stats(&self) -> &Stats {
        &self.books.stats
    }

    /// Which route it takes.
    pub(crate) fn routed(&mut self, site: &Site, route: &Route) {
        self.route = site.book(route);
    }

    /// Its body.
    pub(crate) fn uploads(&mut self, upload: &Rc<Upload>) {
        self.upload = Some(upload.clone());
    }

    /// Which server it was sent to last.
    pub(crate) fn sent_to(&mut self, endpoint: &Rc<Endpoint>) {
        self.endpoint = Some(endpoint.clone());
    }

    /// The response head is there: from an upstream that was asked then and took so long, or the proxy's
    /// own.
    pub(crate) fn answered(&mut self, status: u16, from: Option<(&Upstream, Instant, Duration)>) {
        self.status = status;
        if let Some((upstream, sent, taken)) = from {
            let before = micros(sent.saturating_duration_since(self.started));
            let taken = micros(taken);
            self.upstream_micros = Some(taken);
            upstream.stats.answered(status, taken);
            if let Some(route) = &self.route {
                route.stats.latency(before + taken);
            }
        }
    }

    /// What went wrong; the first fault counts.
    pub(crate) fn fail(&mut self, class: &'static str) {
        self.class.get_or_insert(class);
    }

    /// Bytes that went to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Nothing is missing from the answer.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// It became a tunnel.
    pub(crate) fn becomes_tunnel(&mut self) {
        self.tunnel = true;
        self.books.stats.tunnels.add(1);
    }

    /// Bytes that a tunnel moved.
    pub(crate) fn tunnelled(&mut self, bytes_in: u64, bytes_out: u64) {
        self.bytes_out += bytes_out;
        self.books.stats.bytes_in.add(bytes_in);
    }

    fn bytes_in(&self) -> u64 {
        self.upload.as_ref().map_or(0, |upload| upload.bytes.get())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.complete {
            self.class.get_or_insert(if self.watch.expired() {
                late::CLIENT_STALLED
            } else {
                late::CLIENT_CLOSED
            });
        }
        if self.tunnel {
            self.books.stats.tunnels.sub(1);
        }
        // The connection waits for its next request now.
        self.watch.enter(Phase::Idle, self.books.keep_alive_ms.get());
        let stats = &self.books.stats;
        stats.request(self.status, self.class);
        if let Some(route) = &self.route {
            route.stats.request(self.status);
        }
        stats.bytes_in.add(self.bytes_in());
        stats.bytes_out.add(self.bytes_out);
        if let Some(context) = &self.context
            && context.is_sampled()
            && stats.spans.is_wanted()
        {
            stats.spans.put(self.span(context));
        }
        if self.books.log.is_on() {
            self.books.log.push(self, Instant::now());
        }
    }
}

impl Books {
    pub(crate) fn new(log: AccessLog, stats: Arc<Stats>, keep_alive: Duration) -> Rc<Self> {
        Rc::new(Self { log, stats, keep_alive_ms: Cell::new(millis(keep_alive)) })
    }
}
