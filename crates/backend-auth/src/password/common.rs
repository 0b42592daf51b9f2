//! Passwords that many people were found to have. No rule finds those that look like chance, or are words of a language or a
//! keyboard that nobody here thought of; attackers have them on lists all the same.
//!
//! Kept are fingerprints: the first five bytes of the SHA-256 of each in lower case, in ascending order. `scripts/common-passwords`
//! makes them from published lists. One other password in twenty million has the fingerprint of a common one.

use sha2::{Digest, Sha256};

const BYTES: usize = 5;
const FINGERPRINTS: &[u8] = include_bytes!("common.bin");

fn fingerprints() -> &'static [[u8; BYTES]] {
    FINGERPRINTS.as_chunks().0
}

/// Whether it is on a list, in whatever case.
pub(super) fn is_common(password: &str) -> bool {
    let digest = Sha256::digest(password.to_lowercase());
    fingerprints().binary_search_by(|known| known[..].cmp(&digest[..BYTES])).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_whole_and_in_order() {
        assert_eq!(FINGERPRINTS.len() % BYTES, 0);
        assert!(fingerprints().len() > 50_000, "{}", fingerprints().len());
        assert!(fingerprints().is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn case_does_not_hide_a_common_password() {
        for password in ["winniethepooh", "WinnieThePooh", "gfhfktkjuhfv", "SiempreTeAmare"] {
            assert!(is_common(password), "{password}");
        }
        assert!(!is_common("winnie the pooh, who flew to the moon"));
    }
}
