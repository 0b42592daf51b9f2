//! What time does to the outbox.

use std::time::{Duration, Instant};

use super::super::entry::{Side, Stage};
use super::Outbox;
use crate::links::Remote;

/// The pause between two looks at the clock while something waits, and the shortest one for the impatient.
const TICK: Duration = Duration::from_millis(250);
const TICK_LEAST: Duration = Duration::from_millis(5);

impl Outbox {
    /// When [`Self::tick`] is due at the latest; `None` when nothing waits for the clock.
    pub fn wake(&self) -> Option<Instant> {
        self.restless.then(|| self.ticked + (self.settings.patience / 4).clamp(TICK_LEAST, TICK))
    }

    /// Time has passed: messages whose patience is over go to the mailbox.
    pub fn tick(&mut self, now: Instant) {
        self.ticked = now;
        let (mut late, mut settled) = (Vec::new(), Vec::new());
        let mut restless = false;
        for (place, entry) in &mut self.entries {
            if entry.stage == Stage::No {
                let known = self.online && self.partners.is_fresh(&entry.peer, now);
                let nobody = !entry.may_hope(&self.vain) && !entry.is_delivered();
                let progress = |device| {
                    let remote = Remote { peer: entry.text.to.clone(), device };
                    self.lanes.get(&remote).map(|lane| lane.progress)
                };
                let over = now >= entry.lapses(self.settings.patience, progress);
                let waits = !entry.is_alone() || !entry.is_delivered();
                if ((nobody && known) || (over && waits)) && !entry.text.direct_only {
                    late.push(*place);
                }
                restless |= waits;
            }
            if entry.waiting_for(Side::Own).next().is_some() {
                entry.drop_old_copies(now);
                restless = true;
                settled.push(*place);
            }
        }
        self.restless = restless;
        late.into_iter().for_each(|place| self.queue(place));
        settled.into_iter().for_each(|place| self.settle(place, false));
        self.pump_mailbox(now);
        self.restless |= self.post.is_waiting();
    }
}
