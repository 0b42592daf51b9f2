//! The signals between this device and one other: which session counts, who says what next, and when it is said
//! again. Pure: time comes in, [`Step`]s come out.
//!
//! The rules are in `docs/p2p.md`, section Signalling. Of two devices the lower one offers, so a session is begun by
//! one side only, and its number, which only ever grows, tells both which signals belong to it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::p2p::CANDIDATES_WAITING;
use wire::signal::{CANDIDATE_BYTES, Description, Role, SESSION_MAX, Signal, offers};

use super::Remote;
use super::proof::{Proof, Refusal};

/// A call, or an offer, is first repeated after this; each time after that the interval doubles.
const FIRST_INTERVAL: Duration = Duration::from_secs(2);
/// The longest interval.
const LAST_INTERVAL: Duration = Duration::from_secs(60);
/// Both sides have agreed: the link has to be up after this.
const LINK_TIMEOUT: Duration = Duration::from_secs(15);
/// A call that is not newer than the session of which it could be an echo is none after this.
const ECHO: Duration = Duration::from_millis(1500);
/// Offers are made, and answers of `call` given, no more often than this: each costs a certificate.
const PACE: Duration = Duration::from_secs(1);
/// A link that was up for so long worked; when it breaks, intervals begin anew.
const WORKED: Duration = Duration::from_secs(10);
/// Candidates of one session at most.
const CANDIDATES_TAKEN: usize = 2 * CANDIDATES_WAITING;

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The connection of an earlier session is over.
    Close,
    /// The connection of this session is over on purpose: say so to the other side.
    Leave { session: u64 },
    /// Ask for an offer.
    Call { session: u64 },
    /// Make a connection and offer it: then [`Session::offered`], or [`Session::failed`].
    Offer { session: u64 },
    /// Make a connection out of an offer and answer it; or [`Session::failed`].
    Answer { session: u64, sdp: String, fingerprint: String },
    /// The answer to the offer; or [`Session::failed`].
    Accept { sdp: String, fingerprint: String },
    /// A candidate of the other side.
    Candidate(String),
    /// The other side proved nothing.
    Refused(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing is under way.
    Idle,
    /// An offer was asked for.
    Calling,
    /// An offer, with this fingerprint, was made.
    Offered { session: u64, fingerprint: String },
    /// There is an offer and an answer; the connection is coming up.
    Linking { session: u64 },
    /// The link is up.
    Up { session: u64 },
}

/// The signals between this device and one other.
#[derive(Debug)]
pub(super) struct Session {
    me: Remote,
    them: Remote,
    offers: bool,
    wanted: bool,
    /// The newest session number that was used or seen.
    newest: u64,
    stage: Stage,
    /// Since when.
    since: Instant,
    /// When something is said, or given up, if nothing happens before.
    next: Option<Instant>,
    /// The last call or offer.
    said: Option<Instant>,
    /// Calls or offers without success.
    tries: u32,
    /// Attempts that came to nothing.
    failures: u64,
    /// The other side asked for an offer too soon after the last one.
    asked: bool,
    waiting: VecDeque<(u64, String)>,
    taken: usize,
}

impl Session {
    pub(super) fn new(me: Remote, them: Remote, now: Instant) -> Self {
        let offers = offers((&me.peer, me.device), (&them.peer, them.device));
        Self {
            me,
            them,
            offers,
            wanted: false,
            newest: 0,
            stage: Stage::Idle,
            since: now,
            next: None,
            said: None,
            tries: 0,
            failures: 0,
            asked: false,
            waiting: VecDeque::new(),
            taken: 0,
        }
    }

    /// Whether nothing is under way and nothing is wanted.
    pub(super) fn idle(&self) -> bool {
        self.stage == Stage::Idle && !self.wanted
    }

    /// How often a link was tried in vain.
    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    /// The session that this device takes part in, if any.
    pub(super) fn current(&self) -> Option<u64> {
        match self.stage {
            Stage::Idle | Stage::Calling => None,
            Stage::Offered { session, .. } | Stage::Linking { session } | Stage::Up { session } => {
                Some(session)
            }
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let asked = self.said.filter(|_| self.asked).map(|said| said + PACE);
        [self.next, asked].into_iter().flatten().min()
    }

    /// A link is wanted. `clock` is in milliseconds since 1970.
    pub(super) fn want(&mut self, now: Instant, clock: u64) -> Vec<Step> {
        self.wanted = true;
        self.hurry(now, clock)
    }

    /// What kept a link from coming up may be over: new addresses, or somebody wants it again.
    pub(super) fn hurry(&mut self, now: Instant, clock: u64) -> Vec<Step> {
        if !self.wanted || !matches!(self.stage, Stage::Idle | Stage::Calling) {
            return Vec::new();
        }
        let soonest = self.said.map_or(now, |said| said + FIRST_INTERVAL);
        self.next = Some(self.next.map_or(soonest, |next| next.min(soonest)));
        self.tick(now, clock)
    }

    /// A link is no longer wanted.
    pub(super) fn forget(&mut self, now: Instant) -> Vec<Step> {
        let step = self.current().map(|session| Step::Leave { session });
        self.left(now);
        step.into_iter().collect()
    }

    /// The other side closed the link on purpose: it isn't wanted any more.
    pub(super) fn left(&mut self, now: Instant) {
        self.wanted = false;
        self.rest(now);
        self.tries = 0;
    }

    /// The offer has this fingerprint.
    pub(super) fn offered(&mut self, fingerprint: String) {
        if let Stage::Offered { fingerprint: place, .. } = &mut self.stage {
            *place = fingerprint;
        }
    }

    /// The link is up.
    pub(super) fn up(&mut self, now: Instant) {
        if let Stage::Linking { session } = self.stage {
            self.enter(Stage::Up { session }, now);
            self.next = None;
        }
    }

    /// The connection is gone, or never came.
    pub(super) fn failed(&mut self, now: Instant) {
        let worked = self.worked(now);
        self.failures += u64::from(!matches!(self.stage, Stage::Up { .. }));
        self.rest(now);
        if self.wanted {
            self.next = Some(if worked { now } else { now + self.interval() });
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant, clock: u64) -> Vec<Step> {
        if self.deadline().is_none_or(|at| now < at) {
            return Vec::new();
        }
        if self.asked && self.paced(now) {
            return self.offer(now, clock);
        }
        if self.next.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.next = None;
        match self.stage {
            Stage::Idle | Stage::Calling | Stage::Offered { .. } if self.wanted => {
                if self.offers {
                    self.offer(now, clock)
                } else {
                    self.call(now)
                }
            }
            Stage::Offered { .. } => {
                self.rest(now);
                vec![Step::Close]
            }
            Stage::Linking { .. } => {
                self.failed(now);
                vec![Step::Close]
            }
            Stage::Idle | Stage::Calling | Stage::Up { .. } => {
                if self.stage == Stage::Calling {
                    self.rest(now);
                }
                Vec::new()
            }
        }
    }

    /// Takes a signal, of which the tracker says that it comes from the other device.
    pub(super) fn signal(
        &mut self,
        session: u64,
        signal: Signal,
        now: Instant,
        clock: u64,
    ) -> Vec<Step> {
        if session > SESSION_MAX {
            return Vec::new();
        }
        match signal {
            Signal::Call => self.on_call(session, now, clock),
            Signal::Offer(description) => self.on_offer(session, description, now),
            Signal::Answer(description) => self.on_answer(session, &description, now),
            Signal::Candidate { candidate } => self.on_candidate(session, candidate),
            Signal::Bye if self.current() == Some(session) => {
                self.left(now);
                vec![Step::Close]
            }
            Signal::Bye => Vec::new(),
        }
    }

    fn on_call(&mut self, session: u64, now: Instant, clock: u64) -> Vec<Step> {
        if !self.offers || session >= SESSION_MAX {
            return Vec::new();
        }
        self.newest = self.newest.max(session);
        // The call and our offer may have crossed. One that the other side repeats is no echo.
        let echo =
            now - self.since < ECHO && self.current().is_some_and(|current| session < current);
        if echo {
            return Vec::new();
        }
        if self.paced(now) {
            return self.offer(now, clock);
        }
        self.asked = true;
        Vec::new()
    }

    fn on_offer(&mut self, session: u64, description: Description, now: Instant) -> Vec<Step> {
        if self.offers || session == self.newest {
            return Vec::new();
        }
        if session < self.newest {
            // An old one, or the other side's clock was set back. In the latter case it has no link either: the
            // one that we still have will be found out soon.
            let linked = matches!(self.stage, Stage::Linking { .. } | Stage::Up { .. });
            if linked || !self.paced(now) {
                return Vec::new();
            }
            self.said = Some(now);
            return vec![Step::Call { session: self.newest }];
        }
        let proof =
            Proof { role: Role::Offer, session, from: &self.them, to: &self.me, offered: None };
        let fingerprint = match proof.check(&description) {
            Ok(fingerprint) => fingerprint,
            Err(refusal) => return vec![Step::Refused(refusal)],
        };
        let mut steps: Vec<_> = self.current().map(|_| Step::Close).into_iter().collect();
        self.newest = session;
        self.link(session, now);
        steps.push(Step::Answer { session, sdp: description.sdp, fingerprint });
        steps.extend(self.waited_for(session));
        steps
    }

    fn on_answer(&mut self, session: u64, description: &Description, now: Instant) -> Vec<Step> {
        let Stage::Offered { session: offered, fingerprint } = &self.stage else {
            return Vec::new();
        };
        if session != *offered {
            return Vec::new();
        }
        let proof = Proof {
            role: Role::Answer,
            session,
            from: &self.them,
            to: &self.me,
            offered: Some(fingerprint),
        };
        match proof.check(description) {
            Ok(fingerprint) => {
                self.link(session, now);
                let mut steps = vec![Step::Accept { sdp: description.sdp.clone(), fingerprint }];
                steps.extend(self.waited_for(session));
                steps
            }
            // The true answer may still come.
            Err(refusal) => vec![Step::Refused(refusal)],
        }
    }

    fn on_candidate(&mut self, session: u64, candidate: String) -> Vec<Step> {
        if candidate.is_empty() || candidate.len() > CANDIDATE_BYTES {
            return Vec::new();
        }
        let early = match self.stage {
            Stage::Linking { session: current } | Stage::Up { session: current }
                if session == current =>
            {
                if self.taken == CANDIDATES_TAKEN {
                    return Vec::new();
                }
                self.taken += 1;
                return vec![Step::Candidate(candidate)];
            }
            Stage::Offered { session: current, .. } => session == current,
            _ => !self.offers && session > self.newest,
        };
        if early {
            // Those of an older session will never be asked for.
            self.waiting.retain(|(of, _)| *of >= session);
            if self.waiting.len() < CANDIDATES_WAITING {
                self.waiting.push_back((session, candidate));
            }
        }
        Vec::new()
    }

    fn waited_for(&mut self, session: u64) -> Vec<Step> {
        let waiting = std::mem::take(&mut self.waiting);
        let (now, later): (VecDeque<_>, _) = waiting
            .into_iter()
            .filter(|(of, _)| *of >= session)
            .partition(|(of, _)| *of == session);
        self.waiting = later;
        self.taken = now.len();
        now.into_iter().map(|(_, candidate)| Step::Candidate(candidate)).collect()
    }

    fn offer(&mut self, now: Instant, clock: u64) -> Vec<Step> {
        let mut steps: Vec<_> = self.current().map(|_| Step::Close).into_iter().collect();
        let session = clock.max(self.newest + 1);
        if session > SESSION_MAX {
            // Only a partner that invents numbers gets here, and only itself is out of reach now.
            self.rest(now);
            return steps;
        }
        self.newest = session;
        self.enter(Stage::Offered { session, fingerprint: String::new() }, now);
        self.say(now);
        steps.push(Step::Offer { session });
        steps
    }

    fn call(&mut self, now: Instant) -> Vec<Step> {
        self.enter(Stage::Calling, now);
        self.say(now);
        vec![Step::Call { session: self.newest }]
    }

    fn say(&mut self, now: Instant) {
        self.said = Some(now);
        self.next = Some(now + self.interval());
        self.tries = self.tries.saturating_add(1);
        self.asked = false;
    }

    fn link(&mut self, session: u64, now: Instant) {
        self.enter(Stage::Linking { session }, now);
        self.next = Some(now + LINK_TIMEOUT);
        self.asked = false;
    }

    fn rest(&mut self, now: Instant) {
        self.enter(Stage::Idle, now);
        self.next = None;
        self.asked = false;
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        if self.worked(now) {
            self.tries = 0;
        }
        self.stage = stage;
        self.since = now;
    }

    fn worked(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Up { .. }) && now - self.since >= WORKED
    }

    fn paced(&self, now: Instant) -> bool {
        self.said.is_none_or(|said| now - said >= PACE)
    }

    fn interval(&self) -> Duration {
        (FIRST_INTERVAL * 2_u32.pow(self.tries.min(6))).min(LAST_INTERVAL)
    }
}

#[cfg(test)]
mod tests;
