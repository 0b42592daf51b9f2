//! Random secrets: session tokens, device marks, invite codes. They are told once and kept as a hash:
//! at 128 bits and more a plain SHA-256 can't be reversed by guessing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use sha2::{Digest, Sha256};

/// What is kept of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

/// A fresh secret: its text goes to the client, its hash into the store. Never logged.
pub struct Secret {
    /// base64url without padding.
    pub text: String,
    /// What is kept.
    pub hash: SecretHash,
}

/// How a personal access token begins.
pub const ACCESS_TOKEN: &str = "chat_pat_";
/// Characters of a session token and of a device mark: 256 bits.
const TOKEN_CHARS: usize = 43;
/// Characters of an invite's code and of a session's public id: 128 bits.
const CODE_CHARS: usize = 22;

impl Secret {
    /// 256 bits from the operating system.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn token() -> Result<Self, getrandom::Error> {
        Ok(Self::of(random::<32>()?))
    }

    /// 128 bits from the operating system.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn code() -> Result<Self, getrandom::Error> {
        Ok(Self::of(random::<16>()?))
    }

    /// A personal access token: its mark tells scanners of leaked secrets what it is.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn access_token() -> Result<Self, getrandom::Error> {
        Ok(Self::of(format!("{ACCESS_TOKEN}{}", random::<32>()?)))
    }

    fn of(text: String) -> Self {
        let hash = SecretHash::digest(&text);
        Self { text, hash }
    }
}

/// A public random id of 128 bits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn public_id() -> Result<String, getrandom::Error> {
    random::<16>()
}

fn random<const N: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl SecretHash {
    /// The hash of a token that a client presents, unless it has the wrong shape.
    pub fn of_token(text: &str) -> Option<Self> {
        Self::of_shape(text, TOKEN_CHARS)
    }

    /// The hash of a personal access token that a client presents, unless it has the wrong shape.
    pub fn of_access_token(text: &str) -> Option<Self> {
        Self::of_token(text.strip_prefix(ACCESS_TOKEN)?)?;
        Some(Self::digest(text))
    }

    /// The hash of a code that a client presents, unless it has the wrong shape.
    pub fn of_code(text: &str) -> Option<Self> {
        Self::of_shape(text, CODE_CHARS)
    }

    fn of_shape(text: &str, chars: usize) -> Option<Self> {
        let fits = text.len() == chars
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self::digest(text))
    }

    /// The hash of any text.
    pub fn digest(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl ToSql for SecretHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(&self.0[..]))
    }
}

impl FromSql for SecretHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ten_thousand_tokens_are_unique_and_have_256_bits() {
        let tokens: HashSet<String> =
            (0..10_000).map(|_| Secret::token().map(|token| token.text).unwrap()).collect();
        assert_eq!(tokens.len(), 10_000);
        for token in tokens {
            assert_eq!(URL_SAFE_NO_PAD.decode(&token).map(|bytes| bytes.len()), Ok(32));
            assert!(SecretHash::of_token(&token).is_some());
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_never_looked_up() {
        for text in
            ["", "short", &"a".repeat(42), &"a".repeat(44), &"=".repeat(43), &"é".repeat(21)]
        {
            assert_eq!(SecretHash::of_token(text), None);
        }
    }
}
