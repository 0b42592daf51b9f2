//! Much, and many at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use system_tests::neighbour::bulk;
use system_tests::{EventStream, User, WebSocket, World, patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

const GIB: u64 = 1 << 30;
/// How much a proxy may grow while it passes a gibibyte on.
const FLAT_KIB: u64 = 32 * 1024;
/// WebSockets, and as many event streams.
const STREAMS: usize = 1_000;
const MESSAGES: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_passes_each_way_with_flat_memory() {
    let upstream = bulk(GIB).await;
    let world = World::plan().public_host("bulk.test", upstream.addr()).start().await;
    let mut block = vec![b'x'; 256 * 1024];
    // The first request makes what the proxy keeps anyway.
    exchange_small(&world).await;
    let (before, _) = world.proxy.program.memory();

    let mut down = TcpStream::connect(world.proxy.addr()).await.unwrap();
    down.write_all(b"GET /down HTTP/1.1\r\nHost: bulk.test\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut got = 0;
    loop {
        match down.read(&mut block).await.unwrap() {
            0 => break,
            read => got += read as u64,
        }
    }
    assert!(got > GIB && got < GIB + 4096, "{got} bytes came");

    let mut up = TcpStream::connect(world.proxy.addr()).await.unwrap();
    let head = format!(
        "PUT /up HTTP/1.1\r\nHost: bulk.test\r\nConnection: close\r\nContent-Length: {GIB}\r\n\r\n"
    );
    up.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..GIB / block.len() as u64 {
        up.write_all(&block).await.unwrap();
    }
    let mut answer = String::new();
    up.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&GIB.to_string()), "{answer}");

    let (_, highest) = world.proxy.program.memory();
    assert!(highest < before + FLAT_KIB, "the proxy grew from {before} to {highest} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_websockets_and_a_thousand_event_streams_stay_open_while_requests_are_served() {
    // Four accounts hold them all; the limit for one is meant for browsers with many windows.
    let world = World::plan().tracker_flags(&["--streams-per-peer", "1000"]).start().await;
    let accounts = accounts(&world).await;
    let (ready, mut open) = watch::channel(0);
    let ready = Arc::new(ready);
    let mut readers = JoinSet::new();
    for number in 0..STREAMS {
        let account = accounts[number % accounts.len()].clone();
        let socket = account.web_socket("/chat/ws").await;
        let stream = account.events(None).await.unwrap();
        readers.spawn(read_socket(socket, ready.clone()));
        readers.spawn(read_stream(stream, ready.clone()));
    }
    let all = open.wait_for(|&count| count == 2 * STREAMS);
    tokio::time::timeout(patience(), all).await.expect("some stream says no hello").unwrap();

    let alice = &accounts[0];
    for number in 0..MESSAGES {
        alice.get("/get-list").await.ok();
        alice.says("general", &format!("message {number}")).await.ok();
    }
    // Everyone is a member of general: each stream tells all of it, in order.
    let told = async {
        while let Some(told) = readers.join_next().await {
            let told = told.unwrap();
            assert!(
                told.iter().enumerate().all(|(at, text)| *text == format!("message {at}")),
                "{told:?}"
            );
        }
    };
    tokio::time::timeout(patience() * 3, told).await.expect("some stream lags");
}

type Ready = Arc<watch::Sender<usize>>;

/// The texts of the first messages, in the order in which they came.
async fn read_socket(mut socket: WebSocket, ready: Ready) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < MESSAGES {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        note(&serde_json::from_str(&text).unwrap(), &mut told, &ready);
    }
    told
}

async fn read_stream(mut stream: EventStream, ready: Ready) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < MESSAGES {
        note(&stream.next().await.unwrap().data, &mut told, &ready);
    }
    told
}

fn note(event: &Value, told: &mut Vec<String>, ready: &Ready) {
    match event["type"].as_str() {
        Some("hello") => ready.send_modify(|count| *count += 1),
        Some("message") => told.push(event["message"].as_str().unwrap().to_owned()),
        Some("reset") => panic!("{event}"),
        _ => {}
    }
}

async fn accounts(world: &World) -> Vec<User> {
    let mut accounts = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let account = world.account(name).await;
        account.get("/chat/me").await.ok();
        accounts.push(account);
    }
    accounts
}

async fn exchange_small(world: &World) {
    let mut stream = TcpStream::connect(world.proxy.addr()).await.unwrap();
    stream
        .write_all(b"PUT /up HTTP/1.1\r\nHost: bulk.test\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
        .await
        .unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
