//! A request and its retransmissions (RFC 8489 §6.2.1).

use std::time::{Duration, Instant};

use stun_types::message::TransactionId;

/// The first interval; each next one is twice as long.
const RTO: Duration = Duration::from_millis(500);
/// How often a request is sent (Rc).
const TRIES: u32 = 7;
/// How long the last one is waited for, in first intervals (Rm).
const LAST: u32 = 16;

/// What is to be done with a request now.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::links) enum Due<'a> {
    /// Nothing.
    Nothing,
    /// It is to be sent.
    Send(&'a [u8]),
    /// It was sent often enough, and 39.5 s after the first time there is still no answer.
    TimedOut,
}

/// A request that is under way.
#[derive(Debug)]
pub(in crate::links) struct Request {
    id: TransactionId,
    datagram: Vec<u8>,
    sent: u32,
    next: Instant,
}

impl Request {
    /// A request that is to be sent now.
    pub(in crate::links) fn new(id: TransactionId, datagram: Vec<u8>, now: Instant) -> Self {
        Self { id, datagram, sent: 0, next: now }
    }

    /// Which answer belongs to it.
    pub(in crate::links) fn id(&self) -> TransactionId {
        self.id
    }

    /// When [`Self::due`] has something to say.
    pub(in crate::links) fn deadline(&self) -> Instant {
        self.next
    }

    /// What is to be done, said once.
    pub(in crate::links) fn due(&mut self, now: Instant) -> Due<'_> {
        if now < self.next {
            return Due::Nothing;
        }
        if self.sent == TRIES {
            return Due::TimedOut;
        }
        let wait = if self.sent + 1 == TRIES { RTO * LAST } else { RTO * (1 << self.sent) };
        self.sent += 1;
        self.next = now + wait;
        Due::Send(&self.datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_seven_times_at_the_standards_intervals() {
        let start = Instant::now();
        let mut request = Request::new(7.into(), vec![1], start);
        let mut sent = Vec::new();
        loop {
            let now = request.deadline();
            match request.due(now) {
                Due::Send(_) => sent.push((now - start).as_millis()),
                Due::TimedOut => {
                    assert_eq!((now - start).as_millis(), 39_500);
                    break;
                }
                Due::Nothing => panic!("its own deadline has come"),
            }
        }
        assert_eq!(sent, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    }
}
