//! The format that Apache and nginx call "combined", which many programs read.

use http::{HeaderValue, Version};

use super::Record;
use super::line::{Line, number, quoted, referer};

impl Line<'_> {
    /// `client - - [time] "request line" status bytes "referer" "user agent"`, then names and values.
    pub(super) fn combined(&self, out: &mut Vec<u8>) {
        let record: &Record = self.record;
        out.extend_from_slice(record.client.as_bytes());
        out.extend_from_slice(b" - - [");
        out.extend_from_slice(self.second.as_bytes());
        out.extend_from_slice(b"] \"");
        let agent = record.asked.as_ref().and_then(|asked| asked.agent.as_deref());
        if let Some(asked) = &record.asked {
            out.extend_from_slice(asked.method.as_str().as_bytes());
            out.push(b' ');
            quoted(out, asked.path());
            out.push(b' ');
            let version = agent.map_or(Version::HTTP_11, |agent| agent.version);
            out.extend_from_slice(match version {
                Version::HTTP_10 => b"HTTP/1.0",
                Version::HTTP_2 => b"HTTP/2.0",
                _ => b"HTTP/1.1",
            });
        } else {
            out.push(b'-');
        }
        out.extend_from_slice(b"\" ");
        number(out, u64::from(record.status));
        out.push(b' ');
        number(out, record.bytes_out);
        out.extend_from_slice(b" \"");
        match agent.and_then(|agent| agent.referer.as_ref()) {
            Some(from) => quoted(out, referer(from.as_bytes())),
            None => out.push(b'-'),
        }
        out.extend_from_slice(b"\" \"");
        value(out, agent.and_then(|agent| agent.user_agent.as_ref()));
        out.extend_from_slice(b"\" host=\"");
        if let Some(asked) = &record.asked {
            quoted(out, asked.host());
        }
        out.extend_from_slice(b"\" in=");
        number(out, record.bytes_in());
        self.pairs(out);
    }
}

fn value(out: &mut Vec<u8>, value: Option<&HeaderValue>) {
    match value {
        Some(value) => quoted(out, value.as_bytes()),
        None => out.push(b'-'),
    }
}
