//! Requests that wait for a free connection to an upstream: first in, first out, and not many.
//!
//! Whoever frees a connection calls the first in the queue. A place is given up by dropping its
//! [`Ticket`], whether the request got its connection, lost its patience or its client left.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The waiting requests of one upstream and worker.
#[derive(Debug)]
pub(crate) struct Queue {
    seats: RefCell<VecDeque<Rc<Seat>>>,
    most: usize,
}

/// A place in a queue.
#[derive(Debug)]
pub(crate) struct Ticket {
    queue: Rc<Queue>,
    seat: Rc<Seat>,
}

#[derive(Debug, Default)]
struct Seat {
    /// It may try now.
    called: Cell<bool>,
    /// It was called before: if it leaves, others may have to be.
    tried: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl Queue {
    /// At most so many may wait.
    pub(crate) fn new(most: usize) -> Rc<Self> {
        Rc::new(Self { seats: RefCell::default(), most })
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.seats.borrow().is_empty()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.seats.borrow().len()
    }

    /// A place at the end, if there is one.
    pub(crate) fn join(self: &Rc<Self>) -> Option<Ticket> {
        let mut seats = self.seats.borrow_mut();
        if seats.len() >= self.most {
            return None;
        }
        let seat = Rc::new(Seat::default());
        seats.push_back(seat.clone());
        Some(Ticket { queue: self.clone(), seat })
    }

    /// Something was freed: the first in the queue may try.
    pub(crate) fn call(&self) {
        if let Some(first) = self.seats.borrow().front() {
            first.call();
        }
    }
}

impl Ticket {
    /// Waits until this place is called.
    pub(crate) async fn called(&self) {
        std::future::poll_fn(|cx| {
            if self.seat.called.take() {
                self.seat.tried.set(true);
                return Poll::Ready(());
            }
            *self.seat.task.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// What is free is of no use here: the next may try.
    pub(crate) fn pass(&self) {
        let seats = self.queue.seats.borrow();
        let place = seats.iter().position(|seat| Rc::ptr_eq(seat, &self.seat));
        if let Some(next) = place.and_then(|place| seats.get(place + 1)) {
            next.call();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.seats.borrow_mut().retain(|seat| !Rc::ptr_eq(seat, &self.seat));
        // One call may stand for several freed connections, and one that wasn't followed is passed on.
        if self.seat.called.get() || self.seat.tried.get() {
            self.queue.call();
        }
    }
}

impl Seat {
    fn call(&self) {
        self.called.set(true);
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_called(ticket: &Ticket) -> bool {
        ticket.called().now_or_never().is_some()
    }

    #[test]
    fn the_first_comes_first_and_there_is_an_end() {
        let queue = Queue::new(2);
        let (first, second) = (queue.join().unwrap(), queue.join().unwrap());
        assert!(queue.join().is_none(), "full");
        queue.call();
        assert!(!is_called(&second) && is_called(&first));
        drop(first);
        assert!(is_called(&second), "there may be more than one connection");
        assert!(queue.join().is_some());
    }

    #[test]
    fn who_leaves_frees_the_place_and_passes_the_call_on() {
        let queue = Queue::new(3);
        let tickets = [(); 3].map(|()| queue.join().unwrap());
        let [first, second, third] = tickets;
        drop(second);
        assert!(!is_called(&first) && !is_called(&third), "nothing was freed");
        queue.call();
        drop(first);
        assert!(is_called(&third), "the first left without having tried");
        drop(third);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_call_that_is_of_no_use_goes_to_the_next() {
        let queue = Queue::new(3);
        let tickets = [(); 3].map(|()| queue.join().unwrap());
        queue.call();
        assert!(is_called(&tickets[0]));
        tickets[0].pass();
        assert!(is_called(&tickets[1]));
        tickets[1].pass();
        assert!(is_called(&tickets[2]));
        tickets[2].pass();
        assert!(!is_called(&tickets[0]), "the end");
    }
}
