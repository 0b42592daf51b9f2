//! Guessing is slow, and an owner isn't locked out.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use serde_json::json;

use crate::support::{Answer, OTHER_PASSWORD, PASSWORD, Visitor, World};

async fn login_from(visitor: &Visitor, ip: &str, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password});
    visitor.post_with("/login", body, &[("x-forwarded-for", ip)]).await
}

#[tokio::test]
async fn twenty_failures_stop_an_address_for_known_and_unknown_names_alike() {
    let world = World::with(|flags| flags.login_burst = 20).await;
    world.member("alice").await;
    let visitor = world.visitor();
    for number in 0..20 {
        let answer = login_from(&visitor, "192.0.2.1", &format!("user{number}"), PASSWORD).await;
        assert_eq!(answer.status, 401);
    }
    let known = login_from(&visitor, "192.0.2.1", "alice", PASSWORD).await;
    let unknown = login_from(&visitor, "192.0.2.1", "nobody", PASSWORD).await;
    for answer in [&known, &unknown] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "too_many_requests"));
        assert!((1..=6).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    }
    assert_eq!(known.text, unknown.text);
    assert_eq!(login_from(&visitor, "192.0.2.2", "alice", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_account_has_five_tries_per_address_before_waiting() {
    let world = World::with(|flags| flags.login_free_tries = 5).await;
    world.member("alice").await;
    for name in ["alice", "nobody"] {
        let visitor = world.visitor();
        for _ in 0..5 {
            assert_eq!(login_from(&visitor, "192.0.2.1", name, OTHER_PASSWORD).await.status, 401);
        }
        let answer = login_from(&visitor, "192.0.2.1", name, OTHER_PASSWORD).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"), "{name}");
    }
}

#[tokio::test]
async fn an_attack_from_everywhere_does_not_lock_the_owner_out() {
    let world = World::with(|flags| {
        flags.login_free_tries = 5;
        flags.account_delay_max = Duration::from_secs(600);
    })
    .await;
    let alice = world.member("alice").await;
    // Strangers are delayed, for minutes in the end: they don't wait for their answers.
    let attack = join_all((0..60).map(|number| {
        let visitor = world.visitor();
        async move {
            let ip = format!("198.51.100.{number}");
            let guess = login_from(&visitor, &ip, "alice", OTHER_PASSWORD);
            tokio::time::timeout(Duration::from_secs(2), guess).await.is_ok()
        }
    }));
    assert!(attack.await.contains(&true));
    // Her browser was there before: neither delay nor refusal.
    let owner = world.visitor();
    owner.set_cookie("device", &alice.cookie("device"));
    let login = login_from(&owner, "203.0.113.5", "alice", PASSWORD);
    let answer = tokio::time::timeout(Duration::from_secs(30), login).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_thousand_failures_from_elsewhere_and_the_owner_on_a_known_device_gets_in() {
    // The limits as they come, but that strangers wait for a second at most: this test waits for each of them.
    let world = World::with(|flags| {
        flags.login_burst = 20;
        flags.login_free_tries = 5;
        flags.account_delay_max = Duration::from_secs(1);
        flags.hash_queue = 1000;
    })
    .await;
    let alice = world.member("alice").await;
    let stranger = world.visitor();
    let answers: Vec<Answer> = stream::iter(0..1000)
        .map(|number| {
            let ip = format!("198.51.{}.{}", number / 250, number % 250);
            let stranger = &stranger;
            async move { login_from(stranger, &ip, "alice", OTHER_PASSWORD).await }
        })
        .buffer_unordered(250)
        .collect()
        .await;
    assert_eq!(answers.len(), 1000);
    assert!(answers.iter().all(|answer| answer.status == 401), "each of them was a failure");
    // Her browser was there before. It comes from the attackers' own network, and she mistypes first.
    let owner = world.visitor();
    owner.set_cookie("device", &alice.cookie("device"));
    assert_eq!(login_from(&owner, "198.51.0.1", "alice", OTHER_PASSWORD).await.status, 401);
    assert_eq!(login_from(&owner, "198.51.0.1", "alice", PASSWORD).await.status, 200);
    assert!(owner.is_signed_in().await);
}

#[tokio::test]
async fn a_device_mark_of_another_account_is_worth_nothing() {
    let world = World::with(|flags| flags.login_burst = 3).await;
    world.member("alice").await;
    let mallory = world.member("mallory").await;
    for _ in 0..3 {
        assert_eq!(login_from(&mallory, "192.0.2.1", "alice", OTHER_PASSWORD).await.status, 401);
    }
    assert_eq!(login_from(&mallory, "192.0.2.1", "alice", PASSWORD).await.status, 429);
    assert_eq!(login_from(&mallory, "192.0.2.1", "mallory", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_forged_forwarded_address_does_not_help() {
    let world = World::with(|flags| {
        flags.login_burst = 5;
        flags.trusted_proxies = "10.0.0.0/8".into();
    })
    .await;
    let visitor = world.visitor();
    for number in 0..5 {
        let answer =
            login_from(&visitor, &format!("192.0.2.{number}"), &format!("user{number}"), "x").await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(login_from(&visitor, "192.0.2.99", "other", "x").await.status, 429);
}

#[tokio::test]
async fn a_class_behind_one_address_registers_and_signs_in_at_once() {
    // The limits as they come.
    let world = World::with(|flags| {
        flags.login_burst = 20;
        flags.login_free_tries = 5;
        flags.register_burst = 100;
    })
    .await;
    let students: Vec<(String, Visitor)> =
        (0..30).map(|number| (format!("student{number}"), world.visitor())).collect();
    let made =
        join_all(students.iter().map(|(name, visitor)| visitor.register(name, PASSWORD))).await;
    assert!(made.iter().all(|answer| answer.status == 200));
    let entered =
        join_all(students.iter().map(|(name, visitor)| visitor.login(name, PASSWORD))).await;
    assert!(entered.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn registrations_have_a_limit_of_their_own() {
    let world = World::with(|flags| flags.register_burst = 3).await;
    for number in 0..3 {
        world.member(&format!("user{number}")).await;
    }
    let answer = world.visitor().register("user3", PASSWORD).await;
    assert_eq!(answer.status, 429);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(world.visitor().login("user0", PASSWORD).await.status, 200);
}
