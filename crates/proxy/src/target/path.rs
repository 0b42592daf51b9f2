//! The one canonical form of a path.

use std::borrow::Cow;

use super::Refused;

/// Bytes that stand for themselves in a canonical path: unreserved, sub-delims, `:`, `@`, `/` and what
/// clients send unencoded without harm.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = !matches!(byte as u8, b'%' | b'\\' | b'#' | b'?');
        byte += 1;
    }
    table
};

/// The canonical form of a path, borrowed if it already is canonical.
///
/// # Errors
/// [`Refused`] (400 `bad_path`) if upstreams could read the path in more than one way.
pub(crate) fn canonical_path(path: &str) -> Result<Cow<'_, str>, Refused> {
    if is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let canonical = decode_unreserved(path)?;
    check_segments(&canonical)?;
    Ok(if canonical == path { Cow::Borrowed(path) } else { Cow::Owned(canonical) })
}

/// Whether there is nothing to decode and nothing to suspect. Segments that start with a dot are left to
/// the slow path.
fn is_plain(path: &str) -> bool {
    let mut after_slash = false;
    for (at, &byte) in path.as_bytes().iter().enumerate() {
        if !PLAIN[usize::from(byte)] || (after_slash && matches!(byte, b'/' | b'.')) {
            return false;
        }
        after_slash = byte == b'/';
        if at == 0 && !after_slash {
            return false;
        }
    }
    !path.is_empty()
}

fn bad_path(message: &'static str) -> Refused {
    Refused::bad_request("bad_path", message)
}

fn decode_unreserved(path: &str) -> Result<String, Refused> {
    if !path.starts_with('/') {
        return Err(Refused::bad_request("bad_target", "a request target starts with /"));
    }
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte != b'%' {
            if !PLAIN[usize::from(byte)] {
                return Err(bad_path(
                    "the path has a character that must be percent-encoded, or a backslash",
                ));
            }
            out.push(char::from(byte));
            at += 1;
            continue;
        }
        let decoded = hex_pair(&bytes[at + 1..]).ok_or_else(|| {
            bad_path("a % in the path must be followed by two hexadecimal digits")
        })?;
        match decoded {
            b'/' | b'\\' => return Err(bad_path("the path has an encoded slash or backslash")),
            0..0x20 | 0x7f => return Err(bad_path("the path has an encoded control character")),
            b'-' | b'.' | b'_' | b'~' => out.push(char::from(decoded)),
            _ if decoded.is_ascii_alphanumeric() => out.push(char::from(decoded)),
            _ => {
                out.push('%');
                out.push(char::from(bytes[at + 1].to_ascii_uppercase()));
                out.push(char::from(bytes[at + 2].to_ascii_uppercase()));
            }
        }
        at += 3;
    }
    Ok(out)
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let high = char::from(*bytes.first()?).to_digit(16)?;
    let low = char::from(*bytes.get(1)?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// Refuses empty segments and dot segments, also those that only a second decoding reveals.
fn check_segments(path: &str) -> Result<(), Refused> {
    if path.contains("//") {
        return Err(bad_path("the path has an empty segment (//)"));
    }
    for segment in path.split('/') {
        let mut text = Cow::Borrowed(segment.as_bytes());
        loop {
            let hidden = text.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| {
                // Some servers cut `;parameters` off before they look at dots.
                let name = part.split(|&byte| byte == b';').next().unwrap_or_default();
                name == b"." || name == b".."
            });
            if hidden {
                return Err(bad_path("the path has a dot segment"));
            }
            if text.contains(&0) {
                return Err(bad_path("the path has an encoded control character"));
            }
            match decode_once(&text) {
                Some(decoded) => text = Cow::Owned(decoded),
                None => break,
            }
        }
    }
    Ok(())
}

/// One round of decoding; `None` when nothing is encoded any more. Each round makes the text shorter.
fn decode_once(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex_pair(&text[at + 1..])) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    (out.len() < text.len()).then_some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_path_says_what_the_slow_path_says(path in "/[a-c/.%25eEfF;\\\\~:]{0,12}") {
            let slow = decode_unreserved(&path).and_then(|out| check_segments(&out).map(|()| out));
            prop_assert_eq!(canonical_path(&path).map(Cow::into_owned), slow);
        }

        #[test]
        fn canonical_paths_stay_as_they_are(path in "/[a-c/.%25eEfF;~:]{0,12}") {
            if let Ok(once) = canonical_path(&path) {
                let again = canonical_path(&once).expect("a canonical path is fine");
                prop_assert_eq!(&again, &once);
                prop_assert!(matches!(again, Cow::Borrowed(_)));
            }
        }
    }
}
