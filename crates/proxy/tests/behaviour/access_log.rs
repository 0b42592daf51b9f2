//! One line a request, whatever became of it.

use super::support::{Client, Upstream, get, ok, proxy, soon};

/// The lines of a proxy that has ended.
async fn lines(file: &std::path::Path, running: super::support::Running) -> Vec<serde_json::Value> {
    soon("the end", running.proxy.shutdown()).await;
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[tokio::test]
async fn a_line_says_who_asked_what_and_how_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("access.log");
    let up = Upstream::replying(ok("hello")).await;
    let running = proxy()
        .server(&format!("access_log = {:?}", file.display().to_string()))
        .upstream("main", &[up.addr], "")
        .route("/chat/*", "main", "")
        .start();
    let mut client = Client::to(running.addr).await;
    client
        .ask("POST /chat/x?y=%22z HTTP/1.1\r\nhost: chat.test\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    let refused = get(running.addr, "/none", "").await;
    let lines = lines(&file, running).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let line = &lines[0];
    assert_eq!(line["method"], "POST");
    assert_eq!(line["host"], "chat.test");
    assert_eq!(line["path"], "/chat/x?y=%22z");
    assert_eq!(line["status"], 200);
    assert_eq!(line["bytes_in"], 3);
    assert_eq!(line["bytes_out"], 5);
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["upstream"], up.addr.to_string());
    assert_eq!(line["route"], "/chat/*");
    assert!(line["ms"].as_f64().unwrap() >= line["upstream_ms"].as_f64().unwrap());
    assert!(line.get("failure").is_none());
    assert!(up.request().contains(line["id"].as_str().unwrap()), "the server knows the same id");
    assert_eq!(lines[1]["failure"], "no_route");
    assert_eq!(lines[1]["id"].as_str(), refused.header("x-request-id"));
}

#[tokio::test]
async fn what_breaks_off_is_logged_with_its_class() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("access.log");
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    })
    .await;
    let running =
        proxy().server(&format!("access_log = {:?}", file.display().to_string())).to(&up).start();
    let mut client = Client::to(running.addr).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.rest().await;
    let mut client = Client::to(running.addr).await;
    client.send("nonsense\r\n\r\n").await;
    client.rest().await;
    for request in [
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET /#a HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut client = Client::to(running.addr).await;
        client.send(request).await;
        client.rest().await;
    }
    let lines = lines(&file, running).await;
    assert_eq!(
        (&lines[0]["failure"], &lines[0]["status"]),
        (&"upstream_truncated".into(), &200.into())
    );
    assert_eq!(
        (&lines[1]["failure"], &lines[1]["status"]),
        (&"malformed_request".into(), &400.into())
    );
    for (line, class) in
        lines[2..].iter().zip(["ambiguous_framing", "bare_line_feed", "fragment_in_target"])
    {
        assert_eq!((&line["failure"], &line["status"]), (&class.into(), &400.into()));
    }
    assert_eq!(lines.len(), 5);
}
