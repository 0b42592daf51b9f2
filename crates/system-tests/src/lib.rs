//! The real programs together, over real sockets.
//!
//! A test here starts the binaries that a user starts, with the committed `proxy.conf`, and talks to
//! them as a browser, as curl, or as a peer would. Nothing is mocked but a neighbour that a test
//! wants to watch or to break.
//!
//! # Layout
//! - [`binaries`]: finds the programs, building them once when they are missing or old.
//! - [`program`]: one running program: its log, its memory, its signals, its restart on the same port.
//! - [`ports`]: port numbers that stay ours while a program is down.
//! - [`world`]: [`World`]: proxy, backend-auth and tracker, wired together in a folder of their own.
//! - [`user`]: [`User`]: someone who calls, with a session through the proxy or as a guest.
//! - [`stream`]: a live stream of events over SSE.
//! - [`neighbour`]: upstreams made for tests: one that records what arrives, one that moves bytes.
//! - [`raw`]: HTTP by hand, for requests that no client library would send.
//! - [`link`](mod@link): a TCP relay that a test can pause and cut.
//! - [`lab`]: machines with a network between them, as network namespaces.
//! - [`capture`]: what went over the wire.
//! - [`turn`]: a TURN server.
//! - [`chance`]: random numbers that a seed repeats.
//! - [`native`]: a native peer, told what to do.
//! - [`liar`]: a tracker that changes signals on their way.
//! - [`markdown`]: the code blocks of the documentation.
//! - [`documented`]: compares an answer with the one that the documentation shows.

// The harness panics where a test would: that is how it reports.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod binaries;
pub mod capture;
pub mod chance;
pub mod documented;
pub mod lab;
pub mod liar;
pub mod link;
pub mod markdown;
pub mod native;
pub mod neighbour;
pub mod ports;
pub mod program;
pub mod raw;
pub mod stream;
pub mod turn;
pub mod user;
pub mod world;

pub use native::Native;
pub use program::Program;
pub use stream::EventStream;
pub use user::{Answer, User, WebSocket};
pub use world::World;

use std::time::Duration;

/// How long a test waits for something that should happen at once; `PATIENCE` (seconds) stretches it
/// on a busy machine.
pub fn patience() -> Duration {
    let seconds = std::env::var("PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    Duration::from_secs(seconds)
}

/// Asks again and again, a little later each time, until `probe` gives something.
///
/// # Panics
/// When [`patience`] is over; `what` says what was waited for.
pub async fn eventually<T, F>(what: &str, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let asking = async {
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    };
    match tokio::time::timeout(patience(), asking).await {
        Ok(found) => found,
        Err(_) => panic!("waited {:?} in vain: {what}", patience()),
    }
}
