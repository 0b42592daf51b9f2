//! Requests wait for a free connection: in order, not too many and not too long.

use tokio::sync::watch;

use super::support::{Client, Upstream, eventually, get, ok, proxy};

/// Answers the nth request once `n` answers are granted; its body is the path.
async fn granting() -> (Upstream, watch::Sender<usize>) {
    let (grant, granted) = watch::channel(0);
    let served = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let up = Upstream::scripted(move |mut conn| {
        let (mut granted, served) = (granted.clone(), served.clone());
        async move {
            while let Some(head) = conn.request().await {
                let number = served.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let _ = granted.wait_for(|granted| *granted > number).await;
                conn.send(ok(head.split(' ').nth(1).unwrap())).await;
            }
        }
    })
    .await;
    (up, grant)
}

async fn asking(addr: std::net::SocketAddr, path: &str) -> Client {
    let mut client = Client::to(addr).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    client
}

/// When a later request was answered, by the proxy itself, the ones before it have been read.
async fn seen(addr: std::net::SocketAddr) {
    assert_eq!(get(addr, "/%2f", "").await.status, 400);
}

#[tokio::test]
async fn a_request_waits_for_a_connection_and_gets_it() {
    let (up, grant) = granting().await;
    let running = proxy().only(&up, "max_connections = 1\nqueue = 1").start();
    let mut first = asking(running.addr, "/1").await;
    eventually("the first request", || up.requests().len() == 1).await;
    let mut second = asking(running.addr, "/2").await;
    // One that finds the place taken is refused; until then it isn't there yet.
    let mut third = asking(running.addr, "/3").await;
    let busy = tokio::select! {
        answer = second.head() => answer,
        answer = third.head() => answer,
    };
    assert_eq!(busy.status, 503);
    grant.send(2).unwrap();
    assert_eq!(first.response().await.text(), "/1");
    eventually("the other one", || up.requests().len() == 2).await;
    assert_eq!(up.connections(), 1);
}

#[tokio::test]
async fn who_waits_longest_is_served_first() {
    let (up, grant) = granting().await;
    let running = proxy().only(&up, "max_connections = 1\nqueue = 8").start();
    // All of them on one connection to the proxy would be served in order anyway, so each has its own.
    let mut first = asking(running.addr, "/0").await;
    eventually("the first request", || up.requests().len() == 1).await;
    let mut waiting = Vec::new();
    for number in 1..=8 {
        waiting.push(asking(running.addr, &format!("/{number}")).await);
        seen(running.addr).await;
    }
    grant.send(9).unwrap();
    assert_eq!(first.response().await.text(), "/0");
    for (number, client) in waiting.iter_mut().enumerate() {
        assert_eq!(client.response().await.text(), format!("/{}", number + 1));
    }
    let order: Vec<String> =
        up.requests().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(order, ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8"]);
    assert_eq!(up.connections(), 1);
}

#[tokio::test]
async fn who_waits_too_long_is_told_so() {
    let (up, _grant) = granting().await;
    let lines = "max_connections = 1\nqueue_timeout = \"100ms\"";
    let running = proxy().only(&up, lines).start();
    let _first = asking(running.addr, "/1").await;
    eventually("the first request", || up.requests().len() == 1).await;
    let answer = get(running.addr, "/2", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "queue_timeout"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(up.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let (up, grant) = granting().await;
    let lines = "max_connections = 1\nqueue = 1\nqueue_timeout = \"1h\"";
    let running = proxy().only(&up, lines).start();
    let mut first = asking(running.addr, "/1").await;
    eventually("the first request", || up.requests().len() == 1).await;
    for _ in 0..3 {
        drop(filling_place(running.addr).await);
    }
    let mut last = filling_place(running.addr).await;
    grant.send(9).unwrap();
    assert_eq!(first.response().await.text(), "/1");
    assert_eq!(last.response().await.text(), "/wait");
    assert_eq!(up.requests().len(), 2, "nobody else's request was sent");
}

/// A client that waits in the only place of the queue, as soon as it is free.
async fn filling_place(addr: std::net::SocketAddr) -> Client {
    loop {
        let mut client = asking(addr, "/wait").await;
        let mut probe = asking(addr, "/probe").await;
        tokio::select! {
            biased;
            // The probe found the place taken: by this client, unless that was refused too.
            refused = client.head() => assert_eq!(refused.status, 503),
            refused = probe.response() => {
                assert_eq!(refused.status, 503);
                return client;
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_free_one_too() {
    let up = Upstream::scripted(|mut conn| async move {
        conn.request().await;
        if conn.number == 0 {
            conn.request().await;
            return;
        }
        conn.send(ok("second")).await;
        conn.request().await;
    })
    .await;
    let running = proxy().only(&up, "max_connections = 1").start();
    let first = asking(running.addr, "/1").await;
    eventually("the first request", || up.requests().len() == 1).await;
    let mut second = asking(running.addr, "/2").await;
    seen(running.addr).await;
    // Its client leaves in the middle of the exchange, so the connection is closed.
    drop(first);
    assert_eq!(second.response().await.text(), "second");
    assert_eq!(up.connections(), 2);
}

#[tokio::test]
async fn waiting_for_another_server_does_not_use_a_backup() {
    let (up, grant) = granting().await;
    let spare = Upstream::replying(ok("spare")).await;
    let servers = format!("\"{}\", {{ address = \"{}\", backup = true }}", up.addr, spare.addr);
    let running =
        proxy().servers("main", &servers, "max_connections = 1").route("/*", "main", "").start();
    let mut first = asking(running.addr, "/1").await;
    eventually("the first request", || up.requests().len() == 1).await;
    let mut second = asking(running.addr, "/2").await;
    seen(running.addr).await;
    grant.send(2).unwrap();
    assert_eq!(first.response().await.text(), "/1");
    assert_eq!(second.response().await.text(), "/2");
    assert_eq!(spare.connections(), 0);
}
