//! Whatever comes, in whatever order: nothing panics, and no limit is passed.

use std::collections::VecDeque;

use proptest::prelude::*;
use wire::p2p::{CancelReason, DeclineReason, Digest, Frame};

use super::{bob, id, offer, remote, table_of};
use crate::transfer::desk::{Action, Key, Look, Run, Verdict};
use crate::transfer::digests::{Digests, Violation};
use crate::transfer::outgoing::Known;
use crate::transfer::receive::Received;
use crate::transfer::send::Sent;
use crate::transfer::source::{SourceError, Stamp};
use crate::transfer::target::TargetError;

#[derive(Debug, Clone)]
enum Step {
    Up(u8),
    Down(u8),
    Frame(u8, Frame),
    Channel(u8, u8),
    Send(u8),
    Accept(u8),
    Decline(u8),
    Cancel(u8),
    /// The oldest thing under way ends in one of several ways.
    End(u8),
    Wait(u64),
}

/// What is under way.
enum Task {
    Sending(Run, Key),
    Preparing(Run, Key),
    Receiving(Run, Key),
    Confirming(Run, Key),
    Looking(Look),
}

fn frame() -> impl Strategy<Value = Frame> {
    let from = prop_oneof![Just(0), Just(100), any::<u64>()];
    (0..12_u8, 0..7_u8, from, any::<bool>()).prop_map(|(n, kind, from, later)| match kind {
        0 | 1 => {
            let mut offer = offer("alice", n);
            if later {
                offer.timestamp = "2026-01-01T00:00:09.000Z".to_owned();
            }
            Frame::FileOffer(offer)
        }
        2 => Frame::FileAccept { file: id(n), from },
        3 => Frame::FileAccept { file: id(n), from: 0 },
        4 => {
            let reason = [DeclineReason::Declined, DeclineReason::Busy, DeclineReason::NoSpace];
            Frame::FileDecline { file: id(n), reason: reason[(from % 3) as usize] }
        }
        5 => Frame::FileCancel { file: id(n), reason: CancelReason::Failed },
        _ => Frame::FileDone { file: id(n) },
    })
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..12_u8;
    prop_oneof![
        2 => (0..3_u8).prop_map(Step::Up),
        1 => (0..3_u8).prop_map(Step::Down),
        8 => (0..3_u8, frame()).prop_map(|(from, frame)| Step::Frame(from, frame)),
        3 => (0..3_u8, file.clone()).prop_map(|(from, file)| Step::Channel(from, file)),
        3 => file.clone().prop_map(Step::Send),
        3 => file.clone().prop_map(Step::Accept),
        1 => file.clone().prop_map(Step::Decline),
        1 => file.prop_map(Step::Cancel),
        6 => any::<u8>().prop_map(Step::End),
        1 => (0..40_u64).prop_map(Step::Wait),
    ]
}

fn device(n: u8) -> crate::links::Remote {
    if n == 0 { bob() } else { remote("Bob", n + 1) }
}

proptest! {
    #[test]
    fn nothing_panics_and_no_limit_is_passed(takes in any::<bool>(), steps in proptest::collection::vec(step(), 0..300)) {
        let mut table = table_of(takes);
        let mut tasks: VecDeque<Task> = VecDeque::new();
        for step in steps {
            let (now, desk) = (table.now, &mut table.desk);
            let stamp = Stamp { size: 100, modified: 0 };
            match step {
                Step::Up(n) => desk.up(now, &device(n), crate::links::Way::Direct),
                Step::Down(n) => desk.down(now, &device(n)),
                Step::Frame(n, frame) => desk.frame(now, &device(n), frame),
                Step::Channel(n, file) => match desk.channel(now, &device(n), id(file)) {
                    Verdict::Close => (),
                    Verdict::Receive(run, key, _) => tasks.push_back(Task::Receiving(run, key)),
                    Verdict::Confirm(run, key, ..) => tasks.push_back(Task::Confirming(run, key)),
                },
                Step::Send(n) => desk.send(now, offer("bob", n), "/file".into(), stamp).unwrap(),
                Step::Accept(n) => drop(desk.accept(&bob().peer, id(n))),
                Step::Decline(n) => drop(desk.decline(&bob().peer, id(n))),
                Step::Cancel(n) => drop(desk.cancel(now, &bob().peer, id(n))),
                Step::End(how) => match tasks.pop_front() {
                    None => (),
                    Some(Task::Sending(run, key)) => {
                        let outcome = match how % 5 {
                            0 => Sent::Interrupted { delivered: true },
                            1 => Sent::Violated(Violation::Have),
                            2 => Sent::Failed(SourceError::Changed),
                            _ => Sent::Interrupted { delivered: false },
                        };
                        desk.sent(now, run, &key, outcome, Known::default());
                    }
                    Some(Task::Preparing(run, key)) => match how % 5 {
                        0 => desk.prepared(now, run, &key, Err(TargetError::NoSpace)),
                        1 => desk.prepared(now, run, &key, Err(TargetError::Disk(std::io::ErrorKind::Other.into()))),
                        _ => desk.prepared(now, run, &key, Ok(("/part".into(), &Digests::default()))),
                    },
                    Some(Task::Receiving(run, key)) => {
                        let left = Some(("/part".into(), u64::from(how % 2)));
                        match how % 6 {
                            0 => desk.received(run, &key, Received::Violated(Violation::Digest), left),
                            1 => desk.received(run, &key, Received::Failed(TargetError::NoSpace), left),
                            2 => desk.received(run, &key, Received::Failed(TargetError::Corrupt), left),
                            3 => desk.received(run, &key, Received::Interrupted, left),
                            _ => desk.received(run, &key, Received::Finished(Digest::new([0; 32]), "/here".into()), None),
                        }
                    }
                    Some(Task::Confirming(run, key)) => match how % 3 {
                        0 => desk.confirmed(run, &key, Err(Received::Interrupted)),
                        1 => desk.confirmed(run, &key, Err(Received::Violated(Violation::Digest))),
                        _ => desk.confirmed(run, &key, Ok(())),
                    },
                    Some(Task::Looking(look)) => desk.looked(look, how % 2 == 0),
                },
                Step::Wait(seconds) => {
                    table.now += std::time::Duration::from_secs(seconds);
                    table.desk.tick(table.now);
                }
            }
            for action in table.desk.actions() {
                match action {
                    Action::Start(start) => tasks.push_back(Task::Sending(start.run, start.key)),
                    Action::Prepare(prepare) => tasks.push_back(Task::Preparing(prepare.run, prepare.key)),
                    Action::Look(look) => tasks.push_back(Task::Looking(look)),
                    _ => (),
                }
            }
            table.desk.check();
        }
        while table.desk.news().is_some() {}
        prop_assert!(table.desk.list().len() <= 24);
    }
}
