//! Links through a TURN server, when there is no direct way.

use std::time::Duration;

use peer::links::{FileMessage, IceServers, Way};

use crate::coturn::Coturn;
use crate::support::{Device, Switchboard, settings, text};

/// A device that takes and offers ways through the server only.
async fn hidden(board: &Switchboard, name: &str, server: &Coturn) -> Device {
    let mut settings = settings(name);
    settings.relay_only = true;
    let device = board.device_with(settings).await;
    device.links.set_ice(through(server));
    device
}

fn through(server: &Coturn) -> IceServers {
    IceServers { stun: Vec::new(), turn: vec![server.credentials("secret")] }
}

#[tokio::test]
async fn two_hidden_devices_are_linked_through_the_server() {
    let server = Coturn::start(&[]).await;
    let board = Switchboard::default();
    let mut alice = hidden(&board, "alice", &server).await;
    let mut bob = hidden(&board, "bob", &server).await;
    alice.links.connect(&bob.me);
    assert_eq!(alice.up(&bob.me).await, Way::Relayed);
    assert_eq!(bob.up(&alice.me).await, Way::Relayed);
    for number in 0..100 {
        alice.links.send(&bob.me, &text(number, "through the server")).await.unwrap();
    }
    for number in 0..100 {
        assert_eq!(bob.frame().await, text(number, "through the server"));
    }
    let own = [alice.port(), bob.port()];
    assert_eq!(own, [None, None], "hidden devices tell nobody where they are");
    for signal in board.passed() {
        let told = format!("{:?}", signal.signal);
        assert!(!told.contains("typ host") && !told.contains("typ srflx"), "{told}");
    }
}

#[tokio::test]
async fn both_sides_know_that_one_of_them_is_hidden() {
    let server = Coturn::start(&[]).await;
    let board = Switchboard::default();
    let mut alice = hidden(&board, "alice", &server).await;
    let mut bob = board.device("bob").await;
    bob.links.connect(&alice.me);
    assert_eq!(alice.up(&bob.me).await, Way::Relayed);
    assert_eq!(bob.up(&alice.me).await, Way::Relayed);
    assert_eq!(bob.links.up(), [(alice.me.clone(), Way::Relayed)]);
}

#[tokio::test]
async fn a_direct_way_is_preferred() {
    let server = Coturn::start(&[]).await;
    let board = Switchboard::default();
    let (mut alice, mut bob) = (board.device("alice").await, board.device("bob").await);
    for device in [&alice, &bob] {
        device.links.set_ice(through(&server));
    }
    server.logged("ALLOCATE processed, success").await;
    alice.links.connect(&bob.me);
    assert_eq!(alice.up(&bob.me).await, Way::Direct);
    assert_eq!(bob.up(&alice.me).await, Way::Direct);
}

#[tokio::test]
async fn a_file_passes_through_the_server() {
    let server = Coturn::start(&[]).await;
    let board = Switchboard::default();
    let mut alice = hidden(&board, "alice", &server).await;
    let mut bob = hidden(&board, "bob", &server).await;
    bob.links.connect(&alice.me);
    alice.up(&bob.me).await;
    bob.up(&alice.me).await;
    let mut out = alice.links.open_file(&bob.me, "0f".repeat(16).parse().unwrap()).await.unwrap();
    let (_, mut inward) = bob.file().await;
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
    let sent = bytes.clone();
    let send = tokio::spawn(async move {
        out.send(FileMessage::Data(sent.into())).await.unwrap();
        out
    });
    let mut came = Vec::new();
    while came.len() < bytes.len() {
        let Some(FileMessage::Data(data)) = inward.recv().await else { panic!("the file's bytes") };
        came.extend_from_slice(&data);
    }
    assert!(came == bytes);
    drop(send.await.unwrap());
}

#[tokio::test]
async fn a_server_that_started_again_is_used_again() {
    let mut server = Coturn::start(&[]).await;
    let board = Switchboard::default();
    let mut alice = hidden(&board, "alice", &server).await;
    let bob = hidden(&board, "bob", &server).await;
    alice.links.connect(&bob.me);
    alice.up(&bob.me).await;
    server.restart().await;
    alice.down(&bob.me).await;
    alice.up(&bob.me).await;
    assert!(alice.links.ping(&bob.me).await.unwrap() < Duration::from_secs(1));
}
