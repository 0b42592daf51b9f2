//! The store by itself: what a commit keeps, what a failure takes back.

use std::sync::mpsc as std_mpsc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rusqlite::Connection;
use wire::chat::DirectRef;
use wire::{ChannelName, MessageId, PeerId};

use super::messages::{Appended, heads};
use super::*;
use crate::hub;
use crate::metrics::Levels;
use crate::peers::Registration;

struct Opened {
    store: Store,
    live: Live,
    metrics: Metrics,
    writer: JoinHandle<()>,
    folder: tempfile::TempDir,
}

fn open(folder: tempfile::TempDir) -> Opened {
    let live = Live {
        peers: Peers::default(),
        channels: Channels::default(),
        devices: Devices::default(),
        hub: Hub::new(hub::Limits::default()),
    };
    let metrics = Metrics::new().unwrap();
    let data_dir = folder.path().to_owned();
    let settings = Settings { data_dir, group: 64, queue: 256, readers: 1 };
    let (store, writer) = Store::open(&settings, live.clone(), metrics.clone()).unwrap();
    Opened { store, live, metrics, writer, folder }
}

impl Opened {
    fn new() -> Self {
        open(tempfile::tempdir().unwrap())
    }

    fn reopened(self) -> Self {
        drop(self.store);
        self.writer.join().unwrap();
        open(self.folder)
    }

    async fn peer(&self, id: &str) -> Registration {
        let register = Register {
            peer_id: PeerId::parse(id).unwrap(),
            ip: "10.0.0.1".parse().unwrap(),
            port: 1,
            account: None,
        };
        self.store.write(register).await.unwrap().registration
    }

    async fn join(&self, peer: &Registration, channel: &str) {
        let channel = name(channel);
        let join = Join { by: peer.clone(), member: peer.clone(), channel, create: true };
        self.store.write(join).await.unwrap();
    }

    fn append(&self, sender: &Registration, channel: &str, id: &str, body: &str) -> Append {
        Append {
            sender: sender.clone(),
            channel: self.live.channels.get(&name(channel)).unwrap(),
            id: MessageId::parse(id).unwrap(),
            body: body.to_owned(),
        }
    }

    fn queue(&self, from: &Registration, to: &Registration, id: &str, body: &str) -> Queue {
        Queue {
            sender: from.clone(),
            recipient: to.clone(),
            id: MessageId::parse(id).unwrap(),
            body: body.to_owned(),
            room: Room { messages: 3, bytes: 100 },
            keep: SignedDuration::from_hours(1),
        }
    }

    /// Each channel's log has the numbers 1 to its head, once each.
    async fn assert_dense(&self) {
        let channels = self.store.read(heads).await.unwrap();
        for (name, id, head) in channels {
            let seqs: Vec<u64> = self
                .store
                .read(move |db| {
                    db.prepare("SELECT seq FROM messages WHERE channel = ?1 ORDER BY seq")?
                        .query_map([id], |row| row.get(0))?
                        .collect()
                })
                .await
                .unwrap();
            assert_eq!(seqs, (1..=head).collect::<Vec<_>>(), "{name}");
            assert_eq!(self.live.channels.get(&name).unwrap().head, head, "{name}");
        }
    }
}

fn name(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

/// Runs SQL on the writer's connection.
struct Sql(&'static str);

impl Command for Sql {
    type Answer = ();
    fn run(&self, db: &Connection, _: Timestamp) -> Result<(), Failure> {
        Ok(db.execute_batch(self.0)?)
    }
    fn committed(&self, _: &(), _: &Live) {}
}

/// Holds the writer until the test lets go.
struct Hold(std::sync::Mutex<std_mpsc::Receiver<()>>);

impl Command for Hold {
    type Answer = ();
    fn run(&self, _: &Connection, _: Timestamp) -> Result<(), Failure> {
        let _ = self.0.lock().unwrap().recv();
        Ok(())
    }
    fn committed(&self, _: &(), _: &Live) {}
}

/// Writes, then fails.
struct Spoil;

impl Command for Spoil {
    type Answer = ();
    fn run(&self, db: &Connection, _: Timestamp) -> Result<(), Failure> {
        db.execute("UPDATE channels SET head = head + 1", [])?;
        Err(Refusal::NotAMember.into())
    }
    fn committed(&self, _: &(), _: &Live) {
        unreachable!("a refused command is not committed");
    }
}

/// Lets the writer find these commands in its queue all at once.
async fn at_once<C: Command>(store: &Store, commands: Vec<C>) -> Vec<Result<C::Answer, Failure>> {
    let (let_go, held) = std_mpsc::channel();
    let hold = store.write(Hold(std::sync::Mutex::new(held)));
    let others = futures_util::future::join_all(commands.into_iter().map(|c| store.write(c)));
    // `join` polls in order: when the last arm runs, all commands before it are in the queue.
    let (_, answers, ()) = tokio::join!(hold, others, async {
        tokio::task::yield_now().await;
        drop(let_go);
    });
    answers
}

#[tokio::test]
async fn what_waits_goes_into_one_commit() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    opened.join(&alice, "general").await;
    let appends =
        (0..20).map(|n| opened.append(&alice, "general", &format!("m{n}"), "hi")).collect();
    let answers = at_once(&opened.store, appends).await;
    let seqs: Vec<u64> = answers.into_iter().map(|answer| answer.unwrap().seq).collect();
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
    // Registering, joining, the hold (with or without the first ones), the rest.
    let metrics = opened.metrics.render(Levels::default());
    let line = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    assert_eq!(line("tracker_commit_commands_sum"), 23);
    assert!(line("tracker_commit_commands_count") <= 4, "{metrics}");
    opened.assert_dense().await;
}

#[tokio::test]
async fn one_refused_command_spoils_no_other_of_its_commit() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    opened.join(&alice, "general").await;
    let (let_go, held) = std_mpsc::channel();
    let first = opened.append(&alice, "general", "a", "one");
    let second = opened.append(&alice, "general", "b", "two");
    let (_, one, spoilt, two, ()) = tokio::join!(
        opened.store.write(Hold(std::sync::Mutex::new(held))),
        opened.store.write(first),
        opened.store.write(Spoil),
        opened.store.write(second),
        async { drop(let_go) },
    );
    assert_eq!((one.unwrap().seq, two.unwrap().seq), (1, 2));
    assert!(matches!(spoilt, Err(Failure::Refused(Refusal::NotAMember))));
    opened.assert_dense().await;
}

#[tokio::test]
async fn a_failed_commit_acknowledges_nothing_and_the_writer_goes_on() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    opened.join(&alice, "general").await;
    let append = opened.append(&alice, "general", "a", "one");
    let (let_go, held) = std_mpsc::channel();
    // The transaction is pulled away from under the batch, as a full disk can do.
    let (_, lost, _, ()) = tokio::join!(
        opened.store.write(Hold(std::sync::Mutex::new(held))),
        opened.store.write(append),
        opened.store.write(Sql("ROLLBACK")),
        async { drop(let_go) },
    );
    assert!(matches!(lost, Err(Failure::Unavailable(_))), "{lost:?}");
    opened.assert_dense().await;
    let again = opened.append(&alice, "general", "a", "one");
    let again = opened.store.write(again).await.unwrap();
    assert_eq!((again.seq, again.duplicate), (1, false));
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    opened.join(&alice, "general").await;
    opened.store.write(Sql("PRAGMA max_page_count = 1")).await.unwrap();
    let body = "x".repeat(16_000);
    let full = opened.store.write(opened.append(&alice, "general", "a", &body)).await;
    assert!(matches!(full, Err(Failure::Unavailable(_))), "{full:?}");
    opened.store.write(Sql("PRAGMA max_page_count = 1000000")).await.unwrap();
    opened.store.write(opened.append(&alice, "general", "a", &body)).await.unwrap();
    opened.assert_dense().await;
}

#[tokio::test]
async fn a_locked_database_refuses_until_it_is_free() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    opened.join(&alice, "general").await;
    opened.store.write(Sql("PRAGMA busy_timeout = 0")).await.unwrap();
    let other = Connection::open(opened.folder.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = opened.store.write(opened.append(&alice, "general", "a", "hi")).await;
    assert!(matches!(locked, Err(Failure::Unavailable(_))), "{locked:?}");
    other.execute_batch("ROLLBACK").unwrap();
    opened.store.write(opened.append(&alice, "general", "a", "hi")).await.unwrap();
}

#[tokio::test]
async fn a_retry_gets_the_first_result_and_another_text_a_conflict() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    opened.join(&alice, "general").await;
    opened.join(&alice, "other").await;
    let first = opened.store.write(opened.append(&alice, "general", "a", "hi")).await.unwrap();
    let retry = opened.store.write(opened.append(&alice, "general", "a", "hi")).await.unwrap();
    assert_eq!(retry, Appended { duplicate: true, ..first });
    for (channel, body) in [("general", "ho"), ("other", "hi")] {
        let conflict = opened.store.write(opened.append(&alice, channel, "a", body)).await;
        assert!(matches!(conflict, Err(Failure::Refused(Refusal::IdConflict))));
    }
}

#[tokio::test]
async fn a_mailbox_takes_what_fits_and_an_ack_makes_room() {
    let opened = Opened::new();
    let alice = opened.peer("alice").await;
    let bob = opened.peer("bob").await;
    for id in ["a", "b"] {
        opened.store.write(opened.queue(&alice, &bob, id, &"x".repeat(40))).await.unwrap();
    }
    let too_big = opened.store.write(opened.queue(&alice, &bob, "c", &"x".repeat(40))).await;
    assert!(matches!(too_big, Err(Failure::Refused(Refusal::MailboxFull))));
    opened.store.write(opened.queue(&alice, &bob, "c", "x")).await.unwrap();
    let too_many = opened.store.write(opened.queue(&alice, &bob, "d", "x")).await;
    assert!(matches!(too_many, Err(Failure::Refused(Refusal::MailboxFull))));

    let from = PeerId::parse("ALICE").unwrap();
    let ack = Acknowledge {
        recipient: bob.clone(),
        messages: vec![DirectRef { from, id: MessageId::parse("a").unwrap() }],
        keep: SignedDuration::from_hours(1),
    };
    assert_eq!(opened.store.write(ack).await.unwrap().len(), 1);
    opened.store.write(opened.queue(&alice, &bob, "d", "x")).await.unwrap();
    // The text is gone from the table, the receipt answers a late retry.
    let text: Option<String> = opened
        .store
        .read(|db| {
            db.query_row("SELECT body FROM direct WHERE client_id = 'a'", [], |row| row.get(0))
        })
        .await
        .unwrap();
    assert_eq!(text, None);
    let retry = opened.store.write(opened.queue(&alice, &bob, "a", &"x".repeat(40))).await.unwrap();
    assert_eq!((retry.duplicate, retry.delivery), (true, wire::tracker::Delivery::Delivered));
}

#[tokio::test]
async fn a_second_tracker_on_the_same_folder_is_refused() {
    let opened = Opened::new();
    let data_dir = opened.folder.path().to_owned();
    let settings = Settings { data_dir, group: 1, queue: 1, readers: 1 };
    let second = Store::open(&settings, opened.live.clone(), opened.metrics.clone());
    assert!(matches!(second.map(|_| ()), Err(OpenError::InUse { .. })));
}

/// One step of a made-up day.
#[derive(Debug, Clone)]
enum Step {
    Append { peer: usize, channel: usize, id: u8 },
    Join { peer: usize, channel: usize },
    Leave { peer: usize, channel: usize },
    Spoil,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let who = (0..PEERS.len(), 0..CHANNELS.len());
    prop_oneof![
        6 => (who.clone(), 0..24u8)
            .prop_map(|((peer, channel), id)| Step::Append { peer, channel, id }),
        2 => who.clone().prop_map(|(peer, channel)| Step::Join { peer, channel }),
        1 => who.prop_map(|(peer, channel)| Step::Leave { peer, channel }),
        1 => Just(Step::Spoil),
        1 => Just(Step::Restart),
    ]
}

const PEERS: [&str; 3] = ["alice", "bob", "carol"];
const CHANNELS: [&str; 2] = ["general", "side"];

async fn live_through(steps: Vec<Step>) {
    let mut opened = Opened::new();
    let mut peers = Vec::new();
    for id in PEERS {
        peers.push(opened.peer(id).await);
    }
    opened.join(&peers[0], "side").await;
    for step in steps {
        match step {
            Step::Append { peer, channel, id } => {
                let append = opened.append(&peers[peer], CHANNELS[channel], &id.to_string(), "x");
                let _ = opened.store.write(append).await;
            }
            Step::Join { peer, channel } => opened.join(&peers[peer], CHANNELS[channel]).await,
            Step::Leave { peer, channel } => {
                let leave = Leave { peer: peers[peer].clone(), channel: name(CHANNELS[channel]) };
                let _ = opened.store.write(leave).await;
            }
            Step::Spoil => assert!(opened.store.write(Spoil).await.is_err()),
            Step::Restart => opened = opened.reopened(),
        }
    }
    opened.assert_dense().await;
    // The index in memory and the database agree on who is where.
    let kept = opened.live.channels.clone();
    let reopened = opened.reopened();
    for channel in CHANNELS {
        let kept = kept.get(&name(channel)).unwrap();
        let loaded = reopened.live.channels.get(&name(channel)).unwrap();
        assert_eq!((kept.members, kept.head), (loaded.members, loaded.head));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_logs_stay_dense(steps in prop::collection::vec(step(), 1..30)) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(live_through(steps));
    }
}
