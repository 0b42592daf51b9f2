//! What was acknowledged survives kill -9, exactly once.
//!
//! Writers send under ids of their own and repeat what was not acknowledged. The tracker is killed after
//! a number of acknowledgements that a seed decides: in the middle of commits, since all writers
//! always have one message under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::chance::Chance;
use system_tests::{User, World, eventually, patience};
use tokio::sync::watch;

use crate::reader::follow;

const WRITERS: usize = 32;
const ROUNDS: usize = 5;
const CHANNEL: &str = "general";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_message_is_lost_or_doubled_by_kill_9() {
    let mut world = unlimited().await;
    let writer = world.guest("writer").await;
    writer.joins(CHANNEL).await.ok();
    let acknowledged = storm(&mut world, &writer, 0x5eed_0001).await;
    let reader = User::new("writer", &world.tracker.addr());
    holds_exactly(&acknowledged, &reader.history(CHANNEL, 0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_behind_the_proxy_resume_and_see_every_message_once() {
    let mut world = unlimited().await;
    let alice = world.account("alice").await;
    let bob = world.account("bob").await;
    alice.get("/chat/me").await.ok();
    bob.get("/chat/me").await.ok();

    let (heads, head) = watch::channel(None);
    let readers: Vec<_> = [alice.clone(), bob.clone(), bob.clone()]
        .into_iter()
        .map(|reader| tokio::spawn(follow(reader, CHANNEL, head.clone())))
        .collect();
    let acknowledged = storm(&mut world, &alice, 0x5eed_0002).await;
    let log = alice.history(CHANNEL, 0).await;
    holds_exactly(&acknowledged, &log);

    heads.send_replace(Some(log.len() as u64));
    for reader in readers {
        let seen = tokio::time::timeout(patience(), reader).await.expect("a reader lags").unwrap();
        holds_exactly(&acknowledged, &seen);
    }
}

/// All writers share one name, and the limit of calls for one is no part of this test.
async fn unlimited() -> World {
    World::plan().tracker_flags(&["--rate", "0"]).start().await
}

/// Ids that were acknowledged, with the place that the acknowledgement named.
type Acknowledged = BTreeMap<String, u64>;

/// Writes from [`WRITERS`] tasks while the tracker is killed [`ROUNDS`] times.
async fn storm(world: &mut World, author: &User, seed: u64) -> Acknowledged {
    let (count, counted) = watch::channel(0_u64);
    let count = Arc::new(count);
    let (stop, stopped) = watch::channel(false);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(author.clone(), writer, count.clone(), stopped.clone())))
        .collect();

    let mut chance = Chance::new(seed);
    let mut target = 0;
    let mut up = Duration::ZERO;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        target = *counted.borrow() + 200 + chance.below(500);
        reaches(&counted, target).await;
        world.tracker.kill().await;
        up += start.elapsed();
        world.tracker.restart().await;
    }
    reaches(&counted, target + 200).await;
    stop.send_replace(true);

    let mut acknowledged = Acknowledged::new();
    for writer in writers {
        let own = tokio::time::timeout(patience(), writer).await.expect("a writer hangs").unwrap();
        acknowledged.extend(own);
    }
    let rate = f64::from(u32::try_from(target).unwrap()) / up.as_secs_f64();
    eprintln!("{} messages acknowledged, {rate:.0} a second", acknowledged.len());
    acknowledged
}

async fn reaches(counted: &watch::Receiver<u64>, target: u64) {
    let mut counted = counted.clone();
    let waiting = counted.wait_for(|&count| count >= target);
    tokio::time::timeout(patience(), waiting).await.expect("the writers got stuck").unwrap();
}

/// Sends message after message, each until it is acknowledged.
async fn write(
    author: User,
    writer: usize,
    count: Arc<watch::Sender<u64>>,
    stopped: watch::Receiver<bool>,
) -> Acknowledged {
    let mut own = Acknowledged::new();
    for number in 0.. {
        if *stopped.borrow() {
            break;
        }
        let id = format!("{writer}-{number}");
        let seq = eventually("an acknowledgement", || async {
            match author.says_as(CHANNEL, &format!("message {id}"), &id).await {
                Ok(answer) if answer.status == 200 => answer.ok()["seq"].as_u64(),
                Ok(answer) if [502, 503, 504].contains(&answer.status) => None,
                Ok(answer) => panic!("{id}: {} {}", answer.status, answer.text),
                Err(_) => None,
            }
        })
        .await;
        own.insert(id, seq);
        count.send_modify(|count| *count += 1);
    }
    own
}

/// Every acknowledged id once and at its place, and the places are 1, 2, 3, … without a gap.
fn holds_exactly(acknowledged: &Acknowledged, log: &[Value]) {
    let mut places = BTreeMap::new();
    for (at, message) in log.iter().enumerate() {
        assert_eq!(message["seq"], at as u64 + 1, "a gap or a double before {message}");
        let id = message["id"].as_str().unwrap();
        let before = places.insert(id, at as u64 + 1);
        assert_eq!(before, None, "{id} is there twice");
    }
    for (id, seq) in acknowledged {
        assert_eq!(places.get(id.as_str()), Some(seq), "{id} was acknowledged");
    }
    assert_eq!(places.len(), acknowledged.len(), "messages that nobody sent");
}
