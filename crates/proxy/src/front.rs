//! How clients connect: what happens on a connection before its first request, and what is known about it
//! from then on.
//!
//! - `door`: a place where clients connect; which requests go no further than that.
//! - `crowd`: how many connections one client may have.
//! - `proxy_protocol`: the client's address, told by a proxy in front of this one.
//! - `tls`: handshakes; which keys there are, and when they are read again.
//! - `certificates`: which certificate is shown for which name.
//! - `validity`: until when it is good.
//! - `local_ca`: a certificate authority of the proxy's own, for LANs.
//! - `frames`: the frames of HTTP/2, counted.
//! - `stream`: a connection with or without TLS.

pub(crate) mod certificates;
pub(crate) mod crowd;
pub(crate) mod door;
pub mod frames;
mod local_ca;
pub mod proxy_protocol;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod validity;
