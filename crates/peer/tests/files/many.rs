//! Many files at once, and messages between them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use peer::event::FileState;

use crate::support::{MIB, pair, same};

#[tokio::test]
async fn messages_pass_quickly_while_several_files_do() {
    let (alice, mut bob) = pair().await;
    let mut files = Vec::new();
    for n in 0..4 {
        let path = alice.file(&format!("{n}.bin"), 48 * MIB + n);
        files.push((alice.send(&bob, &path).await, path));
    }
    bob.until_some(files[0].0, MIB).await;
    let mut trips = Vec::new();
    for _ in 0..20 {
        trips.push(alice.links.ping(&bob.me).await.unwrap());
    }
    let under_way = alice.transfers.list();
    let running = |state: &FileState| matches!(state, FileState::Running { .. });
    assert!(under_way.iter().any(|file| running(&file.state)), "too fast for this test");
    trips.sort();
    assert!(trips[10] < Duration::from_millis(500), "{trips:?}");
    let mut missing: HashMap<_, _> = files.into_iter().collect();
    while !missing.is_empty() {
        let status = bob.next().await;
        if let FileState::Done { path: Some(there) } = status.state {
            assert!(same(&missing.remove(&status.offer.file).unwrap(), &there));
        }
    }
}

#[tokio::test]
async fn hundreds_of_small_files_of_all_sizes_arrive_each_once() {
    let (alice, mut bob) = pair().await;
    let began = Instant::now();
    let mut missing = HashMap::new();
    for n in 0..300_usize {
        // Sizes around those of a message, and some of none.
        let size = n * 7919 % 40_000 * (n % 5);
        let path = alice.file(&format!("{n}.bin"), size);
        missing.insert(alice.send(&bob, &path).await, path);
    }
    while !missing.is_empty() {
        let status = bob.next().await;
        if let FileState::Done { path: Some(there) } = status.state {
            let sent = missing.remove(&status.offer.file).expect("each once");
            assert!(same(&sent, &there) && sent.file_name() == there.file_name());
        }
    }
    assert_eq!(bob.received().len(), 300);
    eprintln!("{:?}", began.elapsed());
}
