//! The frames of an HTTP/2 connection, as far as they have to be counted.
//!
//! Some frames cost their sender nothing and the receiver a little: settings, pings, cancelled streams,
//! empty pieces of data. A client that sends them by the thousand wants to keep the server busy
//! (CVE-2019-9512 and its neighbours, CVE-2023-44487 "rapid reset", CVE-2024-27316 "CONTINUATION flood").
//! The HTTP/2 library bounds what it stores; this bounds how many there may be. Whoever receives much may
//! send more of them, since each piece of data is answered with window updates and pings.

/// What every client of HTTP/2 sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags and stream of a frame.
const HEAD: usize = 9;
/// Frames are counted over so many milliseconds.
const PERIOD_MS: u64 = 10_000;
/// A cancelled stream weighs as much as so many frames: it has made work.
const RESET: u64 = 5;
/// So many bytes to the client let it send one frame more.
const BYTES_A_FRAME: u64 = 1024;

/// Counts frames.
#[derive(Debug)]
pub struct Meter {
    most: u64,
    /// Of the preface, still to come.
    preface: usize,
    head: [u8; HEAD],
    /// How much of the head is there.
    have: usize,
    /// Bytes of the payload, still to come.
    payload: usize,
    spent: u64,
    earned: u64,
    until_ms: u64,
}

/// There were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many control frames")]
pub struct TooManyFrames;

impl Meter {
    /// Lets so many control frames pass in ten seconds.
    pub fn new(most: usize) -> Self {
        Self {
            most: most as u64,
            preface: PREFACE.len(),
            head: [0; HEAD],
            have: 0,
            payload: 0,
            spent: 0,
            earned: 0,
            until_ms: 0,
        }
    }

    /// Bytes went to the client.
    pub fn sent(&mut self, bytes: usize) {
        self.earned = self.earned.saturating_add(bytes as u64);
    }

    /// Bytes came from the client.
    pub fn received(&mut self, mut bytes: &[u8], now_ms: u64) -> Result<(), TooManyFrames> {
        if now_ms >= self.until_ms {
            self.until_ms = now_ms + PERIOD_MS;
            (self.spent, self.earned) = (0, 0);
        }
        let skip = |left: &mut usize, bytes: &mut &[u8]| {
            let count = bytes.len().min(*left);
            *left -= count;
            *bytes = &bytes[count..];
        };
        skip(&mut self.preface, &mut bytes);
        while !bytes.is_empty() {
            if self.payload > 0 {
                skip(&mut self.payload, &mut bytes);
                continue;
            }
            let count = bytes.len().min(HEAD - self.have);
            self.head[self.have..self.have + count].copy_from_slice(&bytes[..count]);
            self.have += count;
            bytes = &bytes[count..];
            if self.have == HEAD {
                self.have = 0;
                let [high, middle, low, kind, flags, ..] = self.head;
                self.payload =
                    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.spent += cost(kind, flags, self.payload);
            }
        }
        if self.spent > self.most + self.earned / BYTES_A_FRAME {
            return Err(TooManyFrames);
        }
        Ok(())
    }
}

/// What a frame weighs (types of RFC 9113 §6).
fn cost(kind: u8, flags: u8, length: usize) -> u64 {
    const END_STREAM: u8 = 1;
    match kind {
        // DATA: that which carries something, or ends something, is what a connection is for.
        0 if length > 0 || flags & END_STREAM != 0 => 0,
        // HEADERS: there may be only so many streams at once.
        1 => 0,
        // RST_STREAM
        3 => RESET,
        // PRIORITY, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION and all others
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    fn spent(frames: &[Vec<u8>]) -> u64 {
        let mut meter = Meter::new(1000);
        meter.received(PREFACE, 0).unwrap();
        meter.received(&frames.concat(), 0).unwrap();
        meter.spent
    }

    #[test]
    fn only_frames_that_cost_their_sender_nothing_weigh_something() {
        for (kind, flags, length, weight) in [
            (0, 0, 1000, 0),
            (0, 1, 0, 0),
            (0, 0, 0, 1),
            (1, 4, 100, 0),
            (2, 0, 5, 1),
            (3, 0, 4, RESET),
            (4, 0, 0, 1),
            (6, 0, 8, 1),
            (8, 0, 4, 1),
            (9, 0, 0, 1),
            (200, 0, 0, 1),
        ] {
            let frames = [frame(kind, flags, &vec![6; length]), frame(6, 0, &[0; 8])];
            assert_eq!(spent(&frames), weight + 1, "type {kind}");
        }
    }

    #[test]
    fn too_many_are_told_and_time_and_data_let_pass_more() {
        let mut meter = Meter::new(10);
        meter.received(PREFACE, 0).unwrap();
        let ping = frame(6, 0, &[0; 8]);
        for _ in 0..10 {
            meter.received(&ping, 5).unwrap();
        }
        meter.sent(2048);
        meter.received(&ping, 6).unwrap();
        meter.received(&ping, 6).unwrap();
        assert_eq!(meter.received(&ping, 7), Err(TooManyFrames));
        meter.received(&ping, PERIOD_MS + 7).unwrap();
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_they_come(
            frames in prop::collection::vec((0..10_u8, 0..2_u8, 0..40_usize), 0..30),
            cuts in prop::collection::vec(1..30_usize, 1..20),
        ) {
            let bytes: Vec<u8> = std::iter::once(PREFACE.to_vec())
                .chain(frames.iter().map(|&(kind, flags, length)| frame(kind, flags, &vec![9; length])))
                .flatten()
                .collect();
            let mut whole = Meter::new(1000);
            whole.received(&bytes, 0).unwrap();
            let mut pieces = Meter::new(1000);
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.received(piece, 0).unwrap();
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(whole.spent, pieces.spent);
        }
    }
}
