//! Clients that hold places without using them, against the program itself: those of slowhttptest, and floods of
//! connections that never get as far as a request. Others are served all the while.

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::support::{Client, Program, Upstream, header, metric, ok, proxy, soon};

/// Clients that ask as ever while others attack: one that keeps its connection, and one that doesn't. Two more ask
/// another proxy before the same server, which nobody attacks: what a busy machine does to them is no fault.
struct Others {
    attacked: JoinSet<Vec<Duration>>,
    calm: JoinSet<Vec<Duration>>,
    stop: Arc<AtomicBool>,
}

/// The time between two requests of each of them: so long that a busy machine keeps up with it.
const PACE: Duration = Duration::from_millis(50);

impl Others {
    /// Each of their connections begins with `opening`.
    fn start(addr: SocketAddr, opening: &'static str, calm: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = |addr, opening| {
            let mut clients = JoinSet::new();
            for keeps in [true, false] {
                clients.spawn(ask(addr, opening, keeps, stop.clone()));
            }
            clients
        };
        Self { attacked: clients(addr, opening), calm: clients(calm, ""), stop }
    }

    /// Every one of their requests was answered, and none of them waited for an attacker.
    async fn were_served(self) {
        self.stop.store(true, Ordering::SeqCst);
        let times = soon("the last answers", self.attacked.join_all()).await.concat();
        let calm = p99(soon("the last answers", self.calm.join_all()).await.concat());
        let (count, late) = (times.len(), p99(times));
        // A worker that waits for a second, for whatever reason, makes forty of some hundred requests late.
        let most = (20 * calm).max(Duration::from_millis(500));
        assert!(late <= most, "the p99 of {count} is {late:?}, and {calm:?} of those in peace");
        assert!(count > 20, "{count}");
    }
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

/// Asks at its pace. How long each answer took, counted from when its request was due: what
/// an answer makes the next requests wait counts too.
async fn ask(
    addr: SocketAddr,
    opening: &'static str,
    keeps: bool,
    stop: Arc<AtomicBool>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut kept = None;
    let mut pace = tokio::time::interval(PACE);
    while !stop.load(Ordering::SeqCst) {
        let due = pace.tick().await;
        let mut client = match kept.take() {
            Some(client) => client,
            None => {
                let mut client = Client::to(addr).await;
                client.send(opening).await;
                client
            }
        };
        let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!((answer.status, answer.text()), (200, "hello"));
        times.push(due.elapsed());
        kept = keeps.then_some(client);
    }
    times
}

/// Connections that each of slowhttptest's attacks makes.
const ATTACKERS: &str = "60";

/// Starts slowhttptest, which opens twenty connections a second: all at once, they would be work for seconds on a busy
/// machine. Each of its connections sends next to nothing for longer than the proxy waits.
fn attack(addr: SocketAddr, path: &str, mode: &[&str]) -> Child {
    Command::new("slowhttptest")
        .args(mode)
        .args(["-c", ATTACKERS, "-r", "20", "-i", "5", "-l", "9", "-p", "3"])
        .args(["-u", &format!("http://{addr}{path}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("slowhttptest, of the Debian package of that name")
}

/// The attack is over because each of its connections was closed, and its own probe was always answered.
fn was_repelled(attack: &Output) {
    let report = String::from_utf8_lossy(&attack.stdout);
    let plain: String =
        report.split('\x1b').map(|part| part.split_once('m').unwrap_or(("", part)).1).collect();
    assert!(plain.contains("No open connections left"), "{plain}");
    assert!(plain.contains("YES") && !plain.contains("available:   NO"), "{plain}");
}

#[tokio::test]
async fn r31_slow_heads_bodies_and_readers_are_cut_off_and_nobody_else_notices() {
    let large: Arc<str> = ok(&"x".repeat(2 << 20)).into();
    let up = Upstream::scripted(move |mut conn| {
        let large = large.clone();
        async move {
            while let Some(head) = conn.request().await {
                match head.starts_with("GET /large") {
                    true => conn.send(&*large).await,
                    false => {
                        let length = header(&head, "content-length").unwrap_or("0");
                        let _ = conn.bytes(length.parse().unwrap()).await;
                        conn.send(ok("hello")).await;
                    }
                }
            }
        }
    })
    .await;
    let text = proxy()
        .server("header_timeout = \"1s\"")
        .server("body_idle_timeout = \"1s\"")
        .only(&up, "body_idle_timeout = \"1s\"")
        .text();
    let mut program = Program::start_with(&text, &["--admin".as_ref(), "127.0.0.1:0".as_ref()]);
    let mut calm = Program::start(&proxy().to(&up).text());
    let (addr, admin) = (program.listens().await, program.tells("metrics").await);
    let others = Others::start(addr, "", calm.listens().await);
    let heads = attack(addr, "/", &["-H"]);
    let bodies = attack(addr, "/", &["-B", "-s", "8192"]);
    let readers = attack(addr, "/large", &["-X", "-n", "9", "-w", "1", "-y", "64", "-z", "1"]);
    for attack in [heads, bodies] {
        was_repelled(&soon("the end of an attack", attack.wait_with_output()).await.unwrap());
    }
    for (name, count) in [
        ("proxy_connections_late_total", ATTACKERS),
        ("proxy_failures_total{class=\"client_timeout\"}", ATTACKERS),
        ("proxy_failures_total{class=\"client_stalled\"}", ATTACKERS),
    ] {
        soon(name, async {
            while metric(admin, name).await.as_deref() != Some(count) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    drop(readers);
    others.were_served().await;
}

/// Connections that begin with this and say nothing more.
async fn flood(addr: SocketAddr, count: usize, opening: &str) -> Vec<Client> {
    let mut flood = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Client::to(addr).await;
        // Who is turned away may find that out here.
        let _ = client.try_send(opening).await;
        flood.push(client);
    }
    flood
}

/// How many of these were told that they are too many, with this code; the others were closed without a word.
async fn turned_away(flood: Vec<Client>, code: &str) -> usize {
    let mut count = 0;
    for mut client in flood {
        let rest = client.rest().await;
        if !rest.is_empty() {
            let text = String::from_utf8(rest).unwrap();
            assert!(text.starts_with("HTTP/1.1 503 ") && text.contains(code), "{text}");
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn r31_floods_of_half_open_connections_are_bounded_counted_and_past_soon() {
    let up = Upstream::replying(ok("hello")).await;
    let text = proxy()
        .listen("\"127.0.0.1:0\", { address = \"127.0.0.2:0\", proxy_protocol = true }")
        .server("trusted_proxies = [\"127.0.0.0/8\"]")
        .server("max_connections = 250")
        .server("max_connections_per_client = 20")
        .server("header_timeout = \"1s\"")
        .server("proxy_protocol_timeout = \"1s\"")
        .to(&up)
        .text();
    let mut program = Program::start_with(&text, &["--admin".as_ref(), "127.0.0.1:0".as_ref()]);
    let mut calm = Program::start(&proxy().to(&up).text());
    let in_peace = calm.listens().await;
    let plain = program.listens().await;
    let told = program.listens().await;
    let admin = program.tells("metrics").await;
    let others = Others::start(told, "PROXY TCP4 192.0.2.100 192.0.2.9 4711 80\r\n", in_peace);
    let kept = Others::start(plain, "", in_peace);
    let before = program.resident_kib();
    // Of four clients, each with three times as many as it may have, and of one that doesn't even say who it is.
    let mut floods = Vec::new();
    for number in 1..=4 {
        let opening =
            format!("PROXY TCP4 192.0.2.{number} 192.0.2.9 4711 80\r\nGET / HTTP/1.1\r\nx: ");
        floods.extend(flood(told, 60, &opening).await);
    }
    floods.extend(flood(told, 60, "").await);
    let peak = program.resident_kib();
    assert_eq!(turned_away(floods, "too_many_connections_of_client").await, 4 * 40);
    others.were_served().await;
    kept.were_served().await;
    // More than there is room for: whoever is in is served, and others are as soon as the flood is cut off.
    let mut inside = Client::to(plain).await;
    assert_eq!(inside.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "hello");
    let floods = flood(plain, 300, "GET / HT").await;
    assert_eq!(inside.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "hello");
    let refused = turned_away(floods, "too_many_connections\"").await;
    assert!((50..=60).contains(&refused), "{refused}");
    let mut next = Client::to(plain).await;
    assert_eq!(next.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "hello");
    let total = metric(admin, "proxy_connections_refused_total").await.unwrap();
    assert_eq!(total, (4 * 40 + refused).to_string());
    let late = metric(admin, "proxy_connections_late_total").await.unwrap();
    assert_eq!(late, (4 * 20 + 60 + 300 - refused).to_string());
    let grown = peak.max(program.resident_kib()).saturating_sub(before);
    assert!(grown < 250 * 64, "{grown} KiB for 250 connections at most");
}
