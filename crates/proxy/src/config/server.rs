//! `[server]`: how clients are served.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::Listen;
use crate::log::Format;

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
