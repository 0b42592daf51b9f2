//! How clients connect: what happens on a connection before its first request, and what is known about it
//! from then on.
//!
//! - `crowd`: how many connections one client may have.
//! - `proxy_protocol`: the client's address, told by a proxy in front of this one.

pub(crate) mod crowd;
pub(crate) mod proxy_protocol;
