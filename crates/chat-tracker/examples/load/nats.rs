//! The same fan-out through a NATS server: core publish and subscribe, which keeps nothing. What is
//! published is as long as the tracker's event.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Error;
use crate::fanout::{Plan, Seen, Sender, measure, read};
use crate::stats::Latencies;

const CONNECT: &[u8] = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}\r\n";

async fn connect(server: SocketAddr, then: &[u8]) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&[CONNECT, then, b"PING\r\n"].concat()).await?;
    pong(&mut stream).await?;
    Ok(stream)
}

async fn pong(stream: &mut TcpStream) -> Result<(), Error> {
    let mut seen = Vec::with_capacity(1024);
    while !seen.ends_with(b"PONG\r\n") {
        if stream.read_buf(&mut seen).await? == 0 {
            return Err("the NATS server hung up".into());
        }
    }
    Ok(())
}

struct Publisher(TcpStream);

impl Sender for Publisher {
    async fn send(&mut self, text: &str) -> Result<(), Error> {
        let event = json!({
            "type": "message", "channel": "fanout", "from": "member-1", "message": text,
            "timestamp": "2025-11-05T10:30:00.123Z", "seq": 123_456,
            "id": "01a208f5-f32c-75e5-afaf-b9e4c9bf6a5f", "cursor": "a3a9555cbd36431b:123456",
        })
        .to_string();
        let publish = format!("PUB fanout {}\r\n{event}\r\nPING\r\n", event.len());
        self.0.write_all(publish.as_bytes()).await?;
        // The answer to the ping says that the server has taken the message.
        pong(&mut self.0).await
    }
}

pub(crate) async fn run(server: SocketAddr, plan: &Plan) -> Result<(), Error> {
    let seen = Seen::new();
    let collected = Arc::new(Mutex::new(Latencies::default()));
    for _ in 0..plan.members {
        let stream = connect(server, b"SUB fanout 1\r\n").await?;
        tokio::spawn(read(stream, seen.clone(), collected.clone()));
    }
    let mut senders = Vec::with_capacity(plan.senders);
    for _ in 0..plan.senders {
        senders.push(Publisher(connect(server, b"").await?));
    }
    measure(plan, &seen, &collected, senders).await
}
