//! An entry of `[server] listen`.

use std::net::SocketAddr;

/// One place where clients connect, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// Each connection begins with a PROXY header that tells the client's address. Only
    /// [`trusted_proxies`](super::Server::trusted_proxies) may connect.
    pub proxy_protocol: bool,
}

impl Listen {
    /// Plain HTTP at an address.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, proxy_protocol: false }
    }
}
