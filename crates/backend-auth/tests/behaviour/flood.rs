//! A flood of logins against the program itself, at the cost that a password's hash has in use: who is signed in notices nothing, and
//! memory stays bounded.

use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::program::{Running, program_with, run_with};
use crate::support::{OTHER_PASSWORD, PASSWORD, folder};

const THREADS: usize = 2;
/// Connections that log in without a pause.
const FLOOD: usize = 64;
/// Calls of which the slowest hundredth is left out.
const CALLS: usize = 500;
const BOUND: Duration = Duration::from_millis(20);
/// How often it is measured when other programs were in the way.
const ROUNDS: usize = 20;
const MIB: usize = 1024 * 1024;
/// What a hash takes.
const HASH: usize = 19 * MIB;

/// Bytes of memory that a process has (`VmRSS`) or had at most (`VmHWM`).
fn memory(pid: u32, what: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Logs in from ever new addresses until told to stop; counts what was refused after a hash and for want of a place in the queue.
async fn flood(url: &str, over: &AtomicBool, refused: &AtomicUsize, busy: &AtomicUsize) {
    let (client, number) = (reqwest::Client::new(), AtomicUsize::new(0));
    join_all((0..FLOOD).map(|_| async {
        while !over.load(Ordering::Relaxed) {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let ip = format!("10.{}.{}.{}", number / 62_500, number / 250 % 250, number % 250);
            let body = json!({"username": "alice", "password": OTHER_PASSWORD});
            let request = client.post(url).header("x-forwarded-for", ip).json(&body);
            match request.send().await.unwrap().status().as_u16() {
                401 => refused.fetch_add(1, Ordering::Relaxed),
                503 => busy.fetch_add(1, Ordering::Relaxed),
                other => panic!("{other}"),
            };
        }
    }))
    .await;
}

/// The 99th percentile of `GET /auth/verify`.
async fn verify(client: &reqwest::Client, url: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let begun = Instant::now();
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
        times.push(begun.elapsed());
    }
    times.sort();
    times[CALLS * 99 / 100 - 1]
}

/// Ends the program however the test ends.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stops the flood, also when what it is to disturb fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A program that keeps others waiting does so in each round; what else the machine does comes and goes.
#[test]
fn a_login_flood_neither_slows_verify_nor_takes_memory() {
    let folder = folder();
    let Running { child, stderr: mut log, port } =
        run_with(program_with(folder.path(), 19_456, 2).args([
            "--hash-threads",
            &THREADS.to_string(),
            // An attack from everywhere delays strangers; here it is to meet the hash pool in full.
            "--account-delay-max",
            "0s",
        ]));
    let program = Ends(child);
    // A log that nobody reads would stop the program.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let client = reqwest::Client::builder().cookie_store(true).build().unwrap();
    let account = json!({"username": "alice", "password": PASSWORD});
    let runtime = runtime();
    let made = runtime.block_on(client.post(at("/register")).json(&account).send()).unwrap();
    assert_eq!(made.status(), 200);
    let before = memory(program.0.id(), "VmRSS");

    let (over, refused, busy) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Attackers compute elsewhere: they take no core from who answers or asks.
            rustix::process::setpriority_process(None, 10).unwrap();
            self::runtime().block_on(flood(&at("/login"), &over, &refused, &busy));
        });
        let _stop = Over(&over);
        let full = || [&refused, &busy].iter().all(|count| count.load(Ordering::Relaxed) > 0);
        let good = |times: &[Duration]| times.last().is_some_and(|last| *last < BOUND);
        while times.len() < ROUNDS && !(full() && good(&times)) {
            times.push(runtime.block_on(verify(&client, &at("/auth/verify"))));
        }
    });
    let grown = memory(program.0.id(), "VmHWM").saturating_sub(before);
    let (refused, busy) = (refused.into_inner(), busy.into_inner());
    eprintln!("p99 {times:?}; {} MiB more; {refused} hashes, {busy} turned away", grown / MIB);
    assert!(refused > 0 && busy > 0, "the pool was full: {refused} hashes, {busy} turned away");
    assert!(times.last().unwrap() < &BOUND, "{times:?}");
    assert!(grown < THREADS * HASH + 64 * MIB, "{} MiB", grown / MIB);
}
