//! Deliveries to the members of a channel: how late they come at a given rate, and how many there can be.
//!
//! Each message carries the moment it was sent (`^T…^`, nanoseconds since the start), which each reader
//! finds in its bytes, whatever the protocol around it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::durable::TEXT;
use crate::http::{Caller, open};
use crate::stats::{Latencies, cpu_micros, print};
use crate::{Error, Kind};

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Readers, each a member of the channel.
    #[arg(long, default_value_t = 1000)]
    pub(crate) members: usize,
    /// Messages a second; 0 for as many as get through.
    #[arg(long, value_delimiter = ',', default_value = "10,100,0")]
    pub(crate) rates: Vec<u32>,
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
    /// Senders that share the rate.
    #[arg(long, default_value_t = 16)]
    pub(crate) senders: usize,
    /// The server's process, whose processor time is told.
    #[arg(long)]
    pub(crate) watch: Option<u32>,
}

/// Messages that may be on their way when as many are sent as get through.
const WINDOW: usize = 64;

/// One who sends: to the tracker, or to what it is compared with.
pub(crate) trait Sender: Send + 'static {
    /// Sends a text to the channel; done when the other side has taken it.
    fn send(&mut self, text: &str) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What all readers have seen in one run.
pub(crate) struct Seen {
    start: Instant,
    deliveries: AtomicUsize,
    more: Notify,
}

impl Seen {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            deliveries: AtomicUsize::new(0),
            more: Notify::new(),
        })
    }
}

/// Reads a stream until it ends; the latencies of what it saw go to `collected` every now and then.
pub(crate) async fn read(
    mut stream: TcpStream,
    seen: Arc<Seen>,
    collected: Arc<std::sync::Mutex<Latencies>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut scan = Scan::default();
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        let now = Instant::now();
        let mut found = 0;
        for &byte in &buffer[..read] {
            if let Some(nanos) = scan.next(byte) {
                found += 1;
                let late = now.saturating_duration_since(seen.start + Duration::from_nanos(nanos));
                collected.lock().unwrap_or_else(|lock| lock.into_inner()).add(late);
            }
        }
        if found > 0 {
            seen.deliveries.fetch_add(found, Ordering::Relaxed);
            seen.more.notify_waiters();
        }
    }
}

/// Finds `^T<digits>^` in a stream of bytes.
#[derive(Default)]
struct Scan {
    state: u8,
    value: u64,
}

impl Scan {
    fn next(&mut self, byte: u8) -> Option<u64> {
        match (self.state, byte) {
            (1, b'T') => (self.state, self.value) = (2, 0),
            (2, b'0'..=b'9') => self.value = self.value * 10 + u64::from(byte - b'0'),
            (2, b'^') => {
                self.state = 0;
                return Some(self.value);
            }
            (_, b'^') => self.state = 1,
            _ => self.state = 0,
        }
        None
    }
}

/// Goes through the plan's rates.
pub(crate) async fn measure<S: Sender>(
    plan: &Plan,
    seen: &Arc<Seen>,
    collected: &Arc<std::sync::Mutex<Latencies>>,
    mut senders: Vec<S>,
) -> Result<(), Error> {
    for &rate in &plan.rates {
        seen.deliveries.store(0, Ordering::Relaxed);
        *collected.lock().unwrap_or_else(|lock| lock.into_inner()) = Latencies::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let used = plan.watch.and_then(cpu_micros);
        let started = Instant::now();
        let ends = started + Duration::from_secs_f64(plan.seconds);
        let tasks: Vec<_> = senders
            .drain(..)
            .map(|mut sender| {
                let (seen, begun, members) = (seen.clone(), begun.clone(), plan.members);
                tokio::spawn(async move {
                    let mut taken = Latencies::default();
                    while Instant::now() < ends {
                        let number = begun.fetch_add(1, Ordering::Relaxed);
                        wait_for_turn(number, rate, started, &seen, members).await;
                        let sent = Instant::now();
                        let nanos = sent.duration_since(seen.start).as_nanos();
                        sender.send(&format!("^T{nanos}^ {TEXT}")).await?;
                        taken.add(sent.elapsed());
                    }
                    Ok::<_, Error>((sender, taken))
                })
            })
            .collect();
        let mut taken = Latencies::default();
        for task in tasks {
            let (sender, latencies) = task.await??;
            senders.push(sender);
            taken.extend(latencies);
        }
        let expected = begun.load(Ordering::Relaxed) * plan.members;
        let all =
            tokio::time::timeout(Duration::from_secs(10), until(seen, expected)).await.is_ok();
        let elapsed = started.elapsed().as_secs_f64();
        let deliveries = seen.deliveries.load(Ordering::Relaxed);
        let mut late =
            std::mem::take(&mut *collected.lock().unwrap_or_else(|lock| lock.into_inner()));
        let used = plan.watch.and_then(cpu_micros).zip(used).map(|(now, before)| now - before);
        print(&json!({
            "cpu_us_per_delivery": used.map(|used| used / deliveries.max(1) as f64),
            "rate": rate, "members": plan.members, "all_delivered": all && deliveries == expected,
            "messages_per_second": taken.len() as f64 / elapsed,
            "deliveries_per_second": deliveries as f64 / elapsed,
            "delivery": late.summary(), "acknowledged": taken.summary(),
        }));
    }
    Ok(())
}

async fn wait_for_turn(number: usize, rate: u32, started: Instant, seen: &Seen, members: usize) {
    if rate == 0 {
        until(seen, number.saturating_sub(WINDOW) * members).await;
    } else {
        let due = started + Duration::from_secs_f64(number as f64 / f64::from(rate));
        tokio::time::sleep_until(due.into()).await;
    }
}

/// Waits until so many deliveries were seen.
async fn until(seen: &Seen, deliveries: usize) {
    loop {
        let more = seen.more.notified();
        if seen.deliveries.load(Ordering::Relaxed) >= deliveries {
            return;
        }
        more.await;
    }
}

struct Speaker {
    caller: Caller,
    peer: String,
}

impl Sender for Speaker {
    async fn send(&mut self, text: &str) -> Result<(), Error> {
        self.caller.say(&self.peer, "fanout", text).await
    }
}

/// The tracker's fan-out.
pub(crate) async fn tracker(tracker: SocketAddr, kind: Kind, plan: &Plan) -> Result<(), Error> {
    let mut caller = Caller::connect(tracker).await?;
    let mut peers = Vec::with_capacity(plan.members);
    for number in 0..plan.members {
        let peer = format!("member-{number}");
        caller.register(&peer).await?;
        caller.join(&peer, "fanout").await?;
        peers.push(peer);
    }
    let seen = Seen::new();
    let collected = Arc::new(std::sync::Mutex::new(Latencies::default()));
    for peer in &peers {
        let stream = open(tracker, kind, Some(peer), None).await?;
        tokio::spawn(read(stream, seen.clone(), collected.clone()));
    }
    // Members speak too, as in life.
    let mut senders = Vec::with_capacity(plan.senders);
    for peer in peers.into_iter().take(plan.senders) {
        senders.push(Speaker { caller: Caller::connect(tracker).await?, peer });
    }
    measure(plan, &seen, &collected, senders).await
}
