//! Addresses at a TURN server, for when there is no direct way: a client for TURN over UDP with long-term credentials
//! (RFC 8656). Pure: datagrams and time come in, datagrams and [`Event`]s come out.
//!
//! # How it is driven
//! 1. [`Relays::set`] says which servers there are, and from which socket each is reached; again whenever either
//!    changes, or the credentials.
//! 2. After every call, [`Relays::poll_transmit`] is emptied onto the sockets and [`Relays::poll_event`] is emptied.
//! 3. [`Relays::handle_timeout`] is called when [`Relays::timeout`] has come.
//! 4. Every datagram that STUN has not taken is shown to [`Relays::receive`], before ICE sees it: all that comes from
//!    a TURN server is for it. What was wrapped in it comes out as [`Received::Data`], and goes to ICE as if it had
//!    come to the relayed address.
//! 5. What ICE wants to send from a relayed address goes to [`Relays::send`].
//! 6. [`Relays::check`] before a new link, and when one over it broke: a server that was restarted has forgotten all.
//! 7. [`Relays::close`] at the end; it is over when [`Relays::closed`] says so, 2 s later at most.
//!
//! Permissions are asked for with the first datagram to an address, which waits until it is there. A peer to whom much
//! is sent gets a channel, whose datagrams carry 4 bytes more instead of 36.
//!
//! # Layout
//! - [`Relays`]: the servers, each with a client; one that failed is tried again.
//! - `client`: one allocation at one server.
//! - `peers`: an allocation's permissions and channels.
//! - `message`: TURN's messages, read and written with the crate `stun-types`.

mod client;
mod message;
mod peers;
mod relays;
#[cfg(test)]
pub(super) mod tests;

use std::net::SocketAddr;

pub(super) use self::relays::Relays;

/// Bytes of a datagram that is to be relayed, at most. Those of a link have a fifth of it.
const DATAGRAM_BYTES: usize = 8 * 1024;

/// What a datagram was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    /// Nothing that came from a TURN server.
    Foreign,
    /// It was for this client, or nothing that anybody could use.
    Taken,
    /// A peer's datagram.
    Data {
        /// The relayed address to which it was sent.
        relayed: SocketAddr,
        /// The peer.
        from: SocketAddr,
        /// What the peer sent.
        datagram: &'a [u8],
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// There is a relayed address.
    Allocated {
        /// The socket that it belongs to.
        local: SocketAddr,
        /// The address at the server, under which others reach this device.
        relayed: SocketAddr,
        /// How the server sees the socket: a server-reflexive address.
        mapped: SocketAddr,
    },
    /// No address could be had. It is tried again by itself, at growing intervals.
    Failed {
        /// At which server.
        server: SocketAddr,
        /// Why, in words.
        failure: Failure,
    },
    /// A relayed address is gone. A new one is tried for by itself.
    Lost {
        /// Which.
        relayed: SocketAddr,
        /// Why, in words.
        failure: Failure,
    },
}

/// Why there is no relayed address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// 401 for a request that was signed, or credentials that no request can carry.
    #[error("the TURN server does not accept the credentials")]
    Credentials,
    /// 486.
    #[error("the TURN server gives this user no more addresses")]
    Quota,
    /// 508.
    #[error("the TURN server is full")]
    Full,
    /// 437, also after the earlier one was given up.
    #[error("the TURN server still holds an earlier address of this port")]
    Mismatch,
    /// It has forgotten the allocation: it was restarted, say.
    #[error("the TURN server has forgotten the address")]
    Forgotten,
    /// No answer to a request that was sent seven times.
    #[error("the TURN server does not answer")]
    Silent,
    /// An answer without what it has to have.
    #[error("the TURN server answers with nonsense")]
    Nonsense,
    /// Any other error, as the server words it.
    #[error("the TURN server refused: {words} ({code})")]
    Refused {
        /// 300 to 699.
        code: u16,
        /// The server's own.
        words: String,
    },
    /// The server, or the socket, is no longer among those given.
    #[error("the TURN server is no longer used")]
    Unused,
}
