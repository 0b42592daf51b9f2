//! What the tests say in one line.

use std::collections::BTreeSet;

use serde_json::Value;
use system_tests::capture::{Capture, Packets};
use system_tests::lab::{Host, Lab};
use system_tests::native::Setup;
use system_tests::world::Plan;
use system_tests::{Native, World};

/// The stack on the lab's server, for its other machines. Nobody is held back for writing much.
pub(crate) fn plan() -> Plan {
    World::plan().for_others().tracker_flags(&["--rate", "0", "--signal-rate", "0"])
}

/// The peer of a new account on a machine of the lab. Files that are offered to it are taken.
pub(crate) async fn peer(lab: &Lab, world: &World, name: &str, host: &Host) -> Native {
    world.account(name).await;
    device(lab, world, name, host).await
}

/// A device of an account.
pub(crate) async fn device(lab: &Lab, world: &World, name: &str, host: &Host) -> Native {
    let home = world.folder().join(host.name());
    setup(lab, world, name, home.to_str().unwrap()).on(host).start().await
}

/// How devices are set up.
pub(crate) fn setup<'a>(lab: &Lab, world: &World, name: &str, home: &str) -> Setup<'a> {
    let server = format!("http://{}:{}", lab.server().addr(), world.proxy.port());
    Setup::new(name, &server, home).flags(&["--accept-files"])
}

/// Two peers on machines of their own, that are linked.
pub(crate) async fn linked_pair<'a>(
    lab: &Lab,
    world: &World,
    hosts: (&'a Host, &'a Host),
) -> (Native, Native) {
    let alice = peer(lab, world, "alice", hosts.0).await;
    let bob = peer(lab, world, "bob", hosts.1).await;
    link(&alice, &bob).await;
    (alice, bob)
}

/// Waits for a link between two peers: the way that it goes, which both name alike.
pub(crate) async fn link(one: &Native, other: &Native) -> String {
    one.asks("connect", serde_json::json!({"to": other.name})).await.unwrap();
    let ways = tokio::join!(one.linked(&other.name), other.linked(&one.name));
    assert_eq!(ways.0, ways.1);
    ways.0
}

/// Numbered texts with a word that nobody else writes.
pub(crate) fn texts(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{word} {number}")).collect()
}

/// The texts of messages, in their order.
pub(crate) fn texts_of(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["message"].as_str().unwrap().to_owned()).collect()
}

/// The same as a set.
pub(crate) fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

/// Something that only one test writes: long enough not to be there by chance.
pub(crate) fn word() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Watches what the server sees while peers talk.
pub(crate) struct Watch {
    capture: Capture,
    counted: u64,
}

impl Watch {
    /// From now on.
    pub(crate) async fn start(world: &World) -> Self {
        let counted = content_bytes(world).await;
        Self { capture: Capture::start(world.folder()).await, counted }
    }

    /// Checks that the server saw nothing with these words: not a packet with them, and by the tracker's own
    /// counter not a byte of any message. What it did see.
    pub(crate) async fn saw_nothing_of(self, world: &World, words: &[&str]) -> Packets {
        assert_eq!(content_bytes(world).await, self.counted, "the tracker was given content");
        let packets = self.capture.stop().await;
        for word in words {
            assert_eq!(packets.count(word), 0, "{word} passed the server");
        }
        packets
    }
}

/// Bytes of message text that the tracker was given.
pub(crate) async fn content_bytes(world: &World) -> u64 {
    world.metric(r#"tracker_content_bytes_total{kind="direct"}"#).await
        + world.metric(r#"tracker_content_bytes_total{kind="channel"}"#).await
}
