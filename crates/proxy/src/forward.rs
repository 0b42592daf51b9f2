//! One request through the proxy. Read this first:
//!
//! 1. [`Target::parse`]: one host and one canonical path, or 400.
//! 2. The route by host and path, or 404; its methods, or 405; its rate limit, or 429; the declared
//!    length of the body against its limit, or 413.
//! 3. A protected route: not from another site's page (403), and who it is ([`crate::auth`]).
//!    A route that answers by itself does so now.
//! 4. [`Rules::prepare_request`](crate::headers::Rules::prepare_request): hop-by-hop headers and forged
//!    identities go, ours are set. What the route changes is changed after that.
//! 5. [`send`]: to one server after the other until one takes it; the answer's head comes back.
//! 6. The answer's body is passed on piece by piece ([`ProxyBody`]); dropping it ends the request.
//!
//! Whatever fails on the way is a [`Failure`], answered in one place ([`refuse`]).

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::body::{ProxyBody, Relay, RequestBody, Upload, UploadState};
use crate::error::{Failure, REQUEST_ID};
use crate::front::door::Door;
use crate::front::tls::Secure;
use crate::guard::OutOfStep;
use crate::headers::{self, Client};
use crate::log::Record;
use crate::route::{Action, AuthRule};
use crate::site::Site;
use crate::target::Target;
use crate::trace;
use crate::upgrade::{self, Tunnel};
use crate::watch::{Phase, Watch, millis};
use crate::worker::Worker;

mod admit;
mod local;
mod retries;
mod send;
mod way;

use admit::{Admitted, Passport, admit};
pub(crate) use retries::Retries;
use send::send;
use way::Way;

/// A client's connection, or one stream of many on it, as requests see it.
pub(crate) struct Visit {
    /// The worker that serves it.
    pub(crate) worker: Rc<Worker>,
    /// Its deadline.
    pub(crate) watch: Rc<Watch>,
    /// What it adds to the headers of its requests.
    pub(crate) client: Rc<Client>,
    /// Its other end.
    pub(crate) peer: SocketAddr,
    /// Where it came in.
    pub(crate) door: Rc<Door>,
    /// Its TLS.
    pub(crate) secure: Option<Rc<Secure>>,
    /// Set once a request became a tunnel: the connection is handed over after the 101.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
    /// The body of a live stream, which the connection passes on by itself after the head; `None` for a
    /// connection that can't.
    pub(crate) live: Option<RefCell<Option<ProxyBody>>>,
}

/// Longest wait for the rest of a body that nobody wants, before the refusal is sent.
const DISCARD_TIME: Duration = Duration::from_secs(1);
/// The most that is read of such a body.
const DISCARD_BYTES: u64 = 256 * 1024;

/// An answer without its log record.
enum Answer {
    /// From the upstream.
    Relay(Response<Relay>),
    /// The proxy's own: a redirect, or what the route says.
    Local(Response<bytes::Bytes>),
    /// The upstream agreed to become a tunnel.
    Switch(Response<Tunnel>),
}

/// Answers a request.
///
/// A request is large and its future is moved around, so it is kept in one place: what an `async fn` takes
/// by value it would hold twice.
pub(crate) fn handle(
    visit: Rc<Visit>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<ProxyBody>, OutOfStep>> {
    let (mut parts, body) = request.into_parts();
    let mut body = Some(body);
    async move { Ok(answer(&visit, &mut parts, &mut body).await) }
}

async fn answer(
    visit: &Visit,
    parts: &mut Parts,
    body: &mut Option<Incoming>,
) -> Response<ProxyBody> {
    visit.watch.enter(Phase::Busy, u64::MAX);
    let version = parts.version;
    let has_body = body.as_ref().is_some_and(|body| !body.is_end_stream());
    let worker = &visit.worker;
    let site = worker.site();
    let mut record = Record::new(
        &worker.books,
        &visit.watch,
        visit.client.address(),
        worker.ids.next(),
        (&parts.method, &parts.uri, parts.headers.get(HOST)),
    );
    record.introduce(parts);
    let expects = parts.headers.contains_key(EXPECT);
    match serve(visit, &site, parts, body, &mut record).await {
        Ok(Answer::Relay(mut response)) => {
            let is_live = response.body().live;
            if record.is_uploading() {
                // The rest may never be read (RFC 9112 §9.6).
                say_close(response.headers_mut());
            }
            let response = response.map(|relay| ProxyBody::relay(relay, record));
            match &visit.live {
                // Its end is told by a last chunk. While the client is still sending, hyper has to read.
                Some(place) if is_live && version == Version::HTTP_11 && !has_body => {
                    leave(response, place)
                }
                _ => response,
            }
        }
        Ok(Answer::Switch(response)) => {
            let (parts, tunnel) = response.into_parts();
            record.becomes_tunnel();
            *visit.tunnel.borrow_mut() = Some(tunnel.with_record(record));
            Response::from_parts(parts, ProxyBody::empty(None))
        }
        Ok(Answer::Local(mut response)) => {
            let drained = Box::pin(discard(body.take(), expects)).await;
            finish_local(&mut response, &mut record, drained);
            response.map(|body| ProxyBody::full(body, Some(record)))
        }
        Err(failure) => {
            let drained =
                !failure.ends_connection() && Box::pin(discard(body.take(), expects)).await;
            refuse(&failure, record, drained)
        }
    }
}

/// Leaves a body of unknown length to the connection.
fn leave(response: Response<ProxyBody>, place: &RefCell<Option<ProxyBody>>) -> Response<ProxyBody> {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    say_close(&mut parts.headers);
    *place.borrow_mut() = Some(body);
    Response::from_parts(parts, ProxyBody::elsewhere())
}

/// Everything up to the answer's head.
async fn serve(
    visit: &Visit,
    site: &Rc<Site>,
    parts: &mut Parts,
    body: &mut Option<Incoming>,
    record: &mut Record,
) -> Result<Answer, Failure> {
    let target = Target::parse(&parts.method, &parts.uri, parts.version, &parts.headers)
        .map_err(Failure::Rejected)?;
    let secure = visit.secure.as_deref();
    if visit.door.answers(secure)
        && let Some(response) = visit
            .door
            .answer(parts, &target.host, &target.path, secure)
            .map_err(Failure::Rejected)?
    {
        return Ok(Answer::Local(response));
    }
    let route = site.config.routes.find(&target.host, &target.path).ok_or(Failure::NoRoute)?;
    record.routed(site, route);
    if let Some(methods) = &route.methods
        && !methods.contains(&parts.method)
    {
        return Err(Failure::MethodNotAllowed { allow: methods.allow().clone() });
    }
    if route.rate_limit.is_some() {
        way::check_rate(visit, site, route, &parts.headers, record.started())?;
    }
    let has_host = !target.host.is_empty();
    target.rewrite().apply(&mut parts.uri, &mut parts.headers);
    if let Some(answer) = headers::last_hop(parts).map_err(Failure::Rejected)? {
        return Ok(Answer::Local(answer));
    }
    let upgrade = match headers::upgrade_of(parts) {
        headers::Upgrade::None => false,
        headers::Upgrade::WebSocket => true,
        headers::Upgrade::Refused(refused) => return Err(Failure::Rejected(refused)),
    };
    let declared = body.as_ref().map_or(0, |body| body.size_hint().lower());
    if let Some(limit) = route.max_body
        && declared > limit
    {
        return Err(Failure::BodyTooLarge { limit });
    }
    let passport = match route.auth {
        AuthRule::None => Passport::default(),
        rule => {
            let admitted = admit(visit, site, parts, upgrade, rule, record).await;
            record.decided();
            match admitted? {
                Admitted::Pass(passport) => passport,
                Admitted::Redirect(response) => return Ok(Answer::Local(response)),
            }
        }
    };
    let forward = match &route.action {
        Action::Forward(forward) => forward,
        Action::Answer(own) => {
            return local::answer(route, own, visit, parts, has_host, passport).map(Answer::Local);
        }
    };
    let client_version = std::mem::replace(&mut parts.version, Version::HTTP_11);
    site.rules
        .prepare_request(
            &mut parts.headers,
            &visit.client,
            client_version,
            record.id().clone(),
            upgrade,
        )
        .map_err(Failure::Rejected)?;
    if let (Some(identity), Some(gate)) = (passport.identity, &site.gate) {
        // The credential has been exchanged for the identity: the upstream gets one, not both.
        parts.headers.remove(http::header::AUTHORIZATION);
        parts.headers.insert(gate.config().identity_header.clone(), identity);
    }
    if let Some(tracing) = &site.config.tracing {
        record.traced(trace::pass_on(&mut parts.headers, tracing, record.id()));
    }
    let way = Way::of(visit, site, route, forward, &parts.headers)?;
    way::change(parts, forward)?;
    parts.extensions.clear();
    let streamed = client_version == Version::HTTP_2;
    let body = RequestBody::of(body, streamed, visit, &way, record);
    let parts = std::mem::replace(parts, Request::new(()).into_parts().0);
    let mut request = Some(Request::from_parts(parts, body));
    let (mut response, lease) = send(visit, &way, upgrade, &mut request, record).await?;
    let upstream = &way.upstream.config;
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switching && !(upgrade && upgrade::is_websocket(response.headers())) {
        return Err(Failure::BadSwitch { upstream: upstream.name.clone() });
    }
    site.rules.prepare_response(response.headers_mut(), switching);
    if let Some(edits) = &route.response_headers {
        edits.apply(response.headers_mut());
    }
    for cookie in passport.set_cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    // hyper answers in the version the client speaks.
    *response.version_mut() = Version::HTTP_11;
    if switching {
        return match Tunnel::new(lease, upstream.tunnel_idle) {
            Some(tunnel) => Ok(Answer::Switch(response.map(|_| tunnel))),
            None => Err(Failure::BadSwitch { upstream: upstream.name.clone() }),
        };
    }
    let live = is_live(response.headers());
    let idle_ms = (!live).then_some(way.idle_ms);
    match idle_ms {
        Some(idle_ms) => visit.watch.due_in(idle_ms),
        None => visit.watch.never(),
    }
    Ok(Answer::Relay(response.map(|()| Relay { lease, idle_ms, live })))
}

impl RequestBody {
    /// The body of a request that goes to the upstream of `route`.
    fn of(
        body: &mut Option<Incoming>,
        streamed: bool,
        visit: &Visit,
        way: &Way<'_>,
        record: &mut Record,
    ) -> Self {
        match body.take() {
            Some(incoming) if !incoming.is_end_stream() => {
                let upload = Rc::new(Upload {
                    bytes: Cell::new(0),
                    state: Cell::new(UploadState::Upstream),
                    answered: Cell::new(false),
                    limit: way.max_body,
                    patience: way.patience,
                    waited_ms: Cell::new(0),
                    since_ms: Cell::new(0),
                    upstream_ms: way.response_ms,
                    watch: visit.watch.clone(),
                });
                record.uploads(&upload);
                Self::Client { incoming, upload, streamed }
            }
            _ => Self::Empty,
        }
    }

    /// How far the client is with it.
    pub(crate) fn upload(&self) -> Option<Rc<Upload>> {
        match self {
            Self::Empty => None,
            Self::Client { upload, .. } => Some(upload.clone()),
        }
    }
}

/// Whether an answer is a live stream: silence means nothing there, and it never ends.
fn is_live(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .get(..17)
            .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
    })
}

/// The answer to a failed request.
fn refuse(failure: &Failure, mut record: Box<Record>, drained: bool) -> Response<ProxyBody> {
    record.fail(failure.class());
    let mut response = failure.response(record.id());
    finish_local(&mut response, &mut record, drained);
    response.map(|body| ProxyBody::full(body, Some(record)))
}

/// The connection ends with this answer.
fn say_close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

fn finish_local<B>(response: &mut Response<B>, record: &mut Record, drained: bool) {
    if !drained {
        say_close(response.headers_mut());
    }
    response.headers_mut().insert(REQUEST_ID, record.id().clone());
    record.answered(response.status().as_u16(), None);
    record.complete();
    // Nobody looks after the deadline any more but the connection itself: the client has to read.
    record.watch().due_in(millis(DISCARD_TIME) * 10);
}

/// Reads the rest of a body that nobody wants, within limits, so that the client, busy sending, gets to
/// read its answer and the connection can be used again. Gives whether that worked out.
async fn discard(body: Option<Incoming>, expects: bool) -> bool {
    let Some(mut body) = body else { return true };
    if body.is_end_stream() {
        return true;
    }
    // Reading would ask the client to send what it holds back.
    if expects || body.size_hint().lower() > DISCARD_BYTES {
        return false;
    }
    let mut left = DISCARD_BYTES;
    let read = async {
        loop {
            match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => {
                    let bytes = frame.data_ref().map_or(0, bytes::Bytes::len) as u64;
                    match left.checked_sub(bytes) {
                        Some(rest) => left = rest,
                        None => return false,
                    }
                }
            }
        }
    };
    tokio::time::timeout(DISCARD_TIME, read).await.unwrap_or(false)
}
