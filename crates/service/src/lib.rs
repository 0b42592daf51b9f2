//! What every program of hybrid chat needs once.
//!
//! # Layout
//! - [`args`]: the flags all programs share, and usage errors of one line with exit code 2.
//! - [`telemetry`]: the log, as text on a terminal and as JSON otherwise.
//! - [`bind`]: listening sockets, with an "address in use" that says what to do next.
//! - [`mod@file`]: files that are there whole or not at all.
//! - [`memory`]: small pages, for a program that holds many connections.
//! - [`open_files`]: room for many connections; [`bind`] sees to it.
//! - [`shutdown`]: SIGTERM and SIGINT as a token; a second signal ends the process at once.
//! - [`problem`]: the error envelope of every answer, `{"status":"error","message","code"}`.
//! - [`probe`]: asks a running program whether it is alive (the `health` subcommand).
//! - [`admin`]: `/health`, `/ready` and `/metrics` on an address of their own.
//! - [`http`] (feature `axum`): serves a router with time-outs, a connection cap and a bounded drain.

pub mod admin;
pub mod args;
pub mod bind;
pub mod file;
#[cfg(feature = "axum")]
pub mod http;
pub mod memory;
pub mod open_files;
pub mod probe;
pub mod problem;
pub mod shutdown;
pub mod telemetry;

pub use problem::Problem;
pub use shutdown::Shutdown;
