//! Without backend-auth nothing opens that needs it, and what doesn't need it goes on.

use std::time::{Duration, Instant};

use reqwest::Method;
use system_tests::{Answer, User, World, eventually};

/// A host whose routes need no session, and whose backend is the tracker.
const PUBLIC_HOST: &str = r#"
[[hosts]]
names = ["public.test"]
[[hosts.routes]]
path = "/*"
upstream = "chat-tracker"
auth = "none"
"#;

/// Closed means closed within this time.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_dead_backend_auth_closes_the_protected_routes_until_it_is_back() {
    let mut world = World::plan().extra_config(PUBLIC_HOST).start().await;
    let alice = world.account("alice").await;
    alice.get("/get-list").await.ok();
    world.auth.kill().await;
    is_closed(&world, &alice).await;
    world.auth.restart().await;
    is_open_again(&alice).await;
}

#[tokio::test]
async fn a_hung_backend_auth_closes_the_protected_routes_until_it_goes_on() {
    let world = World::plan().extra_config(PUBLIC_HOST).start().await;
    let alice = world.account("alice").await;
    alice.get("/get-list").await.ok();
    world.auth.program.freeze().await;
    is_closed(&world, &alice).await;
    world.auth.program.thaw();
    is_open_again(&alice).await;
}

async fn is_closed(world: &World, alice: &User) {
    // Someone whom the proxy hasn't seen is refused at once; nobody knows whether the cookie is good.
    let start = Instant::now();
    let cookie = format!("session={}", "x".repeat(43));
    let unseen = world.stranger().request(Method::GET, "/get-list").header("Cookie", cookie);
    let answer = Answer::to(unseen).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert!(!answer.header("retry-after").is_empty());

    // Alice's last decision lives for a few seconds more, then she is refused too.
    eventually("the cached decision ends", || async {
        (alice.get("/get-list").await.status == 503).then_some(())
    })
    .await;
    let start = Instant::now();
    assert_eq!(alice.says("general", "unheard").await.status, 503);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());

    let public = world.stranger().request(Method::GET, "/health").header("Host", "public.test");
    Answer::to(public).await.ok();
}

async fn is_open_again(alice: &User) {
    eventually("the protected routes open again", || async {
        (alice.get("/get-list").await.status == 200).then_some(())
    })
    .await;
    alice.says("general", "heard").await.ok();
    assert_eq!(alice.reads("general").await, ["heard"]);
}
