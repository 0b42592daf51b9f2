//! The whole stack, tested from outside: each module is a promise that the project makes.
//!
//! - [`readme`]: every call of README.md gives the answer that README.md shows; so through the proxy.
//! - [`documents`]: README.vi.md has the same commands; the tables name every flag.
//! - [`durability`]: what was acknowledged survives kill -9, once.
//! - [`identity`]: nobody becomes someone else: forged headers, owned names, foreign pages.
//! - [`keys`]: the keys that sign identities change.
//! - [`sessions`]: login, cookie, logout; [`revocation`]: what ends with a session; [`tokens`]: those of curl and bots.
//! - [`auth_down`]: without backend-auth the protected routes are closed.
//! - [`front_door`]: a path in another spelling opens nothing. [`secrets`]: no log has one.
//! - [`upstreams`]: backends die, come late and move.
//! - [`load`]: a gigabyte each way, two thousand open streams.
//! - [`processes`]: flags, ports and signals of the programs.
//! - [`reader`]: the reader that those tests share.
//! - [`links`]: devices find each other, by signals and by STUN.
//! - [`live`]: what one says another sees, also over a broken link.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in its helpers too")]

mod auth_down;
mod documents;
mod durability;
mod front_door;
mod identity;
mod keys;
mod links;
mod live;
mod load;
mod processes;
mod reader;
mod readme;
mod revocation;
mod second_factor;
mod secrets;
mod sessions;
mod tokens;
mod upstreams;
