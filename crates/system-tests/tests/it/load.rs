//! Much, and many at once.

use std::time::Duration;

use futures_util::StreamExt;
use system_tests::neighbour::bulk;
use system_tests::{EventStream, User, World, patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const GIB: u64 = 1 << 30;
/// How much a proxy may grow while it passes a gibibyte on.
const FLAT_KIB: u64 = 32 * 1024;
const STREAMS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_passes_each_way_with_flat_memory() {
    let upstream = bulk(GIB).await;
    let world =
        World::plan().extra_config(&public_host("bulk.test", upstream.addr())).start().await;
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
    let world = World::start().await;
    let accounts = accounts(&world).await;
    let mut sockets = Vec::new();
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let account = &accounts[number % accounts.len()];
        let url = format!("ws://{}/chat/ws", world.proxy.addr());
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("cookie", account.cookie().parse().unwrap());
        sockets.push(tokio_tungstenite::connect_async(request).await.unwrap().0);
        streams.push(account.events(None).await.unwrap());
    }
    for stream in &mut streams {
        stream.next_of("hello").await;
    }

    let alice = &accounts[0];
    for number in 0..100 {
        alice.get("/get-list").await.ok();
        alice.says("general", &format!("message {number}")).await.ok();
    }
    // Everyone is a member of general: each stream has told all of it, in order.
    let told = async {
        for stream in &mut streams {
            for number in 0..100 {
                let event = message(stream).await;
                assert_eq!(event["message"], format!("message {number}"));
            }
        }
        for socket in &mut sockets {
            let mut number = 0;
            while number < 100 {
                let text = socket.next().await.unwrap().unwrap().into_text().unwrap();
                if text.contains(r#""type":"message""#) {
                    assert!(text.contains(&format!("\"message {number}\"")), "{text}");
                    number += 1;
                }
            }
        }
    };
    tokio::time::timeout(patience() * 3, told).await.expect("some stream lags");
}

/// As many accounts as it takes to stay below the limit of streams for one.
async fn accounts(world: &World) -> Vec<User> {
    let mut accounts = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let account = world.account(name).await;
        account.get("/chat/me").await.ok();
        accounts.push(account);
    }
    accounts
}

async fn message(stream: &mut EventStream) -> serde_json::Value {
    loop {
        let event = stream.next().await.unwrap();
        if event.kind() == "message" {
            return event.data;
        }
    }
}

fn public_host(name: &str, server: &str) -> String {
    format!(
        r#"
[upstreams.neighbour]
servers = ["{server}"]
[[hosts]]
names = ["{name}"]
[[hosts.routes]]
path = "/*"
upstream = "neighbour"
auth = "none"
"#
    )
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
