//! A name that nobody has and a password that is wrong are told apart by nothing: not by the answer, not by its time.

use std::time::{Duration, Instant};

use backend_auth::Flags;
use rustix::time::{ClockId, clock_gettime};

use crate::provider::{Provider, assert_leads, sign_in};
use crate::support::{Answer, OTHER_PASSWORD, Visitor, World};

/// Tries of each.
const TRIES: usize = 200;
/// How far medians may be apart.
const WITHIN: std::ops::RangeInclusive<f64> = 0.9..=1.1;
/// How often it is measured when other programs were in the way.
const ROUNDS: usize = 10;

/// All of an answer that a client sees, but for the time of day.
fn seen(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
    (answer.status.as_u16(), answer.text.clone(), headers.collect())
}

#[tokio::test]
async fn unknown_name_and_wrong_password_are_told_apart_by_nothing() {
    let world = World::new().await;
    world.member("alice").await;
    let wrong = world.visitor().login("alice", OTHER_PASSWORD).await;
    for name in ["nobody", "not a name", "", &"x".repeat(500)] {
        let unknown = world.visitor().login(name, OTHER_PASSWORD).await;
        assert_eq!(unknown.status, 401);
        assert_eq!(seen(&unknown), seen(&wrong));
    }
}

/// What this process (the server and its one client) worked so far: other programs take none of it, however busy they are.
fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    let half = times.len() / 2;
    (times[half - 1] + times[half]).as_secs_f64()
}

/// A wrong password's median for a known name, in unknown names', for the work and for the wait.
async fn compare(visitor: &Visitor, known: &str) -> (f64, f64) {
    let wrong = seen(&visitor.login(known, OTHER_PASSWORD).await);
    let (mut work, mut wait) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for number in 0..TRIES {
        // Each goes first half of the time.
        for which in [number % 2, (number + 1) % 2] {
            let (begun, before) = (Instant::now(), worked());
            let answer = visitor.login([known, "nobody"][which], OTHER_PASSWORD).await;
            wait[which].push(begun.elapsed());
            work[which].push(worked() - before);
            assert_eq!(seen(&answer), wrong);
        }
    }
    let [work, wait] = [work, wait].map(|mut times| {
        let [known, unknown] = times.each_mut().map(|times| median(times));
        known / unknown
    });
    (work, wait)
}

/// With the hash at half of the whole: a missing one stands out, and so does what is done beside it for one of them only. Of the work other
/// programs take nothing but room in the caches; the wait has them in it, and they strike at either as it comes. A difference of our own would
/// show in each round.
async fn assert_same_time(visitor: &Visitor, known: &str) {
    let (mut rounds, mut same_work, mut same_wait) = (Vec::new(), false, false);
    while rounds.len() < ROUNDS && !(same_work && same_wait) {
        let (work, wait) = compare(visitor, known).await;
        eprintln!("wrong password to unknown name: work {work:.3}, wait {wait:.3}");
        same_work |= WITHIN.contains(&work);
        same_wait |= WITHIN.contains(&wait);
        rounds.push((work, wait));
    }
    assert!(same_work && same_wait, "work and wait: {rounds:?}");
}

fn half_is_the_hash(flags: &mut Flags) {
    flags.hash_memory_kib = 4096;
    flags.hash_passes = 1;
}

#[tokio::test]
async fn unknown_name_and_wrong_password_take_the_same_time() {
    let world = World::with(half_is_the_hash).await;
    world.member("alice").await;
    assert_same_time(&world.visitor(), "alice").await;
}

#[tokio::test]
async fn so_does_an_account_without_a_password() {
    let provider = Provider::start().await;
    let world = provider.world_with(half_is_the_hash).await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    assert_same_time(&world.visitor(), "ada").await;
}
