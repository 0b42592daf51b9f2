//! The reverse proxy: routes by host and path, asks backend-auth, streams everything.
//!
//! # Layout
//! - [`config`]: proxy.conf, read and checked.
//! - [`routes`]: host and path to route; pure.
//! - [`target`]: host and path of a request, in one canonical form; pure.
//! - [`headers`]: what is taken out and put in on the way through; pure.
//! - [`check`]: the text of `proxy check`.

pub mod check;
pub mod config;
pub mod headers;
pub mod routes;
pub mod target;
