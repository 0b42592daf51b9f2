//! What is remembered of a request.

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{REFERER, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};

use super::{Books, micros};
use crate::body::{Upload, UploadState};
use crate::error::late;
use crate::pool::Endpoint;
use crate::route::Route;
use crate::site::{RouteBook, Site};
use crate::stats::Stats;
use crate::target::Refused;
use crate::trace::export::Span;
use crate::trace::{self, Context};
use crate::upstream::Upstream;
use crate::watch::{Phase, Watch};

/// What is remembered of a request until it is over; dropping it counts the request and writes its
/// line, however the request ended.
pub(crate) struct Record {
    books: Rc<Books>,
    watch: Rc<Watch>,
    pub(super) started: Instant,
    /// When the last part of the time that is told apart was over.
    mark: Instant,
    pub(super) client: HeaderValue,
    pub(super) asked: Option<Asked>,
    pub(super) id: HeaderValue,
    upload: Option<Rc<Upload>>,
    pub(super) endpoint: Option<Rc<Endpoint>>,
    pub(super) route: Option<Rc<RouteBook>>,
    pub(super) status: u16,
    pub(super) bytes_out: u64,
    pub(super) auth_micros: Option<u64>,
    pub(super) connect_micros: Option<u64>,
    pub(super) upstream_micros: Option<u64>,
    pub(super) context: Option<Context>,
    pub(super) class: Option<&'static str>,
    complete: bool,
    tunnel: bool,
}

/// What the client asked for, kept only for the log and for traces.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) host: Option<HeaderValue>,
    pub(super) path: Option<PathAndQuery>,
    pub(super) agent: Option<Box<Agent>>,
}

/// Which program asked, and from which page; only for the format that tells.
pub(super) struct Agent {
    pub(super) version: Version,
    pub(super) referer: Option<HeaderValue>,
    pub(super) user_agent: Option<HeaderValue>,
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

    /// Of what was no request, and what it is answered.
    pub(crate) fn malformed(
        books: &Rc<Books>,
        watch: &Rc<Watch>,
        client: &HeaderValue,
        id: HeaderValue,
        fault: &Refused,
    ) -> Box<Self> {
        let none = (&Method::default(), &Uri::default(), None);
        let mut record = Self::new(books, watch, client, id, none);
        record.asked = None;
        record.answered(fault.status.as_u16(), None);
        record.fail(fault.class);
        record
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

    /// Whether the rest of its body is still to come.
    pub(crate) fn is_uploading(&self) -> bool {
        self.upload.as_ref().is_some_and(|upload| upload.state.get() != UploadState::Done)
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

    pub(super) fn bytes_in(&self) -> u64 {
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
