//! Keys change under load, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use system_tests::binaries::binary;
use system_tests::{User, World, eventually};
use tokio::process::Command;

/// In life a key is kept for longer than any token lives; here only for longer than the calls take.
const TIMES: [&str; 4] = ["--key-overlap", "1s", "--key-keep", "8s"];

async fn kids(auth: &User) -> Vec<String> {
    let set = auth.get("/.well-known/jwks.json").await.json();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn token(user: &User) -> String {
    user.post("/token", json!({})).await.ok()["access_token"].as_str().unwrap().to_owned()
}

/// Calls the tracker with fresh tokens, and through the proxy, until told to stop; counts the calls.
async fn call(user: User, direct: User, stop: Arc<AtomicBool>, calls: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let token = token(&user).await;
        for _ in 0..5 {
            let request = direct.request(Method::GET, "/chat/me").bearer_auth(&token);
            assert_eq!(request.send().await.unwrap().status(), 200, "at the tracker");
            assert_eq!(user.get("/chat/me").await.status, 200, "through the proxy");
            calls.fetch_add(2, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_key_changes_under_load_without_a_refusal_and_the_retired_one_is_worth_nothing() {
    let world = World::plan()
        .auth_flags(&TIMES)
        .tracker_flags(&["--revocations-every", "100ms"])
        .start()
        .await;
    let alice = world.account("alice").await;
    let (auth, direct) =
        (User::new("auth", &world.auth.addr()), User::new("direct", &world.tracker.addr()));
    let old = kids(&auth).await.remove(0);
    let kept = token(&alice).await;
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn(call(alice.clone(), direct.clone(), stop.clone(), calls.clone()));
    let rotated = Command::new(binary("backend-auth"))
        .env_clear()
        .args(["rotate-key", "--data-dir"])
        .arg(world.folder().join("auth-data"))
        .args(TIMES)
        .output()
        .await
        .unwrap();
    assert!(rotated.status.success(), "{rotated:?}");
    eventually("the new key signs", || async {
        (kids(&auth).await.first() != Some(&old)).then_some(())
    })
    .await;
    let at = calls.load(Ordering::Relaxed);
    eventually("more calls are made", || async {
        (calls.load(Ordering::Relaxed) > at + 20 || load.is_finished()).then_some(())
    })
    .await;
    let with_kept = || direct.request(Method::GET, "/chat/me").bearer_auth(&kept);
    assert_eq!(with_kept().send().await.unwrap().status(), 200, "retired, and still known");
    stop.store(true, Ordering::Relaxed);
    load.await.expect("a call was refused while the key changed");
    eventually("the retired key is refused", || async {
        (with_kept().send().await.unwrap().status() == 401).then_some(())
    })
    .await;
    // The proxy remembers for some seconds what the retired key signed: too long for a key that was kept for eight.
    eventually("the session goes on", || async {
        (alice.get("/chat/me").await.status == 200).then_some(())
    })
    .await;
}
