//! `proxy.conf`: what the operator wrote, checked, as the rest of the proxy uses it.
//!
//! Two sets of types: `written` is the file as serde reads it (unknown keys refused, every value with
//! its position), this module holds what comes out after the checks of `build`. Loading
//! binds no port and resolves no name.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};
use ipnet::IpNet;
use serde::Deserialize;
use toml::de::DeTable;

use crate::log::Format;
use crate::routes::Routes;

mod build;
mod error;
mod expand;
mod listen;
mod locate;
mod secure;
mod values;
mod written;

use build::Builder;
pub use error::{ConfigError, Finding, Warning};
pub use listen::{Certificate, Listen, Redirect, Tls, TlsKind};
use locate::Document;
pub use secure::{Secure, Trust};
use written::File;

/// A configuration that may be served.
#[derive(Debug)]
pub struct Loaded {
    /// What to serve.
    pub config: Config,
    /// What is allowed but probably not meant, for the log and for `proxy check`.
    pub warnings: Vec<Warning>,
}

/// Everything that proxy.conf says, with defaults filled in.
#[derive(Debug)]
pub struct Config {
    /// Listening and limits towards clients.
    pub server: Server,
    /// Certificates.
    pub tls: Tls,
    /// Forward-auth; absent: no route needs a session.
    pub auth: Option<Auth>,
    /// Trace context; absent: passed on as it comes.
    pub tracing: Option<Tracing>,
    /// The groups of servers; routes refer to them by position.
    pub upstreams: Vec<Upstream>,
    /// Host and path to route.
    pub routes: Routes,
}

/// `[server]`: listening and limits towards clients.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where clients connect, and how.
    pub listen: Vec<Listen>,
    /// Worker threads, each with its own listener and upstream pool.
    pub workers: usize,
    /// Longest wait for a complete request head.
    pub header_timeout: Duration,
    /// Longest silence inside a request body.
    pub body_idle_timeout: Duration,
    /// Longest wait for the client over a whole request body, unless a route says otherwise; `None`: no limit.
    pub request_body_timeout: Option<Duration>,
    /// Bytes a second that a request body must come with, on average; 0: any.
    pub min_rate: u64,
    /// Longest request body, unless a route says otherwise; `None`: no limit.
    pub max_body: Option<u64>,
    /// How long an idle client connection is kept.
    pub keep_alive: Duration,
    /// Longest wait for open requests and streams at shutdown.
    pub drain_timeout: Duration,
    /// How long what is under way with a server that a reload removed may go on; `None`: to its end.
    pub reload_timeout: Option<Duration>,
    /// Client connections at most, over all workers.
    pub max_connections: usize,
    /// Client connections at most from one address, over all workers; the loopback and
    /// [`trusted_proxies`](Self::trusted_proxies) are exempt.
    pub max_connections_per_client: usize,
    /// Longest wait for the PROXY header where one is expected.
    pub proxy_protocol_timeout: Duration,
    /// Requests that a client may make at once on one HTTP/2 connection.
    pub http2_max_streams: u32,
    /// Longest request head over HTTP/2, as RFC 9113 §6.5.2 counts.
    pub http2_max_head_bytes: u32,
    /// HTTP/2 frames that carry nothing, in ten seconds, at most.
    pub http2_max_control_frames: usize,
    /// Bytes of a request body that a client may send ahead over HTTP/2.
    pub http2_stream_window: u32,
    /// Bytes of all request bodies on a connection that a client may send ahead over HTTP/2.
    pub http2_connection_window: u32,
    /// Time between two pings on an HTTP/2 connection of a client.
    pub http2_ping_interval: Duration,
    /// Longest wait for the answer to one.
    pub http2_ping_timeout: Duration,
    /// Longest request head in bytes.
    pub max_head_bytes: usize,
    /// Where one line a request goes.
    pub access_log: AccessLog,
    /// How a line looks; absent: as the proxy's own log, text or JSON.
    pub access_log_format: Option<Format>,
    /// Networks of proxies in front of this one.
    pub trusted_proxies: Vec<IpNet>,
}

impl Server {
    /// The addresses of all listeners.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listen.iter().map(|listen| listen.address).collect()
    }

    /// Whether the `X-Forwarded-*` of a client at this address are believed.
    #[must_use]
    pub fn trusts(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&client))
    }
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// No line is even built.
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to a file.
    File(PathBuf),
}

/// `[auth]`: who decides about sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Position in [`Config::upstreams`].
    pub upstream: usize,
    /// Path of the verify call.
    pub path: String,
    /// Where page navigation without a session is sent.
    pub login_page: String,
    /// Longest wait for a decision; then 503.
    pub timeout: Duration,
    /// How long a decision is reused for the same credential; zero: never.
    pub cache: Duration,
    /// Origins besides the request's own host that may make state-changing calls.
    pub allowed_origins: Vec<String>,
    /// The header that carries the identity upstream, deleted from every request before.
    pub identity_header: HeaderName,
    /// Names of the session cookie that count as a credential.
    pub cookies: Vec<String>,
}

/// `[tracing]`: W3C trace context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// How many of 2^32 traces that begin here are marked to be recorded.
    pub sample: u64,
    /// Whether traces that clients began go on.
    pub from_clients: bool,
    /// Where the proxy's own spans go; absent: nowhere.
    pub export: Option<Export>,
}

/// An OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Where it takes OTLP over HTTP; `http` always.
    pub url: Uri,
    /// What this proxy is called there.
    pub service: String,
}

/// `[upstreams.NAME]`: servers that answer the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name that routes use.
    pub name: Arc<str>,
    /// Its servers; every address of a name is an endpoint.
    pub servers: Vec<Member>,
    /// TLS towards the servers; absent: none.
    pub tls: Option<Secure>,
    /// What is spoken with them.
    pub protocol: Protocol,
    /// Requests beside each other on one HTTP/2 connection at most.
    pub max_streams: usize,
    /// How one is chosen.
    pub policy: Policy,
    /// How often names are resolved again.
    pub resolve: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the response head.
    pub response_timeout: Duration,
    /// Longest silence inside a response body (event streams are exempt).
    pub body_idle_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Connections to one server at most, over all workers; tunnels and streams included.
    pub max_connections: usize,
    /// Requests that may wait for a connection when all are in use, over all workers.
    pub queue: usize,
    /// How long they may.
    pub queue_timeout: Duration,
    /// The part of the requests, in percent, that may be sent a second time.
    pub retry_budget: u8,
    /// Longest silence of a tunnel (WebSocket) before it is closed.
    pub tunnel_idle: Duration,
    /// Active health check; absent: a server is judged by its answers alone.
    pub health: Option<Health>,
    /// When a server is left out because requests to it fail; absent: never.
    pub eject: Option<Eject>,
    /// How long the share of a server grows that is well again; zero: it has its whole share at once.
    pub slow_start: Duration,
}

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Where it is.
    pub at: Place,
    /// Its part of the requests, in relation to the weights of the others.
    pub weight: u32,
    /// It gets requests only when no other server is well.
    pub backup: bool,
}

/// Where a server is: on the network, or behind a socket in the file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Host and port.
    Net(Endpoint),
    /// The path of a socket.
    Unix(PathBuf),
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What is spoken with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1: one request after the other on a connection.
    #[default]
    Http1,
    /// HTTP/2, agreed on by TLS: requests share connections.
    Http2,
    /// HTTP/2 without TLS, known beforehand.
    Http2Clear,
}

/// How a server is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Policy {
    /// In turn.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight; in turn among equals.
    LeastConnections,
    /// Of two servers by chance, the one with the lower response time for each request it has at hand.
    RandomTwo,
    /// The same server for the same key, as long as it is well.
    Hash(HashBy),
}

/// What requests have in common that belong on the same server; without the header or the cookie, the
/// client counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashBy {
    /// The address of the client.
    Client,
    /// The value of a header.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie(String),
}

/// An active health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Path that answers 2xx when all is well.
    pub path: String,
    /// Time between two checks.
    pub interval: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// So many bad answers in a row take a server out.
    pub unhealthy_after: u32,
    /// So many good ones in a row put it back.
    pub healthy_after: u32,
}

/// When a server is left out because requests to it fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eject {
    /// So many failures in a row, as one worker sees them, are too many ...
    pub failures: u32,
    /// ... if they happen in this time.
    pub within: Duration,
    /// How long it is left out.
    pub duration: Duration,
    /// The part of an upstream's servers that may be left out at the same time, in percent.
    pub at_most: u8,
    /// Answers that count as failures, besides connections that fail and answers that don't come.
    pub statuses: Vec<u16>,
}

impl Default for Eject {
    fn default() -> Self {
        Self {
            failures: 5,
            within: Duration::from_secs(10),
            duration: Duration::from_secs(10),
            at_most: 50,
            statuses: vec![502, 503, 504],
        }
    }
}

impl Config {
    /// Whether spans go to a collector.
    pub(crate) fn exports_traces(&self) -> bool {
        self.tracing.as_ref().is_some_and(|tracing| tracing.export.is_some())
    }

    /// Reads and checks a file, with `${NAME}` taken from the environment.
    ///
    /// # Errors
    /// [`ConfigError`]: the file can't be read, or what is wrong in it, with positions.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Read { file: name.clone(), cause })?;
        Self::parse(&text, &name)
    }

    /// Checks a text; `file` only names it in messages.
    ///
    /// # Errors
    /// [`ConfigError`] with every finding.
    pub fn parse(text: &str, file: &str) -> Result<Loaded, ConfigError> {
        Self::parse_with(text, file, &|name| std::env::var(name).ok())
    }

    /// [`parse`](Self::parse) with variables looked up by `environment`.
    fn parse_with(
        text: &str,
        file: &str,
        environment: expand::Environment<'_>,
    ) -> Result<Loaded, ConfigError> {
        read(text, environment)
            .map(|(config, warnings)| {
                let warnings = warnings
                    .into_iter()
                    .map(|finding| Warning { file: file.to_owned(), finding })
                    .collect();
                Loaded { config, warnings }
            })
            .map_err(|mut findings| {
                findings.sort_by_key(|finding| (finding.line, finding.column));
                ConfigError::Invalid { file: file.to_owned(), findings }
            })
    }
}

fn read(
    text: &str,
    environment: expand::Environment<'_>,
) -> Result<(Config, Vec<Finding>), Vec<Finding>> {
    let mut root = DeTable::parse(text)
        .map_err(|error| vec![syntax_error(&Document::unparsed(text), &error)])?;
    let document = Document::new(text, root.get_ref());
    let mut findings = Vec::new();
    expand::expand(root.get_mut(), environment, &document, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let file = File::deserialize(toml::Deserializer::from(root))
        .map_err(|error| vec![schema_error(&document, &error)])?;
    let mut builder = Builder { document: &document, errors: Vec::new(), warnings: Vec::new() };
    let config = builder.config(file);
    if builder.errors.is_empty() { Ok((config, builder.warnings)) } else { Err(builder.errors) }
}

/// The text is not TOML.
fn syntax_error(document: &Document<'_>, error: &toml::de::Error) -> Finding {
    let offset = error.span().map_or(0, |span| span.start);
    let message = error.message().replace('\n', ", ");
    let remedy = "values are written as in TOML: \"text\", 5, [\"a\", \"b\"]; tables as [name]";
    Finding::at(document, offset, message, remedy)
}

/// It is TOML, but a key is unknown, missing, or of the wrong type.
fn schema_error(document: &Document<'_>, error: &toml::de::Error) -> Finding {
    let offset = error.span().map_or(0, |span| span.start);
    let message = error.message();
    // serde: unknown field `a`, expected one of `b`, `c`
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let Some((name, known)) = quoted.split_first()
    {
        let remedy = match build::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", known.join(", ")),
        };
        return Finding::at(document, offset, "unknown key", remedy);
    }
    if message.starts_with("missing field")
        && let Some(name) = quoted.first()
    {
        return Finding::at(document, offset, format!("`{name}` is missing"), "add it");
    }
    Finding::at(document, offset, message, "docs/proxy-conf.md lists every key with its type")
}

#[cfg(test)]
mod tests;
