//! Links between engines in one process, over real UDP sockets.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

// The unit tests' coturn names it so.
use peer::links;

#[path = "../../src/links/turn/tests/coturn.rs"]
mod coturn;
mod files;
mod hostile;
mod linking;
mod relayed;
mod rogue;
mod support;
