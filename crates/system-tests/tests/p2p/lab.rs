//! The tests' own network and packet capture: what they let pass and what they see.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use system_tests::capture::Capture;
use system_tests::lab::{self, Host};
use system_tests::{World, eventually};
use tokio::net::UdpSocket;

#[test]
fn machines_reach_each_other_and_nothing_else() {
    lab::run(async |lab| {
        let (alice, bob) = (lab.host("alice"), lab.host("bob"));
        let (hers, his) = (udp(&alice), udp(&bob));
        arrives(&hers, &his).await;
        arrives(&his, &hers).await;
        // TEST-NET-1 of RFC 5737: an address of nobody. There is no route, for none of them.
        for socket in [&hers, &his, &udp(lab.server())] {
            let error = socket.send_to(b"x", "192.0.2.1:9").await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::NetworkUnreachable);
        }
    });
}

#[test]
fn blocked_udp_an_unplugged_cable_and_a_new_address_are_what_they_say() {
    lab::run(async |lab| {
        let (alice, bob) = (lab.host("alice"), lab.host("bob"));
        let (hers, his, servers) = (udp(&alice), udp(&bob), udp(lab.server()));
        lab.block_udp(&alice, &bob);
        assert!(!passes(&hers, &his).await && !passes(&his, &hers).await);
        arrives(&hers, &servers).await;
        arrives(&servers, &his).await;
        lab.unblock(&alice, &bob);
        arrives(&hers, &his).await;

        bob.unplug();
        assert!(!passes(&hers, &his).await);
        bob.plug_in();
        arrives(&hers, &his).await;

        let (old, new) = (bob.addr(), lab.free_address());
        bob.moves_to(new);
        let his = udp(&bob);
        assert_eq!((bob.addr(), his.local_addr().unwrap().ip()), (new, new.into()));
        assert_ne!(new, old);
        arrives(&hers, &his).await;
    });
}

#[test]
fn a_test_leaves_no_machine_behind() {
    let (holder, held) = std::sync::mpsc::channel();
    lab::run(async move |lab| holder.send(lab.host("alice").netns().pid()).unwrap());
    // Nothing is told here when the test ran itself again with the rights it takes, and checked it there.
    if let Ok(holder) = held.recv() {
        assert!(!std::path::Path::new(&format!("/proc/{holder}")).exists());
    }
}

/// The control for every test that says that a capture saw nothing.
#[test]
fn a_capture_on_the_server_sees_what_goes_by_the_mailbox_and_the_tracker_counts_it() {
    const MARKER: &str = "a marker that nobody else writes";
    lab::run(async |lab| {
        let world = World::plan().for_others().start().await;
        let (alice, bob) = (world.account("alice").await, world.account("bob").await);
        bob.get("/chat/me").await.ok();
        let capture = Capture::start(world.folder()).await;
        alice.writes("bob", MARKER).await.ok();
        let counted = world.metric(r#"tracker_content_bytes_total{kind="direct"}"#).await;
        assert_eq!(counted, MARKER.len() as u64);
        let mailbox = bob.get("/chat/mailbox").await.ok();
        assert_eq!(mailbox["messages"][0]["message"], json!(MARKER));
        // Into the proxy, from there to the tracker; out of the tracker, out of the proxy.
        let packets = capture.stop().await;
        assert!(packets.count(MARKER) >= 4, "{} times", packets.count(MARKER));
        assert_eq!(packets.count("a marker that nobody at all writes"), 0);
        drop(lab);
    });
}

fn udp(host: &Host) -> UdpSocket {
    let addr = SocketAddr::from((host.addr(), 0));
    let socket = host.netns().within(|| std::net::UdpSocket::bind(addr)).unwrap();
    socket.set_nonblocking(true).unwrap();
    UdpSocket::from_std(socket).unwrap()
}

/// Waits until a datagram arrives. The first ones may be lost: a switch wakes up, an address is asked for.
async fn arrives(from: &UdpSocket, to: &UdpSocket) {
    eventually("a datagram arrives", async || passes(from, to).await.then_some(())).await;
}

/// Whether a datagram arrives. On one machine it does so at once, or never.
async fn passes(from: &UdpSocket, to: &UdpSocket) -> bool {
    let text = uuid::Uuid::new_v4().to_string();
    let target = to.local_addr().unwrap();
    // What the sender's own filter drops is an error here.
    if from.send_to(text.as_bytes(), target).await.is_err() {
        return false;
    }
    let arriving = async {
        let mut buffer = [0; 64];
        loop {
            let length = to.recv(&mut buffer).await.unwrap();
            if buffer[..length] == *text.as_bytes() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_millis(500), arriving).await.is_ok()
}
