//! Codes for the day on which the phone is gone: ten, told once, each good once. 120 bits each, so that a plain hash
//! is enough, in an alphabet without letters that look like digits (Crockford's base 32).

use crate::secret::SecretHash;

/// Codes of an account.
pub const COUNT: usize = 10;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 24;
const GROUP: usize = 4;

/// A set of codes: the texts for their owner, the hashes for the store.
pub struct Codes {
    /// As they are shown: `1A2B-…`, six groups of four.
    pub texts: Vec<String>,
    /// What is kept.
    pub hashes: Vec<SecretHash>,
}

impl Codes {
    /// Ten new ones.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self, getrandom::Error> {
        let plain = (0..COUNT).map(|_| plain()).collect::<Result<Vec<_>, _>>()?;
        let hashes = plain.iter().map(|code| SecretHash::digest(code)).collect();
        Ok(Self { texts: plain.iter().map(|code| grouped(code)).collect(), hashes })
    }
}

/// The hash of a code as it was typed, in any case and with any gaps, unless it can't be one.
pub fn hash(typed: &str) -> Option<SecretHash> {
    let mut code = String::with_capacity(CHARS);
    for c in typed.chars().filter(|c| !matches!(c, '-' | ' ')) {
        if code.len() == CHARS {
            return None;
        }
        code.push(match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c if u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte)) => c,
            _ => return None,
        });
    }
    (code.len() == CHARS).then(|| SecretHash::digest(&code))
}

fn plain() -> Result<String, getrandom::Error> {
    let mut bytes = [0; CHARS];
    getrandom::fill(&mut bytes)?;
    // Five bits of each byte: 32 divides 256, so that all characters are equally likely.
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

fn grouped(code: &str) -> String {
    let mut text = String::with_capacity(CHARS + CHARS / GROUP);
    for (at, c) in code.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_different_codes_are_known_by_their_hashes_however_they_are_typed() {
        let codes = Codes::new().unwrap();
        let mut texts = codes.texts.clone();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), COUNT);
        for (text, kept) in codes.texts.iter().zip(&codes.hashes) {
            assert_eq!(text.len(), 29);
            assert_eq!(hash(text).as_ref(), Some(kept));
            let sloppy = text.replace('-', " ").to_lowercase().replace('0', "o").replace('1', "l");
            assert_eq!(hash(&sloppy).as_ref(), Some(kept), "{sloppy}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_never_looked_up() {
        for typed in
            ["", "123456", &"A".repeat(23), &"A".repeat(25), &"U".repeat(24), &"É".repeat(24)]
        {
            assert_eq!(hash(typed), None, "{typed}");
        }
    }
}
