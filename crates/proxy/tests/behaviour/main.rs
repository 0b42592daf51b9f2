//! The proxy over real sockets, one file a behaviour. One binary, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on should say where"
)]

mod access_log;
mod auth;
mod balance;
mod check;
mod corpus;
mod crowds;
mod differential;
mod early_answers;
mod ejection;
mod expectations;
mod faults;
mod forwarding;
#[expect(unreachable_pub, reason = "public for the fuzz targets")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
mod http2;
mod http2_floods;
mod http2_refusals;
mod http2_upstream;
mod http2_web_socket;
mod idle;
mod live_streams;
mod local_ca;
mod metrics;
mod names;
mod own_answers;
mod paths;
mod program;
mod proxy_protocol;
mod queueing;
mod rate_limits;
mod reload;
mod retries;
mod rewriting;
mod route_headers;
mod shutdown;
mod slow_bodies;
mod slow_clients;
mod smuggling;
mod splitting;
mod streaming;
mod support;
mod table;
mod tls;
mod transport;
mod truncation;
mod upgrade;
