//! The tracker: calls to it, and the live stream that comes back by itself.
//!
//! # Layout
//! - [`server`]: the server's address.
//! - [`connect`]: connections to it, plain or TLS.
//! - [`http`]: one call: a request, an envelope back.
//! - [`session`]: the session that a sign-in gave, kept in a file.
//! - [`door`]: the two steps of a sign-in.
//! - [`calls`]: [`Tracker`]: signing in, and each call that a peer needs.
//! - [`live`]: the live stream over a WebSocket, with commands.
//! - [`backoff`]: how long to wait before the next try.
//! - [`ice`]: STUN and TURN servers, by their URLs.

pub mod backoff;
pub mod calls;
pub mod connect;
pub mod door;
pub mod http;
pub mod ice;
pub mod live;
pub mod server;
pub mod session;

pub use calls::{SignInError, Tracker};
pub use door::HalfWay;
pub use http::CallError;
pub use live::{Live, LiveEvent};
pub use server::Server;
