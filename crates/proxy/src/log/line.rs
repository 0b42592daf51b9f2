//! How a line of the access log is written: by hand, since the formatting machinery costs more than the
//! rest of the line.

use std::io::Write as _;

use http::HeaderValue;

use super::record::{Asked, Record};

/// The longest path and host that a line quotes.
const QUOTE: usize = 2048;

/// One line in the making.
pub(super) struct Line<'a> {
    pub(super) second: &'a str,
    pub(super) millis: u32,
    pub(super) micros: u64,
    pub(super) record: &'a Record,
}

impl Line<'_> {
    pub(super) fn json(&self, out: &mut Vec<u8>) {
        let record = self.record;
        out.extend_from_slice(b"{\"time\":\"");
        self.time(out);
        out.extend_from_slice(b"\",\"client\":\"");
        out.extend_from_slice(record.client.as_bytes());
        if let Some(asked) = &record.asked {
            out.extend_from_slice(b"\",\"method\":\"");
            // A token (RFC 9110 §5.6.2): nothing in it needs escaping.
            out.extend_from_slice(asked.method.as_str().as_bytes());
            out.extend_from_slice(b"\",\"host\":\"");
            quoted(out, asked.host());
            out.extend_from_slice(b"\",\"path\":\"");
            quoted(out, asked.path());
        }
        out.extend_from_slice(b"\",\"status\":");
        number(out, u64::from(record.status));
        out.extend_from_slice(b",\"bytes_in\":");
        number(out, record.bytes_in());
        out.extend_from_slice(b",\"bytes_out\":");
        number(out, record.bytes_out);
        out.extend_from_slice(b",\"ms\":");
        milliseconds(out, self.micros);
        if let Some(endpoint) = &record.endpoint {
            out.extend_from_slice(b",\"upstream\":\"");
            out.extend_from_slice(endpoint.label.as_bytes());
            out.push(b'"');
        }
        for (name, taken) in self.parts_of_time() {
            if let Some(taken) = taken {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name);
                out.extend_from_slice(b"\":");
                milliseconds(out, taken);
            }
        }
        if let Some(route) = &record.route {
            out.extend_from_slice(b",\"route\":\"");
            quoted(out, route.path.as_bytes());
            out.push(b'"');
        }
        if let Some(class) = record.class {
            out.extend_from_slice(b",\"failure\":\"");
            out.extend_from_slice(class.as_bytes());
            out.push(b'"');
        }
        if let Some(context) = &record.context {
            out.extend_from_slice(b",\"trace\":\"");
            out.extend_from_slice(&context.trace);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"id\":\"");
        out.extend_from_slice(record.id.as_bytes());
        out.extend_from_slice(b"\"}\n");
    }

    pub(super) fn text(&self, out: &mut Vec<u8>) {
        let record = self.record;
        self.time(out);
        out.push(b' ');
        out.extend_from_slice(record.client.as_bytes());
        if let Some(asked) = &record.asked {
            out.extend_from_slice(b" \"");
            // A token (RFC 9110 §5.6.2): nothing in it needs escaping.
            out.extend_from_slice(asked.method.as_str().as_bytes());
            out.push(b' ');
            quoted(out, asked.host());
            quoted(out, asked.path());
            out.push(b'"');
        }
        out.push(b' ');
        number(out, u64::from(record.status));
        out.extend_from_slice(b" in=");
        number(out, record.bytes_in());
        out.extend_from_slice(b" out=");
        number(out, record.bytes_out);
        self.pairs(out);
    }

    /// The end of a line for people: names and values.
    pub(super) fn pairs(&self, out: &mut Vec<u8>) {
        let record = self.record;
        out.extend_from_slice(b" ms=");
        milliseconds(out, self.micros);
        if let Some(endpoint) = &record.endpoint {
            out.extend_from_slice(b" upstream=");
            out.extend_from_slice(endpoint.label.as_bytes());
        }
        for (name, taken) in self.parts_of_time() {
            if let Some(taken) = taken {
                out.push(b' ');
                out.extend_from_slice(name);
                out.push(b'=');
                milliseconds(out, taken);
            }
        }
        if let Some(route) = &record.route {
            out.extend_from_slice(b" route=");
            quoted(out, route.path.as_bytes());
        }
        if let Some(class) = record.class {
            out.extend_from_slice(b" failure=");
            out.extend_from_slice(class.as_bytes());
        }
        if let Some(context) = &record.context {
            out.extend_from_slice(b" trace=");
            out.extend_from_slice(&context.trace);
        }
        out.extend_from_slice(b" id=");
        out.extend_from_slice(record.id.as_bytes());
        out.push(b'\n');
    }

    /// What is told apart of the whole time: the session's check, a new connection, the server.
    fn parts_of_time(&self) -> [(&'static [u8], Option<u64>); 3] {
        let record = self.record;
        [
            (b"auth_ms", record.auth_micros),
            (b"connect_ms", record.connect_micros),
            (b"first_byte_ms", record.upstream_micros),
        ]
    }

    fn time(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.second.as_bytes());
        let digit = |place: u32| b'0' + u8::try_from(self.millis / place % 10).unwrap_or_default();
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1), b'Z']);
    }
}

/// Where someone came from; without the query when that holds what opens something.
pub(super) fn referer(value: &[u8]) -> &[u8] {
    let Some(at) = value.iter().position(|byte| *byte == b'?') else { return value };
    match std::str::from_utf8(&value[at + 1..]) {
        Ok(query) if !is_secret(query) => value,
        _ => &value[..at],
    }
}

impl Asked {
    pub(super) fn host(&self) -> &[u8] {
        self.host.as_ref().map_or(b"", HeaderValue::as_bytes)
    }

    /// Path and query; without the query when that holds what opens something.
    pub(super) fn path(&self) -> &[u8] {
        let Some(target) = &self.path else { return b"" };
        match target.query() {
            Some(query) if is_secret(query) => target.path().as_bytes(),
            _ => target.as_str().as_bytes(),
        }
    }
}

/// Fields of a query by which an answer of OAuth 2.0 and OpenID Connect (RFC 6749 §4.1.2, §4.2.2) brings back what opens something; and the name
/// that someone typed to sign in, which may be a password in the wrong field.
const SECRETS: [&str; 5] = ["code", "state", "access_token", "id_token", "username"];

/// Whether a query has a field that no log should keep. Its name may be encoded: what looks like one counts, too.
fn is_secret(query: &str) -> bool {
    query.split('&').any(|field| {
        let name = field.split('=').next().unwrap_or_default();
        SECRETS.contains(&name) || name.contains('%')
    })
}

pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    if value < 1000 {
        let digit = |place: u64| b'0' + (value / place % 10) as u8;
        match value {
            0..10 => out.push(digit(1)),
            10..100 => out.extend_from_slice(&[digit(10), digit(1)]),
            _ => out.extend_from_slice(&[digit(100), digit(10), digit(1)]),
        }
        return;
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Microseconds as milliseconds with three places.
fn milliseconds(out: &mut Vec<u8>, micros: u64) {
    number(out, micros / 1000);
    let digit = |place: u64| b'0' + u8::try_from(micros / place % 10).unwrap_or_default();
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

/// Client-made text inside double quotes: escaped as JSON, and what could fool a reader as well.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    let text = &text[..text.len().min(QUOTE)];
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
    if text.iter().all(plain) {
        out.extend_from_slice(text);
        return;
    }
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            '"' | '\\' => out.extend_from_slice(&[b'\\', letter as u8]),
            _ if letter.is_control() || is_invisible(letter) => {
                drop(write!(out, "\\u{:04x}", u32::from(letter)));
            }
            _ => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Marks, overrides and isolates of text direction, and separators of lines.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        quoted(&mut out, text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn r33_what_a_client_chose_can_neither_break_nor_fake_a_line() {
        assert_eq!(escaped("/a b"), "/a b");
        assert_eq!(escaped("/a\"\\\r\n\u{1b}[2J"), "/a\\\"\\\\\\u000d\\u000a\\u001b[2J");
        assert_eq!(escaped("/\u{202e}gpj.exe"), "/\\u202egpj.exe");
        assert_eq!(escaped("/xin-chào"), "/xin-chào");
        let json: String =
            serde_json::from_str(&format!("\"{}\"", escaped("\"\\\n\u{2066}é"))).unwrap();
        assert_eq!(json, "\"\\\n\u{2066}é");
    }

    #[test]
    fn numbers_have_all_their_digits() {
        let mut out = Vec::new();
        for value in [0, 7, 10, 99, 100, 999, 1000, u64::MAX] {
            number(&mut out, value);
            out.push(b' ');
        }
        milliseconds(&mut out, 12_034);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "0 7 10 99 100 999 1000 18446744073709551615 12.034"
        );
    }
}
