//! Requests that are wrong: each is told what, and costs little.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, World};

#[tokio::test]
async fn a_wrong_body_is_explained_field_by_field() {
    let world = World::new().await;
    let visitor = world.visitor();
    let json_type = [("content-type", "application/json")];
    for (body, code, names) in [
        ("{", "invalid_json", "JSON"),
        ("[]", "invalid_field", "object"),
        (r#" ["a", "b", false, null]"#, "invalid_field", "object"),
        ("{}", "invalid_field", "username"),
        (r#"{"username":"a"}"#, "invalid_field", "password"),
        (r#"{"username":1,"password":"b"}"#, "invalid_field", "username"),
        (r#"{"username":"a","password":"b","remember":"x"}"#, "invalid_field", "remember"),
        (r#"{"username":"a","password":"b"} trailing"#, "invalid_json", "trailing"),
        ("", "invalid_json", "JSON"),
    ] {
        let answer = visitor.send(Method::POST, "/login", &json_type, Some(body.into())).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, code), "{body}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(names), "{body}: {message}");
    }
}

#[tokio::test]
async fn another_content_type_is_refused_with_a_hint() {
    let world = World::new().await;
    for content_type in ["text/plain", "multipart/form-data", "application/xml"] {
        let headers = [("content-type", content_type)];
        let answer = world.visitor().send(Method::POST, "/login", &headers, Some("x".into())).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (415, "unsupported_media_type")
        );
        assert!(answer.text.contains("curl"));
    }
    assert_eq!(
        world.visitor().send(Method::POST, "/login", &[], Some("x".into())).await.status,
        415
    );
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_refused_before_anything_is_hashed() {
    // A hash here would take seconds.
    let world = World::with(|flags| {
        flags.hash_memory_kib = 65_536;
        flags.hash_passes = 4;
    })
    .await;
    let visitor = world.visitor();
    let huge = "x".repeat(1024 * 1024);
    let start = Instant::now();
    let answer = visitor.login("alice", &huge).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (413, "payload_too_large"));
    for path in ["/login", "/register"] {
        let long = json!({"username": "alice", "password": "x1!y".repeat(257)});
        let answer = visitor.post(path, long).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "password_too_long"));
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_full_hash_queue_says_busy_and_verify_goes_on() {
    let world = World::with(|flags| {
        flags.hash_memory_kib = 32_768;
        flags.hash_passes = 3;
        flags.hash_threads = Some(1);
        flags.hash_queue = 4;
    })
    .await;
    let alice = world.member("alice").await;
    let visitors: Vec<_> = (0..40).map(|_| world.visitor()).collect();
    let flood = futures_util::future::join_all(
        visitors.iter().map(|visitor| visitor.login("nobody", PASSWORD)),
    );
    let watch = async {
        for _ in 0..20 {
            assert_eq!(alice.get("/auth/verify").await.status, 200);
        }
    };
    let (answers, ()) = futures_util::future::join(flood, watch).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty() && answers.iter().any(|answer| answer.status == 401));
    assert!(
        busy.iter()
            .all(|answer| answer.code() == "busy" && !answer.header("retry-after").is_empty())
    );
}

#[tokio::test]
async fn health_and_readiness_answer_with_and_without_a_slash() {
    let world = World::new().await;
    for path in ["/health", "/health/", "/ready", "/ready/", "/auth/info/"] {
        let answer = world.visitor().get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["status"].as_str()),
            (200, Some("success"))
        );
    }
}

#[tokio::test]
async fn the_admin_address_shows_what_happened() {
    let world = World::with(|flags| flags.admin.admin = Some("127.0.0.1:0".parse().unwrap())).await;
    let alice = world.member("alice").await;
    assert_eq!(alice.login("alice", "wrong password").await.status, 401);
    let url = format!("http://{}/metrics", world.server.admin_addr().unwrap());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    for line in [
        "auth_logins_total{result=\"refused\"} 1",
        "auth_registrations_total{result=\"success\"} 1",
        "auth_sessions 1",
        "auth_hash_waiting 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
