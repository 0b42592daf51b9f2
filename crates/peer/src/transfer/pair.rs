//! The two machines of a transfer against each other, and against whatever else may come.

use std::collections::VecDeque;

use proptest::prelude::*;
use wire::p2p::{CHUNK_BYTES_TAKEN, Digest, FileControl, PIECE_BYTES, PIECES_AHEAD, pieces};

use super::digests::{Digests, Violation, of_piece, piece_bytes};
use super::incoming::{Incoming, Said};
use super::outgoing::{Known, Outgoing, first_piece};

/// What a piece of the tests' file hashes to.
fn digest(n: u64) -> Digest {
    of_piece(&n.to_be_bytes())
}

fn digests(pieces: u64) -> Digests {
    let mut digests = Digests::default();
    (0..pieces).for_each(|n| digests.add(&digest(n)));
    digests
}

fn piece(n: u64) -> FileControl {
    FileControl::Piece { n, sha256: digest(n) }
}

fn end(pieces: u64) -> FileControl {
    FileControl::End { pieces, sha256: digests(pieces).total() }
}

/// A receiver that has got a whole piece's bytes.
fn filled(size: u64) -> Incoming {
    let mut incoming = Incoming::new(size, Digests::default());
    fill(&mut incoming, piece_bytes(size, 0));
    incoming
}

fn fill(incoming: &mut Incoming, mut bytes: u64) {
    while bytes > 0 {
        let message = bytes.min(CHUNK_BYTES_TAKEN as u64);
        incoming.bytes(message as usize).unwrap();
        bytes -= message;
    }
}

/// What is on its way from the sender.
enum Message {
    Bytes(usize),
    Control(FileControl),
}

/// Everything about one transfer but the disk and the network.
struct World {
    size: u64,
    /// What survives at the receiver.
    on_disk: u64,
    /// What survives at the sender.
    known: Known,
}

impl World {
    /// Goes on until it is done, or `steps` have been made; whether it is done.
    fn run(&mut self, mut random: impl FnMut(u64) -> u64, steps: u64) -> bool {
        let from = (self.on_disk * PIECE_BYTES).min(self.size);
        let first = first_piece(self.size, from).unwrap();
        let mut had = self.known.until(first);
        (had.pieces()..first).for_each(|n| had.add(&digest(n)));
        let mut outgoing = Outgoing::new(self.size, had);
        let mut incoming = Incoming::new(self.size, digests(self.on_disk));
        let (mut there, mut back, mut disk) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        // Bytes of the sender's piece that are still to be sent.
        let mut left = None;
        for _ in 0..steps {
            match random(4) {
                0 => {
                    if let Some(bytes) = left {
                        let sent = u64::min(bytes, 1 + random(CHUNK_BYTES_TAKEN as u64));
                        there.push_back(Message::Bytes(sent as usize));
                        left = Some(bytes - sent).filter(|&left| left > 0);
                        if left.is_none() {
                            let n = outgoing.next().unwrap();
                            there.push_back(Message::Control(outgoing.complete(digest(n))));
                        }
                    } else if let Some(n) = outgoing.next() {
                        left = Some(piece_bytes(self.size, n));
                    } else if let Some(end) = outgoing.end() {
                        there.push_back(Message::Control(end));
                    }
                }
                1 => match there.pop_front() {
                    Some(Message::Bytes(bytes)) => incoming.bytes(bytes).unwrap(),
                    Some(Message::Control(control)) => match incoming.take(&control).unwrap() {
                        Said::Piece(n, said) => disk.push_back((n, said)),
                        Said::End(_) => (),
                        Said::Nothing => unreachable!("the sender says nothing unknown"),
                    },
                    None => (),
                },
                2 => {
                    if let Some((n, said)) = disk.pop_front() {
                        assert_eq!(said, digest(n));
                        self.on_disk = n + 1;
                        back.push_back(incoming.stored(n + 1));
                    }
                }
                _ => back.pop_front().iter().for_each(|have| outgoing.take(have).unwrap()),
            }
            assert!(incoming.held() <= PIECES_AHEAD * PIECE_BYTES);
            if incoming.finished() && back.is_empty() {
                assert!(outgoing.delivered() && outgoing.done() == self.size);
                return true;
            }
        }
        self.known = outgoing.into_known();
        false
    }
}

#[test]
fn an_empty_file_is_an_end_and_nothing_else() {
    let mut outgoing = Outgoing::new(0, Digests::default());
    let mut incoming = Incoming::new(0, Digests::default());
    assert_eq!(outgoing.next(), None);
    assert!(matches!(incoming.take(&outgoing.end().unwrap()), Ok(Said::End(_))));
    assert!(incoming.finished() && outgoing.delivered());
}

#[test]
fn a_file_that_was_here_already_needs_only_its_end() {
    let size = 3 * PIECE_BYTES;
    let mut outgoing = Outgoing::new(size, digests(first_piece(size, size).unwrap()));
    let mut incoming = Incoming::complete(size, digests(3).total());
    assert!(matches!(incoming.take(&outgoing.end().unwrap()), Ok(Said::End(_))));
    assert!(incoming.finished() && outgoing.delivered());
}

#[test]
fn a_sender_waits_for_the_receiver_after_eight_pieces() {
    let mut outgoing = Outgoing::new(100 * PIECE_BYTES, Digests::default());
    while let Some(n) = outgoing.next() {
        outgoing.complete(digest(n));
    }
    assert_eq!(outgoing.take(&FileControl::Have { pieces: 1 }), Ok(()));
    assert_eq!(outgoing.next(), Some(PIECES_AHEAD));
}

#[test]
fn a_receiver_takes_no_byte_beyond_eight_pieces_ahead() {
    let mut incoming = Incoming::new(100 * PIECE_BYTES, Digests::default());
    for n in 0..PIECES_AHEAD {
        fill(&mut incoming, PIECE_BYTES);
        incoming.take(&piece(n)).unwrap();
    }
    assert_eq!(incoming.bytes(1), Err(Violation::Ahead));
}

#[test]
fn acknowledgements_that_can_not_be_are_violations() {
    let mut outgoing = Outgoing::new(10 * PIECE_BYTES, digests(2));
    outgoing.complete(digest(2));
    for pieces in [0, 1, 4, u64::MAX] {
        assert_eq!(outgoing.take(&FileControl::Have { pieces }), Err(Violation::Have));
    }
    assert_eq!(outgoing.take(&end(10)), Err(Violation::Role));
    assert_eq!(outgoing.take(&piece(0)), Err(Violation::Role));
    assert_eq!(outgoing.take(&FileControl::Unknown), Ok(()));
}

#[test]
fn places_that_are_no_beginning_of_a_piece_are_violations() {
    let size = 2 * PIECE_BYTES + 7;
    for (from, first) in [
        (0, Ok(0)),
        (PIECE_BYTES, Ok(1)),
        (size, Ok(3)),
        (5, Err(Violation::From)),
        (size + 1, Err(Violation::From)),
    ] {
        assert_eq!(first_piece(size, from), first, "{from}");
    }
    assert_eq!(first_piece(size, 4 * PIECE_BYTES), Err(Violation::From));
    assert_eq!(first_piece(0, 0), Ok(0));
}

#[test]
fn bytes_that_do_not_fit_are_violations() {
    let small = 10;
    for (bytes, outcome) in [(0, Err(Violation::Bytes)), (10, Ok(())), (11, Err(Violation::Bytes))]
    {
        assert_eq!(Incoming::new(small, Digests::default()).bytes(bytes), outcome);
    }
    let large = 10 * PIECE_BYTES;
    assert_eq!(
        Incoming::new(large, Digests::default()).bytes(CHUNK_BYTES_TAKEN + 1),
        Err(Violation::Bytes)
    );
    // A message ends where its piece ends.
    assert_eq!(filled(large).bytes(1), Err(Violation::Bytes));
    assert_eq!(Incoming::new(0, Digests::default()).bytes(1), Err(Violation::Bytes));
}

#[test]
fn words_out_of_turn_are_violations() {
    let size = 2 * PIECE_BYTES;
    let mut half = Incoming::new(size, Digests::default());
    half.bytes(100).unwrap();
    assert_eq!(half.take(&piece(0)), Err(Violation::Piece));
    assert_eq!(filled(size).take(&piece(1)), Err(Violation::Piece));
    assert_eq!(filled(size).take(&end(2)), Err(Violation::End));
    assert_eq!(filled(size).take(&FileControl::Have { pieces: 0 }), Err(Violation::Role));

    let mut whole = filled(5);
    whole.take(&piece(0)).unwrap();
    assert_eq!(
        whole.take(&FileControl::End { pieces: 1, sha256: digest(9) }),
        Err(Violation::Digest)
    );
    whole.take(&end(1)).unwrap();
    assert!(!whole.finished());
    assert_eq!(whole.stored(1), FileControl::Have { pieces: 1 });
    assert!(whole.finished());
    assert_eq!(whole.take(&end(1)), Err(Violation::End));
    assert_eq!(whole.bytes(1), Err(Violation::End));
}

fn any_control() -> impl Strategy<Value = FileControl> {
    let number = prop_oneof![0_u64..12, any::<u64>()];
    let hash = prop_oneof![(0_u64..12).prop_map(digest), any::<[u8; 32]>().prop_map(Digest::new)];
    (0..4, number, hash).prop_map(|(kind, n, sha256)| match kind {
        0 => FileControl::Piece { n, sha256 },
        1 => FileControl::End { pieces: n, sha256 },
        2 => FileControl::Have { pieces: n },
        _ => FileControl::Unknown,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_transfer_that_breaks_anywhere_goes_on_and_ends(
        size in prop_oneof![0..=3 * PIECE_BYTES, (0..20_u64).prop_map(|n| n * PIECE_BYTES), 0..20 * PIECE_BYTES],
        seed in any::<u64>(),
    ) {
        let mut state = seed | 1;
        let mut random = move |below: u64| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut world = World { size, on_disk: 0, known: Known::default() };
        let mut breaks = 0;
        while !{ let steps = 200 + random(2000); world.run(&mut random, steps) } {
            breaks += 1;
            prop_assert!(breaks < 1000, "it never ends");
            match random(4) {
                // The sender starts anew.
                0 => world.known = Known::default(),
                // The receiver finds less on its disk than it said.
                1 => world.on_disk -= random(world.on_disk + 1).min(2),
                _ => (),
            }
        }
        prop_assert_eq!(world.on_disk, pieces(size));
    }

    #[test]
    fn nothing_that_a_sender_does_makes_a_receiver_panic_or_hold_more(
        size in prop_oneof![0..12 * PIECE_BYTES, any::<u64>()],
        steps in proptest::collection::vec(prop_oneof![
            any_control().prop_map(Ok),
            prop_oneof![0..=CHUNK_BYTES_TAKEN + 1, Just(CHUNK_BYTES_TAKEN), any::<usize>()].prop_map(Err),
        ], 0..200),
    ) {
        let mut incoming = Incoming::new(size, Digests::default());
        for step in steps {
            let _ = match step {
                Ok(control) => incoming.take(&control).map(|_| ()),
                Err(bytes) => incoming.bytes(bytes),
            };
            prop_assert!(incoming.held() <= PIECES_AHEAD * PIECE_BYTES);
        }
    }

    #[test]
    fn nothing_that_a_receiver_says_makes_a_sender_panic_or_run_ahead(
        size in prop_oneof![0..12 * PIECE_BYTES, any::<u64>()],
        said in proptest::collection::vec(any_control(), 0..100),
    ) {
        let mut outgoing = Outgoing::new(size, Digests::default());
        for control in said {
            if let Some(n) = outgoing.next() {
                outgoing.complete(digest(n));
            }
            let before = outgoing.done();
            let _ = outgoing.take(&control);
            prop_assert!(outgoing.done() >= before);
        }
        let _ = (outgoing.end(), outgoing.delivered());
    }
}
