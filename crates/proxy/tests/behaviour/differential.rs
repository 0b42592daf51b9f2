//! The same odd requests to servers of different makes: none of them may see another request than the others,
//! and no answer may go astray (RFC 9112 §11.2).
//!
//! Each stream of bytes goes through a proxy to nginx, HAProxy, gunicorn, node and a strict reader of our own. Behind
//! it comes a marked request on the same connection, and another one on a new connection, which finds the same
//! connection to the server in the pool: whatever was left over there would spoil it.

mod cases;
mod servers;

use std::net::SocketAddr;

use super::support::{Client, Running, proxy, soon};
use cases::{bent, odd};
use servers::{Seen, Server};

/// A server with a proxy in front.
struct Pair {
    server: Server,
    running: Running,
}

impl Pair {
    fn of(server: Server) -> Self {
        let servers: &[SocketAddr] = &[server.addr];
        let running = proxy()
            // Streams that are bent may never end.
            .server("header_timeout = \"200ms\"")
            .server("body_idle_timeout = \"200ms\"")
            .server("keep_alive = \"200ms\"")
            .upstream("main", servers, "")
            .route("/*", "main", "")
            .start();
        Self { server, running }
    }

    /// What the server makes of a stream, and which requests the answers say they are for.
    async fn send(&mut self, number: usize, stream: &[u8]) -> (Vec<Seen>, Vec<String>) {
        let mut client = Client::to(self.running.addr).await;
        let _ = client.try_send(stream).await;
        let _ = client.try_send("GET /mark HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let answers = String::from_utf8_lossy(&client.rest().await).into_owned();
        let end = format!("/end?{number}");
        let mut client = Client::to(self.running.addr).await;
        let last = client.ask(format!("GET {end} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(
            last.header("x-echo"),
            Some(&*format!("GET {end}")),
            "{}: an answer went astray behind {:?}: {}",
            self.server.name,
            String::from_utf8_lossy(stream),
            last.head
        );
        (self.server.seen_until(&end).await, echoes(&answers))
    }
}

/// The requests that the server says it answered.
fn echoes(answers: &str) -> Vec<String> {
    answers.lines().filter_map(|line| line.strip_prefix("x-echo: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn servers_of_different_makes_see_the_same_requests() {
    let mut reference = Pair::of(Server::strict().await);
    let mut others = [Server::nginx(), Server::haproxy().await, Server::gunicorn(), Server::node()]
        .map(Pair::of);
    let streams = odd();
    let exact = streams.len();
    let streams = streams.into_iter().chain(bent(400));
    let mut forwarded = 0;
    for (number, stream) in streams.enumerate() {
        let told = String::from_utf8_lossy(&stream).into_owned();
        let (want, _) = reference.send(number, &stream).await;
        forwarded += want.len();
        let each = others.each_mut().map(|pair| pair.send(number, &stream));
        let each = soon("the servers", futures_util::future::join_all(each)).await;
        for (pair, (seen, answered)) in others.iter().zip(each) {
            let name = pair.server.name;
            if number < exact {
                assert_eq!(seen, want, "{name} sees something else in {told:?}");
            }
            // What was bent may be a method or a target that one of them refuses. None may see more.
            let mut rest = want.iter();
            for one in &seen {
                assert!(
                    rest.any(|it| it == one),
                    "{name} sees {one:?} in {told:?}, not in {want:?}"
                );
            }
            let mut rest = seen.iter().map(|one| format!("{} {}", one.method, one.target));
            for one in &answered {
                assert!(
                    rest.any(|it| it.eq_ignore_ascii_case(one)),
                    "{name}: an answer to {one} in {told:?}: {seen:?}"
                );
            }
        }
    }
    assert!(forwarded > exact, "most streams go on: {forwarded}");
}
