//! One-time codes of an authenticator app (TOTP, RFC 6238): six digits, a new one every 30 seconds, SHA-1, which is what all apps
//! know.
//!
//! The code of the step before and of the step after count as well, for clocks that differ. The step of the last code that
//! was accepted is kept, and no code of that step or an earlier one is accepted again (RFC 6238 §5.2).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Algorithm, Builder, Secret, Totp};

/// Seconds of a step.
const STEP: u64 = 30;
/// Digits of a code.
const DIGITS: u8 = 6;
/// Bytes of a seed: as many as the hash has.
const SEED_BYTES: usize = 20;
/// What an app shows above the account's name.
const ISSUER: &str = "Hybrid chat";

/// A fresh seed.
///
/// # Errors
/// When the system has no randomness.
pub fn seed() -> Result<[u8; SEED_BYTES], getrandom::Error> {
    let mut seed = [0; SEED_BYTES];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// A seed as people type it into an app.
pub fn base32(seed: &[u8]) -> String {
    Secret::from(seed).to_base32()
}

/// A seed as an app reads it from a picture. The host tells accounts on several servers apart.
pub fn uri(seed: &[u8], account: &str, host: Option<&str>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // A colon ends the issuer, so that an IPv6 address can't be part of it.
    let issuer = match host.filter(|host| !host.contains(':')) {
        Some(host) => encode(&format!("{ISSUER} {host}")),
        None => encode(ISSUER),
    };
    let (account, secret) = (encode(account), base32(seed));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}"
    )
}

/// The digits of a code as it was typed, if it is one: apps show it in two groups.
pub fn digits(typed: &str) -> Option<String> {
    let code: String = typed.chars().filter(|c| *c != ' ').collect();
    let fits = code.len() == usize::from(DIGITS) && code.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(code)
}

/// The step whose code this is, when it is later than the last one that was accepted.
pub fn step(seed: &[u8], code: &str, now: i64, last: i64) -> Option<i64> {
    let now = u64::try_from(now).ok()?;
    let step = generator(seed)?.check(code, now)?;
    i64::try_from(step).ok().filter(|step| *step > last)
}

fn generator(seed: &[u8]) -> Option<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(1)
        .with_step_duration(STEP)
        .with_secret(seed)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, of whose eight digits six are ours.
    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn the_codes_of_the_rfc_are_accepted_in_their_step_and_the_two_beside_it() {
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            for now in [time - 30, time, time + 30] {
                assert_eq!(step(SEED, code, now, 0), Some(time / 30));
            }
            for now in [time - 60, time + 60] {
                assert_eq!(step(SEED, code, now, 0), None);
            }
        }
        assert_eq!(step(SEED, "287083", 59, 0), None);
        assert_eq!(step(b"", "287082", 59, 0), None);
        assert_eq!(step(SEED, "287082", -1, 0), None);
    }

    #[test]
    fn a_code_is_not_accepted_again_nor_one_before_it() {
        assert_eq!(step(SEED, "287082", 59, 0), Some(1));
        assert_eq!(step(SEED, "287082", 59, 1), None);
        assert_eq!(step(SEED, "287082", 59, 2), None);
    }

    #[test]
    fn a_code_is_six_digits_with_or_without_a_gap() {
        assert_eq!(digits("287 082").as_deref(), Some("287082"));
        for typed in ["28708", "2870822", "28708a", "٢٨٧٠٨٢", ""] {
            assert_eq!(digits(typed), None);
        }
    }

    #[test]
    fn an_app_reads_issuer_account_and_seed_from_the_address() {
        let uri = uri(SEED, "a:b@c", Some("chat.example.org"));
        assert!(
            uri.starts_with("otpauth://totp/Hybrid%20chat%20chat%2Eexample%2Eorg:a%3Ab%40c?"),
            "{uri}"
        );
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"), "{uri}");
        assert!(
            super::uri(SEED, "a", Some("[::1]")).starts_with("otpauth://totp/Hybrid%20chat:a?")
        );
    }
}
