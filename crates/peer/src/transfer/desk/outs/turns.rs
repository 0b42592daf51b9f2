//! Files that are sent now, and whose turn is next.

use std::time::{Duration, Instant};

use wire::p2p::{CancelReason, Frame};

use super::{BUSY, FAILURES, FRESH, LAST_WORD, Outs, PATIENCE, Stage};
use crate::event::FileState;
use crate::links::Remote;
use crate::transfer::desk::common::{Common, Key, Run, Side};
use crate::transfer::desk::{Action, Start};
use crate::transfer::digests::Violation;
use crate::transfer::meter::Meter;
use crate::transfer::outgoing::Known;
use crate::transfer::send::Sent;
use crate::transfer::source::SourceError;

impl Outs {
    /// Starts what has waited longest, as long as not too much is under way.
    pub(super) fn next(&mut self, common: &mut Common, now: Instant) {
        while self.busy.len() < common.limits.running {
            let Some(key) = self.turns.pop_front() else { return };
            let Some(out) = self.all.get_mut(&key) else { continue };
            let Stage::Turn { remote, first, since } = &out.stage else { continue };
            if now.saturating_duration_since(*since) <= FRESH {
                let (remote, first) = (remote.clone(), *first);
                self.start(common, now, &key, remote, first);
                continue;
            }
            common.send(remote, Frame::FileOffer(out.offer.clone()));
            out.stage = Stage::Again;
            out.deadline = Some(now + PATIENCE);
            common.wake(now + PATIENCE, Side::Out, &key);
            self.busy.insert(key);
        }
    }

    fn others_wait(&self, key: &Key) -> bool {
        let waits = |other: &Key| {
            other != key
                && self.all.get(other).is_some_and(|out| matches!(out.stage, Stage::Turn { .. }))
        };
        self.turns.iter().any(waits)
    }

    pub(super) fn start(
        &mut self,
        common: &mut Common,
        now: Instant,
        key: &Key,
        remote: Remote,
        first: u64,
    ) {
        let run = common.number();
        let Some(out) = self.all.get_mut(key) else { return };
        let meter = Meter::new(now, out.done);
        out.stage = Stage::Running { remote: remote.clone(), run, meter };
        let (path, stamp, known) = (out.path.clone(), out.stamp, out.known.clone());
        let key = key.clone();
        self.busy.insert(key.clone());
        common.changed(Side::Out, &key);
        common.act(Action::Start(Start { run, key, remote, path, stamp, first, known }));
    }

    pub(in crate::transfer::desk) fn progress(
        &mut self,
        common: &mut Common,
        now: Instant,
        run: Run,
        key: &Key,
        done: u64,
    ) {
        let Some(out) = self.all.get_mut(key) else { return };
        if let Stage::Running { run: current, meter, .. } = &mut out.stage
            && *current == run
        {
            let before = (meter.done(), meter.speed());
            meter.update(now, done);
            if done > out.done {
                out.done = done;
                out.failures = 0;
            }
            if (meter.done(), meter.speed()) != before {
                common.changed(Side::Out, key);
            }
            if meter.stands(now) && self.others_wait(key) {
                self.interrupt_until(common, key, now + BUSY);
                self.next(common, now);
            }
        }
    }

    pub(in crate::transfer::desk) fn sent(
        &mut self,
        common: &mut Common,
        now: Instant,
        run: Run,
        key: &Key,
        outcome: Sent,
        known: Known,
    ) {
        let Some(out) = self.all.get_mut(key) else { return };
        let current = match &out.stage {
            Stage::Running { run: current, .. } => Some(*current),
            _ => None,
        };
        if current.is_some_and(|current| current != run) || out.ended() {
            return;
        }
        out.known = known;
        if current.is_none() {
            // It was stopped, and may go on later.
            return;
        }
        match outcome {
            Sent::Interrupted { delivered: true } => {
                self.interrupt_until(common, key, now + LAST_WORD);
            }
            Sent::Interrupted { delivered: false } => {
                out.failures += 1;
                if out.failures > FAILURES {
                    out.trouble = Some("the file's channel breaks again and again".to_owned());
                    let state = FileState::Cancelled(CancelReason::Failed);
                    self.end(common, now, key, state, None);
                } else {
                    let pause = Duration::from_millis(250 << out.failures);
                    self.interrupt_until(common, key, now + pause);
                }
            }
            Sent::Violated(violation) => self.violated(common, now, key, violation),
            Sent::Failed(error) => {
                let reason = match &error {
                    SourceError::Changed => CancelReason::Changed,
                    SourceError::Disk(_) => CancelReason::Failed,
                };
                out.trouble = Some(format!("{}: {error}", out.path.display()));
                self.end(common, now, key, FileState::Cancelled(reason), None);
            }
        }
        self.next(common, now);
    }

    pub(super) fn violated(
        &mut self,
        common: &mut Common,
        now: Instant,
        key: &Key,
        violation: Violation,
    ) {
        if let Some(out) = self.all.get_mut(key) {
            out.trouble = Some(format!("the other side broke the protocol: {violation}"));
            self.end(common, now, key, FileState::Cancelled(CancelReason::Failed), None);
        }
    }

    pub(in crate::transfer::desk) fn tick(&mut self, common: &mut Common, now: Instant, key: &Key) {
        let Some(out) = self.all.get_mut(key) else { return };
        if out.ended() || out.deadline.is_none_or(|at| at > now) {
            return;
        }
        out.deadline = None;
        if matches!(out.stage, Stage::Again) {
            // It has not answered in time; its offer stays, and others have their turn.
            self.busy.remove(key);
            out.stage = Stage::Asking;
            if let Some(bound) = out.bound {
                out.asked.push(bound);
                self.unanswered.entry(key.peer.clone()).or_default().insert(key.file);
            }
            self.next(common, now);
        }
        self.queue(common, key);
        self.offer(common, now, &key.peer);
    }
}
