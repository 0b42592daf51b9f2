//! Backends die, come late and move; the proxy goes on by itself.

use system_tests::neighbour::Neighbour;
use system_tests::ports::Port;
use system_tests::{World, eventually};

#[tokio::test]
async fn a_restarted_tracker_is_used_again_and_its_dead_connections_show_nowhere() {
    let mut world = World::start().await;
    let alice = world.account("alice").await;
    for round in 0..3 {
        // Leaves connections in the proxy's pool that the kill makes stale.
        for number in 0..10 {
            alice.says("general", &format!("{round} {number}")).await.ok();
            alice.get("/get-list").await.ok();
        }
        world.tracker.kill().await;
        world.tracker.restart().await;
        // A health check may have met it dead, and says so (503); nothing else may happen.
        eventually("the tracker is used again", || async {
            let answer = alice.says("general", &format!("{round} again")).await;
            assert!([200, 503].contains(&answer.status), "{} {}", answer.status, answer.text);
            (answer.status == 200).then_some(())
        })
        .await;
    }
    assert_eq!(alice.get("/chat/messages?channel=general").await.ok()["head_seq"], 33);
}

#[tokio::test]
async fn a_backend_that_appears_late_is_found() {
    let port = Port::claim();
    let world = World::plan().tracker_server(port.local()).start().await;
    let alice = world.account("alice").await;
    let early = alice.get("/chat/me").await;
    assert_eq!((early.status, &early.json()["status"]), (503, &"error".into()), "{}", early.text);
    assert!(!early.header("retry-after").is_empty());

    let _late = Neighbour::named(&port.local(), "late").await;
    eventually("the late backend answers", || async {
        (alice.get("/chat/me").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_backend_whose_name_does_not_resolve_yet_is_found() {
    let port = Port::claim();
    let _backend = Neighbour::named(&format!("127.0.0.2:{}", port.number()), "late").await;
    let world = World::plan()
        .proxy_hosts("127.0.0.1 localhost\n")
        .tracker_server(format!("tracker.test:{}", port.number()))
        .start()
        .await;
    let alice = world.account("alice").await;
    assert_eq!(alice.get("/chat/me").await.status, 503);
    std::fs::write(world.hosts_file(), "127.0.0.1 localhost\n127.0.0.2 tracker.test\n").unwrap();
    eventually("the name is resolved", || async {
        (alice.get("/chat/me").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_backend_that_moves_to_another_address_is_followed() {
    let port = Port::claim();
    let at = |ip: &str| format!("{ip}:{}", port.number());
    let name = |ip: &str| format!("127.0.0.1 localhost\n{ip} tracker.test\n");
    let old = Neighbour::named(&at("127.0.0.2"), "old").await;
    let world = World::plan()
        .proxy_hosts(name("127.0.0.2"))
        .tracker_server(at("tracker.test"))
        .start()
        .await;
    let alice = world.account("alice").await;
    let from = async || {
        let answer = alice.get("/chat/me").await;
        answer.json()["from"].as_str().unwrap_or_default().to_owned()
    };
    eventually("the first address answers", || async { (from().await == "old").then_some(()) })
        .await;

    // Moved while the old one still answers, as a container that is about to go.
    let _new = Neighbour::named(&at("127.0.0.3"), "new").await;
    std::fs::write(world.hosts_file(), name("127.0.0.3")).unwrap();
    eventually("the new address answers", || async { (from().await == "new").then_some(()) }).await;
    for _ in 0..20 {
        assert_eq!(from().await, "new");
    }

    // Moved back after a death.
    drop(_new);
    std::fs::write(world.hosts_file(), name("127.0.0.2")).unwrap();
    eventually("the old address answers", || async { (from().await == "old").then_some(()) }).await;
    drop(old);
}
