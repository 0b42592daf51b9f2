//! A small vocabulary: `upstream`, `proxy().route(..).start()`, `Client::to(..)`; bytes in, bytes out.

mod chance;
mod client;
pub(crate) mod frames;
mod program;
mod proxies;
mod tls;
mod upstreams;

pub(crate) use chance::Chance;
pub(crate) use client::{Client, Response, get};
pub(crate) use program::Program;
pub(crate) use proxies::{Builder, Running, metric, proxy};
pub(crate) use tls::{Authority, Trust};
pub(crate) use upstreams::{Conn, Message, Upstream, auth_service, header, ok};

use std::future::Future;
use std::time::Duration;

/// Longest wait for anything in a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The result, or a failed test instead of one that hangs.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Waits for a fact that another thread brings about.
pub(crate) async fn eventually(what: &str, mut fact: impl FnMut() -> bool) {
    soon(what, async {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
