//! Files' channels: bytes in order, both ways, several at once, beside messages, and with bounds.

use std::time::{Duration, Instant};

use bytes::Bytes;
use peer::links::{FileChannel, FileMessage, NotLinked};
use tokio::time::timeout;
use wire::p2p::{FileControl, FileId};

use crate::support::{PATIENCE, Switchboard, linked, text};

fn file(number: u8) -> FileId {
    FileId::new([number; 16])
}

/// Bytes that are different everywhere.
fn content(seed: u32, bytes: usize) -> Bytes {
    (0..bytes as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8)
        .collect()
}

async fn receive(channel: &mut FileChannel, bytes: usize) -> Vec<u8> {
    let mut came = Vec::with_capacity(bytes);
    while came.len() < bytes {
        match timeout(PATIENCE, channel.recv()).await.expect("more") {
            Some(FileMessage::Data(data)) => came.extend_from_slice(&data),
            other => panic!("{other:?}"),
        }
    }
    came
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent_and_words_between_them_at_their_place() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    let mut out = alice.links.open_file(&bob.me, file(1)).await.unwrap();
    let (id, mut inward) = bob.file().await;
    assert_eq!(id, file(1));
    let sent = content(1, 3_000_000);
    let task = tokio::spawn({
        let sent = sent.clone();
        async move {
            for (number, piece) in sent.chunks(1 << 20).enumerate() {
                out.send(FileMessage::Data(Bytes::copy_from_slice(piece))).await.unwrap();
                let have = FileControl::Have { pieces: number as u64 };
                out.send(FileMessage::Control(have)).await.unwrap();
            }
            out
        }
    });
    for (number, piece) in sent.chunks(1 << 20).enumerate() {
        assert!(receive(&mut inward, piece.len()).await == piece, "{number}");
        let have = FileControl::Have { pieces: number as u64 };
        assert_eq!(inward.recv().await, Some(FileMessage::Control(have)));
    }
    // The other direction of the same channel.
    let mut out = task.await.unwrap();
    inward.send(FileMessage::Control(FileControl::Have { pieces: 9 })).await.unwrap();
    let answer = FileMessage::Control(FileControl::Have { pieces: 9 });
    assert_eq!(timeout(PATIENCE, out.recv()).await.unwrap(), Some(answer));
}

#[tokio::test]
async fn several_files_pass_at_once_and_messages_do_not_wait_for_them() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    let mut tasks = Vec::new();
    for number in 0..4 {
        let mut out = alice.links.open_file(&bob.me, file(number)).await.unwrap();
        let (id, mut inward) = bob.file().await;
        assert_eq!(id, file(number));
        let sent = content(u32::from(number), 4_000_000);
        let expected = sent.clone();
        tasks.push(tokio::spawn(async move {
            out.send(FileMessage::Data(sent)).await.unwrap();
            out
        }));
        tasks.push(tokio::spawn(async move {
            assert!(receive(&mut inward, expected.len()).await == expected);
            inward
        }));
    }
    let mut slowest = Duration::ZERO;
    for number in 0..50 {
        let began = Instant::now();
        alice.links.send(&bob.me, &text(number, "meanwhile")).await.unwrap();
        assert_eq!(bob.frame().await, text(number, "meanwhile"));
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    for task in tasks {
        drop(timeout(PATIENCE, task).await.expect("all of it").unwrap());
    }
}

#[tokio::test]
async fn what_was_sent_before_letting_go_arrives() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    let mut out = alice.links.open_file(&bob.me, file(1)).await.unwrap();
    let (_, mut inward) = bob.file().await;
    let sent = content(7, 200_000);
    out.send(FileMessage::Data(sent.clone())).await.unwrap();
    drop(out);
    assert!(receive(&mut inward, sent.len()).await == sent);
    assert_eq!(timeout(PATIENCE, inward.recv()).await.unwrap(), None);
    assert_eq!(inward.send(FileMessage::Data(Bytes::from_static(b"x"))).await, Err(NotLinked));
}

#[tokio::test]
async fn a_receiver_that_lets_go_ends_the_senders_channel() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    let mut out = alice.links.open_file(&bob.me, file(1)).await.unwrap();
    drop(bob.file().await);
    assert_eq!(timeout(PATIENCE, out.recv()).await.unwrap(), None);
    // The link is still there, and the next channel opens.
    alice.links.open_file(&bob.me, file(2)).await.unwrap();
    assert_eq!(bob.file().await.0, file(2));
}

#[tokio::test]
async fn the_end_of_the_link_ends_the_channels() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    let mut out = alice.links.open_file(&bob.me, file(1)).await.unwrap();
    let (_, mut inward) = bob.file().await;
    bob.links.forget(&alice.me);
    assert_eq!(timeout(PATIENCE, out.recv()).await.unwrap(), None);
    assert_eq!(timeout(PATIENCE, inward.recv()).await.unwrap(), None);
    assert_eq!(out.send(FileMessage::Data(content(1, 10))).await, Err(NotLinked));
    assert!(alice.links.open_file(&bob.me, file(2)).await.is_err());
}

#[tokio::test]
async fn many_channels_come_and_go() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    for number in 0..100 {
        let mut out = alice.links.open_file(&bob.me, file(number)).await.unwrap();
        let (id, mut inward) = bob.file().await;
        assert_eq!(id, file(number));
        out.send(FileMessage::Data(content(0, 100))).await.unwrap();
        receive(&mut inward, 100).await;
        drop(out);
        assert_eq!(timeout(PATIENCE, inward.recv()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_channel_that_nobody_empties_is_closed_and_the_link_lives() {
    let (alice, mut bob) = linked(&Switchboard::default()).await;
    let mut out = alice.links.open_file(&bob.me, file(1)).await.unwrap();
    let (_, inward) = bob.file().await;
    let flood = async { while out.send(FileMessage::Data(content(0, 1 << 20))).await.is_ok() {} };
    timeout(PATIENCE * 3, flood).await.expect("the channel is closed");
    alice.links.send(&bob.me, &text(1, "still there")).await.unwrap();
    assert_eq!(bob.frame().await, text(1, "still there"));
    drop(inward);
}

#[tokio::test]
async fn a_link_with_an_open_channel_is_not_idle() {
    let board = Switchboard::default();
    let mut short = crate::support::settings("alice");
    short.idle = Duration::from_millis(200);
    let mut alice = board.device_with(short).await;
    let mut bob = board.device("bob").await;
    alice.links.connect(&bob.me);
    alice.up(&bob.me).await;
    bob.up(&alice.me).await;
    let out = alice.links.open_file(&bob.me, file(1)).await.unwrap();
    let (_, inward) = bob.file().await;
    // Longer than a link may be idle.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(600) {
        alice.links.ping(&bob.me).await.unwrap();
    }
    assert_eq!(alice.links.up().len(), 1);
    drop((out, inward));
    alice.down(&bob.me).await;
}
