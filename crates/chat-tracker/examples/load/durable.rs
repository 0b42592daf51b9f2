//! Messages a second, each acknowledged after its commit. Each sender has a channel of its own, as each
//! client of the database that it is compared with has a row of its own to count up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Error;
use crate::http::Caller;
use crate::stats::{Latencies, print};

/// A chat message of usual length.
pub(crate) const TEXT: &str =
    "The quick brown fox jumps over the lazy dog, twice: see you at ten, same room as last week.";

pub(crate) async fn run(tracker: SocketAddr, senders: &[usize], seconds: f64) -> Result<(), Error> {
    for &count in senders {
        let mut callers = Vec::with_capacity(count);
        for number in 0..count {
            let peer = format!("sender-{number}");
            let mut caller = Caller::connect(tracker).await?;
            caller.register(&peer).await?;
            caller.join(&peer, &peer).await?;
            callers.push((caller, peer));
        }
        let started = Instant::now();
        let ends = started + Duration::from_secs_f64(seconds);
        let tasks: Vec<_> = callers
            .into_iter()
            .map(|(mut caller, peer)| {
                tokio::spawn(async move {
                    let mut latencies = Latencies::default();
                    while Instant::now() < ends {
                        let sent = Instant::now();
                        caller.say(&peer, &peer, TEXT).await?;
                        latencies.add(sent.elapsed());
                    }
                    Ok::<_, Error>(latencies)
                })
            })
            .collect();
        let mut latencies = Latencies::default();
        for task in tasks {
            latencies.extend(task.await??);
        }
        let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
        print(&json!({ "senders": count, "per_second": rate, "latency": latencies.summary() }));
    }
    Ok(())
}
