//! `[upstreams.NAME]`: servers, and how requests are spread over them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::Secure;

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
