//! Many streams on which nothing happens.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::http::{Caller, open};
use crate::stats::print;
use crate::{Error, Kind};

/// What is done at a time.
const AT_ONCE: usize = 64;

fn peer(number: usize) -> String {
    format!("idle-{number}")
}

/// Registers the guests whose streams [`hold`] opens; all join one channel.
pub(crate) async fn register(tracker: SocketAddr, peers: usize) -> Result<(), Error> {
    let shares = stream::iter(0..AT_ONCE).map(async |share| {
        let mut caller = Caller::connect(tracker).await?;
        for number in (share..peers).step_by(AT_ONCE) {
            caller.register(&peer(number)).await?;
            caller.join(&peer(number), "general").await?;
        }
        Ok::<_, Error>(())
    });
    shares.buffer_unordered(AT_ONCE).try_collect().await
}

/// Opens streams, says so, reads what comes, and ends with standard input.
pub(crate) async fn hold(
    address: SocketAddr,
    kind: Kind,
    streams: usize,
    cookie: Option<&str>,
) -> Result<(), Error> {
    let started = Instant::now();
    let opened = stream::iter(0..streams).map(async |number| {
        let peer = cookie.is_none().then(|| peer(number));
        open(address, kind, peer.as_deref(), cookie).await
    });
    let opened: Vec<_> = opened.buffer_unordered(AT_ONCE).try_collect().await?;
    print(&json!({ "streams": opened.len(), "seconds": started.elapsed().as_secs_f64() }));
    for mut stream in opened {
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok(1..) = stream.read(&mut buffer).await {}
        });
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await??;
    Ok(())
}
