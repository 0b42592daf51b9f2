//! The tracker: peers, channels, durable messages, live events, and the introductions for direct links.
//!
//! # Layout
//! - [`settings`]: the flags, and what they come to.
//! - [`tracker`]: [`Tracker`], the parts together; [`run`] serves it.
//! - [`router`]: the table of all routes.
//! - `api`: the handlers: HTTP in, HTTP out, and the OpenAPI document.
//! - [`calls`]: what the calls do, for HTTP and WebSocket alike.
//! - [`caller`]: who calls, and as which peer it may act.
//! - `extract`, `answer`: bodies and queries in, envelopes out.
//! - [`identity`]: signed identities, verified offline.
//! - `http_client`: asks backend-auth.
//! - `rate`: how often a peer may call.
//! - [`ice`]: the servers that help with direct links, and credentials for them; [`stun`]: the own one.
//! - [`peers`]: who is known, where they listen and who owns them.
//! - [`devices`]: which devices are registered, and whose they are.
//! - [`channels`]: which channels there are and who is in them.
//! - `store`: what must not be lost, in SQLite; one writer with group commit.
//! - [`hub`]: live events: a log of them, and a bounded queue for each reader.
//! - [`live`]: what live streams have in common, and the clock that drives them; `sse` and `ws` carry them.
//! - [`presence`]: who is there.
//! - [`metrics`]: the numbers on the admin address.
//! - [`clock`]: times on the wire.

mod answer;
mod api;
pub mod caller;
pub mod calls;
pub mod channels;
pub mod clock;
pub mod devices;
mod extract;
pub mod http_client;
pub mod hub;
pub mod ice;
pub mod identity;
pub mod live;
pub mod metrics;
pub mod peers;
pub mod presence;
mod rate;
pub mod router;
pub mod settings;
mod sse;
mod store;
pub mod stun;
pub mod tracker;
mod ws;

pub use caller::Caller;
pub use store::OpenError;
pub use tracker::{Tracker, run};
