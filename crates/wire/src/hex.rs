//! Ids and digests in hex: parsed once at the edge, trusted inside.

/// A text is not the hex that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {digits} lower-case hex digits")]
pub struct HexError {
    /// How many there should be.
    pub digits: usize,
}

/// Reads exactly `2 * N` lower-case hex digits.
pub(crate) fn parse<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let wrong = HexError { digits: 2 * N };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(wrong),
    };
    if text.len() != 2 * N {
        return Err(wrong);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

macro_rules! hex_type {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = $pattern))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::hex::HexError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::hex::parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::hex::HexError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

/// A type for an id that is the first half of a SHA-256 digest.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $crate::hex::hex_type!($(#[$doc])* $name, 16, "^[0-9a-f]{32}$");

        impl $name {
            /// The first half of a digest.
            pub fn from_digest(digest: &[u8; 32]) -> Self {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&digest[..16]);
                Self(bytes)
            }
        }
    };
}

pub(crate) use {hex_id, hex_type};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_number_of_lower_case_digits_is_taken() {
        assert_eq!(parse::<2>("0aff"), Ok([0x0a, 0xff]));
        for wrong in ["", "0af", "0aff0", "0AFF", "0xff", "é0a"] {
            assert_eq!(parse::<2>(wrong), Err(HexError { digits: 4 }), "{wrong}");
        }
    }
}
