//! One line a request, whatever became of it.

use super::support::{Client, Upstream, eventually, get, header, ok, proxy, soon};

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
    let first_byte = line["first_byte_ms"].as_f64().unwrap();
    let connect = line["connect_ms"].as_f64().unwrap();
    assert!(line["ms"].as_f64().unwrap() >= first_byte + connect, "{line}");
    assert!(line.get("auth_ms").is_none() && line.get("trace").is_none(), "{line}");
    assert!(line.get("failure").is_none());
    assert!(up.request().contains(line["id"].as_str().unwrap()), "the server knows the same id");
    assert_eq!(lines[1]["failure"], "no_route");
    assert_eq!(lines[1]["id"].as_str(), refused.header("x-request-id"));
}

#[tokio::test]
async fn what_opens_something_is_not_written_down_and_reaches_the_server() {
    for format in ["json", "text", "combined"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("access.log");
        let up = Upstream::replying(ok("hello")).await;
        let path = file.display().to_string();
        let running = proxy()
            .server(&format!("access_log = {path:?}\naccess_log_format = {format:?}"))
            .upstream("main", &[up.addr], "")
            .route("/*", "main", "")
            .start();
        get(running.addr, "/auth/oidc/callback?state=s3cr3t&code=opens-something", "").await;
        assert!(up.request().contains("?state=s3cr3t&code=opens-something"));
        get(running.addr, "/somewhere?c%6fde=opens-something", "").await;
        let typed = "/login?error=wrong_credentials&username=opens-something";
        get(running.addr, typed, "").await;
        get(running.addr, "/style.css", &format!("referer: http://localhost{typed}\r\n")).await;
        get(running.addr, "/search?encode=utf-8&q=code", "").await;
        soon("the end", running.proxy.shutdown()).await;
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("s3cr3t") && !text.contains("opens-something"), "{text}");
        assert!(text.contains("/auth/oidc/callback") && text.contains("/somewhere"), "{text}");
        assert!(text.contains("/login") && text.contains("/style.css"), "{text}");
        assert!(text.contains("/search?encode=utf-8&q=code"), "others stay: {text}");
    }
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
    let mut told = Vec::new();
    for request in [
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET /#a HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let answer = Client::to(running.addr).await.ask(request).await;
        told.push((answer.header("x-request-id").unwrap().to_owned(), answer.body.len()));
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
        let (id, length) = told.remove(0);
        assert_eq!((&line["id"], &line["bytes_out"]), (&id.into(), &length.into()));
    }
    assert_eq!(lines.len(), 5);
}

#[tokio::test]
async fn the_time_is_split_into_auth_connect_and_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("access.log");
    let up = Upstream::replying(ok("hello")).await;
    let auth = super::support::auth_service().await;
    let running = proxy()
        .server(&format!("access_log = {:?}", file.display().to_string()))
        .auth(&auth, "")
        .to(&up)
        .start();
    let mut client = Client::to(running.addr).await;
    for _ in 0..2 {
        client.ask("GET / HTTP/1.1\r\nhost: a\r\ncookie: session=good\r\n\r\n").await;
    }
    get(running.addr, "/", "").await;
    let lines = lines(&file, running).await;
    let has = |line: &serde_json::Value, key: &str| line.get(key).is_some();
    for line in &lines {
        let parts: f64 = ["auth_ms", "connect_ms", "first_byte_ms"]
            .iter()
            .filter_map(|key| line.get(key).and_then(serde_json::Value::as_f64))
            .sum();
        assert!(parts <= line["ms"].as_f64().unwrap() + 0.003, "{line}");
        assert!(has(line, "auth_ms"), "{line}");
    }
    assert!(has(&lines[0], "connect_ms") && has(&lines[0], "first_byte_ms"), "{}", lines[0]);
    assert!(!has(&lines[1], "connect_ms"), "the connection was there: {}", lines[1]);
    assert!(!has(&lines[2], "first_byte_ms"), "nobody was asked: {}", lines[2]);
}

#[tokio::test]
async fn the_combined_format_is_what_programs_expect_and_cannot_be_faked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("access.log");
    let up = Upstream::replying(ok("hello")).await;
    let running = proxy()
        .server(&format!("access_log = {:?}", file.display().to_string()))
        .server("access_log_format = \"combined\"")
        .to(&up)
        .start();
    let mut client = Client::to(running.addr).await;
    client
        .ask("GET /x HTTP/1.1\r\nhost: chat.test\r\nuser-agent: a \"quoted\" one\r\nreferer: http://r/\r\n\r\n")
        .await;
    let mut client = Client::to(running.addr).await;
    let refused = client.ask("nonsense\r\n\r\n").await.body.len();
    soon("the end", running.proxy.shutdown()).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (start, rest) = lines[0].split_once('[').unwrap();
    let (time, rest) = rest.split_once("] ").unwrap();
    assert_eq!(start, "127.0.0.1 - - ");
    let parsed = jiff_parse(time);
    assert!(parsed, "{time}");
    let want = "\"GET /x HTTP/1.1\" 200 5 \"http://r/\" \"a \\\"quoted\\\" one\" host=\"chat.test\" in=0 ms=";
    assert!(rest.starts_with(want), "{rest}");
    assert!(rest.contains(" first_byte_ms=") && rest.contains(" route=/* id="), "{rest}");
    let want = format!("] \"-\" 400 {refused} \"-\" \"-\" host=\"\"");
    assert!(lines[1].contains(&want), "{}", lines[1]);
}

/// `25/Nov/2026:18:52:29 +0000`
fn jiff_parse(time: &str) -> bool {
    let (day, clock) = time.split_at(12);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let parts: Vec<&str> = day.trim_end_matches(':').split('/').collect();
    parts.len() == 3
        && parts[0].len() == 2
        && months.contains(parts[1])
        && parts[2].len() == 4
        && clock.len() == 14
        && clock.ends_with(" +0000")
        && clock[..8].split(':').all(|part| part.parse::<u8>().is_ok_and(|it| it < 61))
}

#[tokio::test]
async fn a_trace_goes_on_and_is_named_in_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("access.log");
    let up = Upstream::replying(ok("hello")).await;
    let running = proxy()
        .server(&format!("access_log = {:?}", file.display().to_string()))
        .section("[tracing]")
        .to(&up)
        .start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let given = format!("traceparent: 00-{trace}-00f067aa0ba902b7-00\r\ntracestate: v=1\r\n");
    get(running.addr, "/", &given).await;
    get(running.addr, "/", "tracestate: v=1\r\n").await;
    let lines = lines(&file, running).await;
    let heads = up.requests();
    let id = |line: &serde_json::Value| line["id"].as_str().unwrap().to_owned();
    let passed = |head: &str| header(head, "traceparent").unwrap().to_owned();
    assert_eq!(passed(&heads[0]), format!("00-{trace}-{}-00", &id(&lines[0])[16..]));
    assert_eq!(header(&heads[0], "tracestate"), Some("v=1"));
    assert_eq!(lines[0]["trace"], trace);
    let own = id(&lines[1]);
    assert_eq!(passed(&heads[1]), format!("00-{own}-{}-01", &own[16..]));
    assert_eq!(header(&heads[1], "tracestate"), None);
    assert_eq!(lines[1]["trace"].as_str(), Some(&*own));
}

#[tokio::test]
async fn without_a_tracing_section_trace_headers_pass_as_they_are() {
    let up = Upstream::replying(ok("hello")).await;
    let running = proxy().to(&up).start();
    get(running.addr, "/", "traceparent: whatever\r\n").await;
    assert_eq!(header(&up.request(), "traceparent"), Some("whatever"));
}

#[tokio::test]
async fn spans_of_sampled_traces_reach_the_collector_and_a_deaf_one_costs_nothing() {
    let up = Upstream::replying(ok("hello")).await;
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = told.clone();
    let collector = Upstream::scripted(move |mut conn| {
        let heard = heard.clone();
        async move {
            let head = conn.request().await.unwrap();
            let length = header(&head, "content-length").unwrap().parse().unwrap();
            let body: serde_json::Value =
                serde_json::from_slice(&conn.bytes(length).await).unwrap();
            conn.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            heard.lock().unwrap().push(body);
        }
    })
    .await;
    let build = |addr: std::net::SocketAddr| {
        let section = format!("[tracing]\nexport = \"http://{addr}/v1/traces\"");
        proxy().admin().section(&section).to(&up)
    };
    let mut running = build(collector.addr).start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for flags in ["00", "01"] {
        let given = format!("traceparent: 00-{trace}-00f067aa0ba902b7-{flags}\r\n");
        assert_eq!(get(running.addr, "/x?secret=1", &given).await.status, 200);
    }
    eventually("the spans", || !told.lock().unwrap().is_empty()).await;
    let message = told.lock().unwrap()[0].clone();
    let spans = message["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    assert_eq!(spans.len(), 1, "the other trace is not sampled: {message}");
    assert_eq!((&spans[0]["traceId"], &spans[0]["name"]), (&trace.into(), &"GET /*".into()));
    assert_eq!(spans[0]["parentSpanId"], "00f067aa0ba902b7");
    let passed = header(&up.requests()[1], "traceparent").unwrap().to_owned();
    assert_eq!(spans[0]["spanId"].as_str(), passed.split('-').nth(2));
    assert!(!message.to_string().contains("secret"), "{message}");
    assert!(collector.requests()[0].starts_with("POST /v1/traces HTTP/1.1\r\n"));
    // Nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    running.reload(&build(gone)).await.unwrap();
    assert_eq!(get(running.addr, "/", "").await.status, 200);
    soon("the loss", async {
        while running.metric("proxy_spans_refused_total").await.as_deref() != Some("1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(running.metric("proxy_spans_exported_total").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_live_stream_is_logged_when_it_ends_with_all_that_was_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("access.log");
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: one\n\n").await;
        conn.send("data: two\n\n").await;
    })
    .await;
    let running = proxy()
        .server(&format!("access_log = {:?}", file.display().to_string()))
        .upstream("main", &[up.addr], "")
        .route("/*", "main", "")
        .start();
    assert_eq!(get(running.addr, "/events", "").await.text(), "data: one\n\ndata: two\n\n");
    let lines = lines(&file, running).await;
    assert_eq!((&lines[0]["status"], &lines[0]["bytes_out"]), (&200.into(), &22.into()));
    assert!(lines[0].get("failure").is_none(), "{}", lines[0]);
}
