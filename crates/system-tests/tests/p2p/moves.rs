//! People move: they leave, change networks, close the lid, and use two devices.

use serde_json::{Value, json};
use system_tests::lab;

use crate::support::{device, link, linked_pair, peer, plan, set, setup, texts, texts_of, word};

#[test]
fn one_who_leaves_says_goodbye_and_is_linked_again_when_back() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, mut bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let (status, _) = bob.program.terminate().await;
        assert_eq!(status.code(), Some(0));
        alice.unlinked("bob").await;
        let mark = bob.revive();
        bob.online(mark).await;
        assert_eq!(link(&alice, &bob).await, "direct");
    });
}

#[test]
fn a_device_that_was_killed_and_comes_back_gets_everything_once() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, mut bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let all = texts(&word(), 60);
        let mut ids = alice.writes_all("bob", &all[..20]).await;
        bob.kill().await;
        ids.extend(alice.writes_all("bob", &all[20..40]).await);
        let mark = bob.revive();
        bob.online(mark).await;
        ids.extend(alice.writes_all("bob", &all[40..]).await);
        alice.delivered(&set(&ids)).await;
        let mut kept = texts_of(&bob.talk("alice").await);
        kept.sort();
        let mut all = all;
        all.sort();
        assert_eq!(kept, all);
    });
}

#[test]
fn a_machine_that_gets_another_address_is_linked_again_and_nothing_is_lost() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let all = texts(&word(), 40);
        let mut ids = alice.writes_all("bob", &all[..20]).await;
        hosts.1.moves_to(lab.free_address());
        ids.extend(alice.writes_all("bob", &all[20..]).await);
        alice.delivered(&set(&ids)).await;
        assert_eq!(texts_of(&bob.heard("alice")).len(), all.len());
        // And directly again.
        alice.asks("connect", json!({"to": "bob"})).await.unwrap();
        let text = word();
        system_tests::eventually("messages go directly again", async || {
            let id = alice.writes("bob", &text).await;
            (alice.delivery(&id, "delivered").await["route"] == "direct").then_some(())
        })
        .await;
    });
}

#[test]
fn behind_a_closed_lid_messages_wait_and_come_once_when_it_opens() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        bob.program.freeze().await;
        let text = word();
        let id = alice.writes("bob", &text).await;
        alice.delivery(&id, "queued").await;
        bob.program.thaw();
        bob.hears(&text).await;
        alice.delivery(&id, "delivered").await;
        // The link's copy and the mailbox's are one message.
        let after = word();
        alice.writes("bob", &after).await;
        bob.hears(&after).await;
        assert_eq!(texts_of(&bob.talk("alice").await), [text.clone(), after.clone()]);
        assert_eq!(texts_of(&bob.heard("alice")), [text, after]);
    });
}

#[test]
fn a_message_reaches_each_of_two_devices_once_and_its_writers_other_device_too() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = [lab.host("laptop"), lab.host("phone"), lab.host("bob")];
        let laptop = peer(&lab, &world, "alice", &hosts[0]).await;
        let phone = device(&lab, &world, "alice", &hosts[1]).await;
        let bob = peer(&lab, &world, "bob", &hosts[2]).await;
        tokio::join!(link(&bob, &laptop), link(&bob, &phone));
        // A copy goes to the own devices that one knows to be there.
        let both = |event: &Value| {
            event["peer_id"] == "alice"
                && event["devices"].as_array().is_some_and(|devices| devices.len() == 2)
        };
        laptop.told("presence", 0, both).await;

        let (his, hers) = (texts(&word(), 50), texts(&word(), 50));
        let ids = tokio::join!(bob.writes_all("alice", &his), laptop.writes_all("bob", &hers));
        let sent = (set(&ids.0), set(&ids.1));
        tokio::join!(bob.delivered(&sent.0), laptop.delivered(&sent.1));
        let (last_of_his, last_of_hers) = (his.last().unwrap(), hers.last().unwrap());
        tokio::join!(
            laptop.hears(last_of_his),
            phone.hears(last_of_his),
            phone.hears(last_of_hers)
        );
        assert_eq!(texts_of(&bob.heard("alice")), hers);
        assert_eq!(texts_of(&laptop.heard("bob")), his);
        assert_eq!(texts_of(&phone.heard("bob")), his);
        assert_eq!(texts_of(&phone.heard("alice")), hers);
        for peer in [&laptop, &phone] {
            assert_eq!(peer.talk("bob").await.len(), his.len() + hers.len());
        }
    });
}

#[test]
fn a_partner_is_told_of_a_device_that_was_never_seen_before() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, _bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let other = lab.host("stranger");
        let home = world.folder().join("stranger");
        let again = setup(&lab, &world, "bob", home.to_str().unwrap()).on(&other).start().await;
        let ready = again.told("ready", 0, |_| true).await;
        let told = alice.told("new_device", 0, |event| event["peer"] == "bob").await;
        assert_eq!(told["device"], ready["device"]);
        let known = |event: &Value| event["type"] == "new_device";
        assert_eq!(alice.events().iter().filter(|event| known(event)).count(), 1);
    });
}
