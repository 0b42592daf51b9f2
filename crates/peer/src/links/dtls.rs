//! What is kept from DTLS (RFC 6347) before its handshake is over.
//!
//! Encrypted records that come before their keys have to wait. The library that does DTLS takes two of one number for
//! a mistake of its own and panics, though the network may double a datagram, and anybody who can send under the other
//! side's address may invent one. So each number passes once, and only so many pass at all.

/// Encrypted datagrams that pass before the handshake is over: a flight ends with one, and is sent a few times.
const EARLY: usize = 24;

/// The early records of one connection.
#[derive(Debug, Default)]
pub(super) struct Early(Vec<[u8; 8]>);

impl Early {
    /// Whether a datagram may pass.
    pub(super) fn passes(&mut self, datagram: &[u8]) -> bool {
        let Some(number) = encrypted(datagram) else { return true };
        let passes = self.0.len() < EARLY && !self.0.contains(&number);
        if passes {
            self.0.push(number);
        }
        passes
    }
}

/// The epoch and number of a datagram's first record (RFC 6347 §4.1), if it is an encrypted one.
fn encrypted(datagram: &[u8]) -> Option<[u8; 8]> {
    let kind = datagram.first()?;
    let number: [u8; 8] = datagram.get(3..11)?.try_into().ok()?;
    ((20..64).contains(kind) && number[..2] != [0, 0]).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u8, number: u8) -> Vec<u8> {
        vec![22, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number, 0, 1, 7]
    }

    #[test]
    fn an_encrypted_record_passes_once() {
        let mut early = Early::default();
        assert!(early.passes(&record(1, 0)) && early.passes(&record(1, 1)));
        assert!(!early.passes(&record(1, 0)) && !early.passes(&record(1, 1)));
    }

    #[test]
    fn plain_records_and_what_is_no_dtls_pass_always() {
        let mut early = Early::default();
        for _ in 0..100 {
            assert!(early.passes(&record(0, 0)) && early.passes(&[22, 0xfe]) && early.passes(&[]));
            assert!(early.passes(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0]));
        }
    }

    #[test]
    fn only_so_many_pass() {
        let mut early = Early::default();
        let passed = (0..=255).filter(|number| early.passes(&record(1, *number))).count();
        assert_eq!(passed, EARLY);
    }
}
