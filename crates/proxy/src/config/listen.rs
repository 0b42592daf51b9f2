//! Where clients connect: entries of `[server] listen`, and `[tls]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One place where clients connect, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// Whose certificates are shown; absent: plain HTTP.
    pub tls: Option<TlsKind>,
    /// Requests are sent on to https.
    pub redirect_to_https: Option<Redirect>,
    /// Each connection begins with a PROXY header that tells the client's address. Only
    /// [`trusted_proxies`](super::Server::trusted_proxies) may connect.
    pub proxy_protocol: bool,
}

impl Listen {
    /// Plain HTTP at an address.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, redirect_to_https: None, proxy_protocol: false }
    }
}

/// Where the certificates of a listener come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsKind {
    /// The files of `[[tls.certificates]]`.
    Certificates,
    /// This proxy's own CA.
    Local,
}

/// Where a redirect to https leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// To the port of the first listener with TLS.
    Listener,
    /// To the port that clients know, when another one is published.
    Port(u16),
}

/// `[tls]`: certificates.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Where the local CA keeps its key and certificate.
    pub dir: PathBuf,
    /// Names and addresses that the local CA vouches for, besides those it finds.
    pub local_names: Vec<String>,
    /// Longest wait for a handshake.
    pub handshake_timeout: Duration,
    /// The certificates in files; the first one is shown to whoever asks for no name, or for one that
    /// none has.
    pub certificates: Vec<Certificate>,
}

/// A certificate in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The names that it is shown for: `"example.org"`, or `"*.example.org"` for one more label.
    pub names: Vec<String>,
    /// The chain, the server's own certificate first, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}
