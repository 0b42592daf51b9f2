//! Files: bit for bit, with flat memory, and not from the start again after a break.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use system_tests::{Native, lab};

use crate::support::{Watch, linked_pair, plan};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// How much either side may grow over a transfer, whatever the file's size.
const FLAT_KIB: u64 = 64 * 1024;
/// A gibibyte with unoptimised programs on a busy machine.
const LONG: Duration = Duration::from_secs(200);

#[test]
fn a_gibibyte_arrives_bit_for_bit_with_flat_memory_though_the_network_is_cut_in_the_middle() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let film = noise(&alice, "film.mkv", GIB);
        // The first file makes what both keep anyway.
        let small = noise(&alice, "small", 16 * MIB);
        let id = alice.offers("bob", &small).await;
        done(&alice, &id).await;
        let before = [&alice, &bob].map(|peer| peer.program.memory().0);
        let (came, watch) = (hosts.1.received(), Watch::start(&world).await);

        let id = alice.offers("bob", &film).await;
        reaches(&bob, &id, GIB / 2).await;
        lab.block_udp(&hosts.0, &hosts.1);
        tokio::join!(alice.unlinked("bob"), bob.unlinked("alice"));
        lab.unblock(&hosts.0, &hosts.1);
        tokio::join!(done(&alice, &id), done(&bob, &id));

        same(&film, &bob.downloads().join("film.mkv"));
        assert!(goes_up(&bob, &id) && goes_up(&alice, &id));
        // From the start again, it would have been a gibibyte and a half.
        let came = hosts.1.received() - came;
        assert!(came > GIB && came < GIB + GIB / 4, "{came} bytes came to the receiver");
        for (peer, before) in [&alice, &bob].into_iter().zip(before) {
            let (_, highest) = peer.program.memory();
            assert!(highest < before + FLAT_KIB, "{}: {before} to {highest} KiB", peer.name);
        }
        let packets = watch.saw_nothing_of(&world, &[]).await;
        assert!((packets.len() as u64) < 16 * MIB, "{} bytes went by the server", packets.len());
    });
}

#[test]
fn a_file_goes_on_where_it_was_when_the_receiver_and_then_the_sender_was_killed() {
    const SIZE: u64 = 48 * MIB;
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        // Six seconds at least: time to die in the middle.
        hosts.0.slow_down(64);
        let (mut alice, mut bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let film = noise(&alice, "film.mkv", SIZE);
        let came = hosts.1.received();

        let id = alice.offers("bob", &film).await;
        reaches(&bob, &id, SIZE / 4).await;
        bob.kill().await;
        let mark = bob.revive();
        bob.online(mark).await;
        reaches(&bob, &id, SIZE / 2).await;
        alice.kill().await;
        let mark = alice.revive();
        alice.online(mark).await;
        // The same file has the same id, whether it went on by itself or has to be offered again.
        assert_eq!(alice.offers("bob", &film).await, id);
        tokio::join!(done(&alice, &id), done(&bob, &id));

        same(&film, &bob.downloads().join("film.mkv"));
        assert!(goes_up(&bob, &id));
        let came = hosts.1.received() - came;
        assert!(came > SIZE && came < SIZE + SIZE / 4, "{came} bytes came to the receiver");
    });
}

#[test]
fn messages_are_not_held_up_by_files_on_their_way() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        hosts.0.slow_down(64);
        let (alice, bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let films = ["one", "two", "three"].map(|name| noise(&alice, name, 16 * MIB));
        let mut ids = Vec::new();
        for film in &films {
            ids.push(alice.offers("bob", film).await);
        }
        for id in &ids {
            reaches(&bob, id, MIB).await;
        }
        for number in 0..20 {
            let text = format!("beside the films {number}");
            let id = alice.writes("bob", &text).await;
            assert_eq!(bob.hears(&text).await["route"], "direct");
            alice.delivery(&id, "delivered").await;
        }
        let running = |event: &Value| event["type"] == "file" && event["state"] == "done";
        assert!(!bob.events().iter().any(running), "the films were faster than twenty messages");
        for (id, film) in ids.iter().zip(&films) {
            done(&bob, id).await;
            same(film, &bob.downloads().join(film.file_name().unwrap()));
        }
    });
}

/// A file of random bytes in a peer's folder.
fn noise(of: &Native, name: &str, size: u64) -> PathBuf {
    let path = of.home().join(name);
    let mut random = File::open("/dev/urandom").unwrap();
    let mut file = File::create(&path).unwrap();
    let mut block = vec![0; 1 << 20];
    for _ in 0..size / MIB {
        random.read_exact(&mut block).unwrap();
        file.write_all(&block).unwrap();
    }
    path
}

/// Compares two files block by block.
fn same(one: &Path, other: &Path) {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    assert_eq!(one.metadata().unwrap().len(), other.metadata().unwrap().len());
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for block in 0..one.metadata().unwrap().len() / MIB {
        one.read_exact(&mut left).unwrap();
        other.read_exact(&mut right).unwrap();
        assert!(left == right, "they differ in mebibyte {block}");
    }
}

/// Waits until a transfer has come so far.
async fn reaches(peer: &Native, id: &str, bytes: u64) {
    let what = format!("{bytes} bytes of {id}");
    peer.until_for(LONG, &what, 0, |events| {
        steps(events, id).any(|done| done >= bytes).then_some(())
    })
    .await;
}

async fn done(peer: &Native, id: &str) {
    peer.until_for(LONG, "the end of a file", 0, |events| {
        let of = |event: &&Value| event["type"] == "file" && event["file"] == id;
        let last = events.iter().rev().find(of)?;
        let ended = ["declined", "cancelled"].contains(&last["state"].as_str().unwrap());
        assert!(!ended, "{last}");
        (last["state"] == "done").then_some(())
    })
    .await;
}

/// Whether it never had less than before.
fn goes_up(peer: &Native, id: &str) -> bool {
    let events = peer.events();
    steps(&events, id).is_sorted()
}

/// How far a transfer was, time after time.
fn steps<'a>(events: &'a [Value], id: &'a str) -> impl Iterator<Item = u64> + 'a {
    let of = move |event: &&Value| event["type"] == "file" && event["file"] == id;
    events.iter().filter(of).filter_map(|event| event["done"].as_u64())
}
