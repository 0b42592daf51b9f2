//! Deadlines without timers.
//!
//! A timer per request costs more than the rest of its bookkeeping. Instead every client connection has
//! one [`Watch`]: whoever the connection waits for at the moment (the next request, its head, the
//! upstream's answer, the next piece of a body) sets when that is too late, with one store. A worker
//! sweeps its watches every [`TICK`] and wakes the connections whose time is over; what is polled then
//! looks at [`Watch::expired`] and gives up. So a deadline is met within one tick, never too early.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::Waker;
use std::time::{Duration, Instant};

/// Time between two sweeps.
pub(crate) const TICK: Duration = Duration::from_millis(50);
const TICK_MS: u64 = 50;
/// A connection that is idle for so long is parked.
const QUIET_MS: u64 = 250;
/// No deadline.
const NEVER: u64 = u64::MAX;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// When time began for this process; all threads count from there.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since time began, at most one tick old: for everything that may be coarse. Only workers
/// have it; other threads ask the [`clock`].
pub(crate) fn now_ms() -> u64 {
    NOW.get()
}

/// The same to the millisecond, from the system's clock.
pub(crate) fn clock() -> u64 {
    millis(EPOCH.elapsed())
}

/// Moves this thread's clock.
#[cfg(test)]
pub(crate) fn set_now_ms(now: u64) {
    NOW.set(now);
}

/// Milliseconds of a limit, as deadlines count.
pub(crate) fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(NEVER)
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of the next request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// The answer: the deadline belongs to whoever makes it.
    Busy,
}

/// The deadline of one client connection, or of one stream of many on it.
#[derive(Debug)]
pub(crate) struct Watch {
    due: Cell<u64>,
    phase: Cell<Phase>,
    /// When an idle connection is to be parked, and whether it was woken for that.
    park: Cell<u64>,
    nudged: Cell<bool>,
    task: RefCell<Option<Waker>>,
    place: Cell<usize>,
    turns: Cell<u32>,
    draining: Rc<Cell<Drain>>,
}

/// How far a worker is with ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Drain {
    /// Serving.
    #[default]
    No,
    /// Another process takes the new connections: each open one ends with its next request, or when
    /// it has been idle for too long.
    Patient,
    /// No new connection or request; open ones may finish.
    Requests,
    /// Live streams and tunnels, which never finish by themselves, are cut.
    Live,
}

impl Watch {
    /// Sets when the current wait is over.
    pub(crate) fn due_in(&self, limit_ms: u64) {
        self.due.set(now_ms().saturating_add(limit_ms).saturating_add(TICK_MS));
    }

    /// The current wait has no end of its own.
    pub(crate) fn never(&self) {
        self.due.set(NEVER);
    }

    /// When the current wait is over, on the clock of [`now_ms`].
    pub(crate) fn due(&self) -> u64 {
        self.due.get()
    }

    /// Whether the current wait took too long.
    pub(crate) fn expired(&self) -> bool {
        now_ms() >= self.due.get()
    }

    /// What the connection waits for.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Starts another wait.
    pub(crate) fn enter(&self, phase: Phase, limit_ms: u64) {
        self.phase.set(phase);
        self.park.set(match phase {
            Phase::Idle => now_ms() + QUIET_MS,
            Phase::Head | Phase::Busy => NEVER,
        });
        self.nudged.set(false);
        self.due_in(limit_ms);
    }

    /// Whether the connection has been idle for a while.
    pub(crate) fn is_quiet(&self) -> bool {
        now_ms() >= self.park.get()
    }

    /// How far the worker is with ending.
    pub(crate) fn drain(&self) -> Drain {
        self.draining.get()
    }

    /// Remembers whom to wake. A connection is one task for its whole life, so this is set once.
    pub(crate) fn set_task(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        match &*task {
            Some(known) if known.will_wake(waker) => {}
            _ => *task = Some(waker.clone()),
        }
    }

    /// Counts the times the connection was polled.
    pub(crate) fn next_turn(&self) {
        self.turns.set(self.turns.get().wrapping_add(1));
    }

    /// How often the connection was polled.
    pub(crate) fn turn(&self) -> u32 {
        self.turns.get()
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }
}

/// All watches of a worker.
#[derive(Debug)]
pub(crate) struct Watches {
    open: RefCell<Vec<Rc<Watch>>>,
    draining: Rc<Cell<Drain>>,
}

impl Watches {
    pub(crate) fn new() -> Self {
        Self { open: RefCell::default(), draining: Rc::new(Cell::new(Drain::No)) }
    }

    /// A watch for a new connection, whose first head is awaited from now on, or for one more stream on it.
    pub(crate) fn open(&self, head_ms: u64) -> Rc<Watch> {
        let mut open = self.open.borrow_mut();
        let watch = Rc::new(Watch {
            due: Cell::new(NEVER),
            phase: Cell::new(Phase::Head),
            park: Cell::new(NEVER),
            nudged: Cell::new(false),
            task: RefCell::new(None),
            place: Cell::new(open.len()),
            turns: Cell::new(0),
            draining: self.draining.clone(),
        });
        watch.due_in(head_ms);
        open.push(watch.clone());
        watch
    }

    /// Forgets the watch of a connection that ended.
    pub(crate) fn close(&self, watch: &Watch) {
        let mut open = self.open.borrow_mut();
        let place = watch.place.get();
        if place < open.len() {
            open.swap_remove(place);
            if let Some(moved) = open.get(place) {
                moved.place.set(place);
            }
        }
    }

    /// Moves the clock on and wakes whoever is late.
    pub(crate) fn sweep(&self) {
        NOW.set(clock());
        for watch in &*self.open.borrow() {
            let park = watch.is_quiet() && !watch.nudged.replace(true);
            if park || watch.expired() {
                watch.wake();
            }
        }
    }

    /// How far the worker is with ending.
    pub(crate) fn drain(&self) -> Drain {
        self.draining.get()
    }

    /// Tells every connection that the worker ends.
    pub(crate) fn set_drain(&self, stage: Drain) {
        self.draining.set(stage);
        self.wake();
    }

    /// Has every connection look around.
    pub(crate) fn wake(&self) {
        for watch in &*self.open.borrow() {
            watch.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early_and_at_most_a_tick_late() {
        NOW.set(1_000);
        let watches = Watches::new();
        let watch = watches.open(200);
        for (now, expired) in [(1_000, false), (1_200, false), (1_250, true)] {
            NOW.set(now);
            assert_eq!(watch.expired(), expired, "at {now}");
        }
        watch.never();
        assert!(!watch.expired());
    }

    #[test]
    fn closing_one_watch_keeps_the_places_of_the_others() {
        let watches = Watches::new();
        let (a, b, c) = (watches.open(1), watches.open(1), watches.open(1));
        watches.close(&a);
        watches.close(&c);
        assert_eq!(watches.open.borrow().len(), 1);
        watches.close(&b);
        assert_eq!(watches.open.borrow().len(), 0);
    }
}
