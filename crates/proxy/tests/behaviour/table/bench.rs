//! What runs a table: a proxy, a server that writes down what reaches it, and a client.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::support::{Client, Message, Running, Upstream, header, ok, proxy, soon};

/// One request, or several in a row, and what must become of it.
pub(super) struct Row {
    sent: String,
    answers: Vec<u16>,
    forwarded: Vec<String>,
    open: bool,
    /// The client closes its side behind it.
    ends: bool,
}

/// The last request is answered with this status, nothing is forwarded, and the connection is closed.
pub(super) fn refused(status: u16, sent: impl Into<String>) -> Row {
    Row { sent: sent.into(), answers: vec![status], forwarded: vec![], open: false, ends: false }
}

/// As [`refused`], but the connection serves on.
pub(super) fn declined(status: u16, sent: impl Into<String>) -> Row {
    Row { open: true, ..refused(status, sent) }
}

/// The request reaches the server as these lines: the request line; the headers that are not the
/// proxy's own, sorted; and behind an empty line the body, if it has one. The connection serves on.
pub(super) fn passed(sent: impl Into<String>, forwarded: &str) -> Row {
    passed_all(sent, &[forwarded])
}

/// As [`passed`], for several requests.
pub(super) fn passed_all(sent: impl Into<String>, forwarded: &[&str]) -> Row {
    Row {
        sent: sent.into(),
        answers: vec![200; forwarded.len()],
        forwarded: forwarded.iter().map(|it| (*it).to_owned()).collect(),
        open: true,
        ends: false,
    }
}

impl Row {
    /// The client closes its side behind it. Whether it gets an answer is a matter of chance.
    pub(super) fn then_end(mut self) -> Self {
        self.ends = true;
        self
    }

    /// These answers, all of them.
    pub(super) fn answered(mut self, answers: &[u16]) -> Self {
        self.answers = answers.to_vec();
        self
    }

    /// The connection is closed behind the answer.
    pub(super) fn closed(mut self) -> Self {
        self.open = false;
        self
    }
}

/// Sends the rows one after the other, each on a connection of its own.
pub(super) async fn run(rows: impl IntoIterator<Item = Row>) {
    let (up, mut seen) = recorder().await;
    let running = proxy().to(&up).start();
    for row in rows {
        for piece in [row.sent.len(), 1] {
            check(&row, piece, &running, &mut seen).await;
        }
    }
}

async fn check(row: &Row, piece: usize, running: &Running, seen: &mut UnboundedReceiver<String>) {
    let what = if piece == 1 { "byte by byte" } else { "whole" };
    let context = format!("{:?}, sent {what}", row.sent);
    // Shown with a failure, wherever it is noticed.
    eprintln!("{context}");
    let mut client = Client::to(running.addr).await;
    for part in row.sent.as_bytes().chunks(piece.max(1)) {
        // What is refused early may be closed early.
        if client.try_send(part).await.is_err() {
            break;
        }
    }
    if row.ends {
        let _ = client.stream.shutdown().await;
        let answer = String::from_utf8(client.rest().await).unwrap();
        let refusal = format!("HTTP/1.1 {} ", row.answers[0]);
        assert!(answer.is_empty() || answer.starts_with(&refusal), "{context}: {answer}");
    }
    for &status in row.answers.iter().filter(|_| !row.ends) {
        let answer = client.response_to(row.sent.starts_with("HEAD ")).await;
        assert_eq!(answer.status, status, "{context}: {}", answer.head);
    }
    if row.open {
        assert_eq!(client.ask(PROBE).await.status, 200, "{context}: and then the next request");
    } else {
        assert!(client.is_closed().await, "{context}: left open, or answered more than once");
    }
    // The probe tells that everything before it has been written down.
    if !row.open {
        assert_eq!(Client::to(running.addr).await.ask(PROBE).await.status, 200);
    }
    let mut forwarded = Vec::new();
    loop {
        let next = soon("the probe", seen.recv()).await.unwrap();
        if next.starts_with("GET /probe") {
            break;
        }
        forwarded.push(next);
    }
    assert_eq!(forwarded, row.forwarded, "{context}");
}

const PROBE: &str = "GET /probe HTTP/1.1\r\nhost: a\r\n\r\n";

/// A server that tells each complete request it got.
async fn recorder() -> (Upstream, UnboundedReceiver<String>) {
    let (tell, seen) = unbounded_channel();
    let up = Upstream::scripted(move |mut conn| {
        let tell = tell.clone();
        async move {
            while let Some(message) = conn.message().await {
                let _ = tell.send(told(message));
                conn.send(ok("")).await;
            }
        }
    })
    .await;
    (up, seen)
}

/// A request in the form that [`passed`] tells.
fn told(message: Message) -> String {
    let mut fields = message.fields;
    fields.retain(|line| !is_ours(line));
    fields.sort_unstable();
    let mut text = format!("{} {}", message.method, message.target);
    for field in fields {
        let _ = write!(text, "\n{field}");
    }
    if let Some(body) = message.body {
        let _ = write!(text, "\n\n{body}");
    }
    text
}

/// Whether the proxy sets this header in each request; `forwarding.rs` looks at those.
fn is_ours(line: &str) -> bool {
    ["forwarded: ", "x-forwarded-", "x-request-id: ", "via: "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// One answer of a server, and what the client makes of it.
pub(super) struct Reply {
    pub(super) method: &'static str,
    pub(super) sent: &'static str,
    pub(super) want: Want,
    /// Whether the server's connection may serve the next request.
    pub(super) reused: bool,
}

/// What a client gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// This status and this body, complete.
    Whole(u16, &'static str),
    /// A 502 of the proxy with this code.
    Gateway(&'static str),
    /// Something that can't be taken for a complete answer.
    Cut,
}

/// Has a server answer so, whole and byte by byte, and close its side when it is told that it may not be used
/// again.
pub(super) async fn reply(replies: impl IntoIterator<Item = Reply>) {
    for reply in replies {
        for piece in [reply.sent.len(), 1] {
            serve(&reply, piece).await;
        }
    }
}

async fn serve(reply: &Reply, piece: usize) {
    let context = format!("{:?} to {} in pieces of {piece}", reply.sent, reply.method);
    eprintln!("{context}");
    let first = Arc::new(Mutex::new(true));
    let sent = reply.sent;
    let is_cut = reply.want == Want::Cut;
    let up = Upstream::scripted(move |mut conn| {
        let first = first.clone();
        async move {
            while conn.request().await.is_some() {
                if !std::mem::take(&mut *first.lock().unwrap()) {
                    conn.send(ok("next")).await;
                    continue;
                }
                for part in sent.as_bytes().chunks(piece.max(1)) {
                    conn.send(part).await;
                }
                if is_cut {
                    return;
                }
            }
        }
    })
    .await;
    let running = proxy().to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send(format!("{} / HTTP/1.1\r\nhost: a\r\n\r\n", reply.method)).await;
    match reply.want {
        Want::Whole(status, body) => {
            let answer = client.response_to(reply.method == "HEAD").await;
            assert_eq!((answer.status, answer.text()), (status, body), "{context}");
            assert_eq!(answer.header("x-hop"), None, "{context}");
        }
        Want::Gateway(code) => {
            let answer = client.response().await;
            assert_eq!((answer.status, answer.code().as_str()), (502, code), "{context}");
        }
        Want::Cut => {
            let all = String::from_utf8(client.rest().await).unwrap();
            assert!(!all.ends_with("0\r\n\r\n"), "{context}: {all:?}");
            if let Some((head, body)) = all.split_once("\r\n\r\n") {
                let length = header(head, "content-length").map(|length| length.parse::<usize>());
                assert_ne!(length, Some(Ok(body.len())), "{context}: {all:?}");
            }
        }
    }
    let mut next = Client::to(running.addr).await;
    let answer = next.ask("GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(answer.text(), "next", "{context}");
    let connections = if reply.reused { 1 } else { 2 };
    assert_eq!(up.connections(), connections, "{context}: connections to the server");
}
