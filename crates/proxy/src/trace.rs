//! W3C trace context (Level 1): a request belongs to a trace, and every server on its way is told which.
//!
//! A `traceparent` that a client sends is checked and passed on with the proxy as the parent; one that is
//! missing or malformed is replaced by a new trace, and `tracestate`, which belongs to the old one, goes.
//! The proxy's own ids come from the id of the request, so a line of the access log names its span: the
//! span is the second half of the id, and a trace that begins here is called by all of it.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::Tracing;

pub(crate) mod export;
mod otlp;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Flags that are passed on: sampled, and that the id is random (Level 2).
const FLAGS: u8 = 0b11;
const SAMPLED: u8 = 0b01;

/// 32 hexadecimal digits.
pub(crate) type TraceId = [u8; 32];

/// 16 hexadecimal digits.
pub(crate) type SpanId = [u8; 16];

/// Where a request stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    /// The trace.
    pub(crate) trace: TraceId,
    /// The span of whoever sent the request.
    pub(crate) parent: Option<SpanId>,
    flags: u8,
}

impl Context {
    /// Whether the trace is recorded.
    pub(crate) fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The proxy's own span for the request with this id.
pub(crate) fn span_of(id: &HeaderValue) -> SpanId {
    id.as_bytes().get(16..).and_then(|half| half.try_into().ok()).unwrap_or([b'1'; 16])
}

/// Puts the proxy's `traceparent` into a request; gives what the request is part of.
pub(crate) fn pass_on(headers: &mut HeaderMap, tracing: &Tracing, id: &HeaderValue) -> Context {
    let own: TraceId = id.as_bytes().try_into().unwrap_or([b'1'; 32]);
    let given = if tracing.from_clients { parent(headers) } else { None };
    let context = given.unwrap_or_else(|| {
        headers.remove(TRACESTATE);
        let flags = if is_sampled(&own, tracing.sample) { SAMPLED } else { 0 };
        Context { trace: own, parent: None, flags }
    });
    let Context { trace, flags, .. } = context;
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    text[3..35].copy_from_slice(&trace);
    text[36..52].copy_from_slice(&span_of(id));
    text[54] = b'0' + flags;
    if let Ok(value) = HeaderValue::from_bytes(&text) {
        headers.insert(TRACEPARENT, value);
    }
    context
}

/// The trace that a request says it belongs to, if it says so properly and once.
fn parent(headers: &HeaderMap) -> Option<Context> {
    let mut lines = headers.get_all(TRACEPARENT).iter();
    let line = lines.next()?.as_bytes();
    if lines.next().is_some() {
        return None;
    }
    // version-trace-parent-flags; later versions may have more behind it.
    let (fields, more) = line.split_at_checked(55)?;
    let [version, trace, parent, flags] =
        [&fields[..2], &fields[3..35], &fields[36..52], &fields[53..]];
    let dashes = [2, 35, 52].iter().all(|&at| fields[at] == b'-');
    let digits = [version, trace, parent, flags]
        .iter()
        .all(|field| field.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let lasts = if version == b"00" { more.is_empty() } else { more.is_empty() || more[0] == b'-' };
    let zero = |field: &[u8]| field.iter().all(|&byte| byte == b'0');
    if !dashes || !digits || !lasts || version == b"ff" || zero(trace) || zero(parent) {
        return None;
    }
    let flags = u8::from_str_radix(std::str::from_utf8(flags).ok()?, 16).ok()?;
    let (trace, parent) = (trace.try_into().ok()?, parent.try_into().ok());
    Some(Context { trace, parent, flags: flags & FLAGS })
}

/// Whether a trace that begins here is recorded; `share` of 2^32 is.
fn is_sampled(trace: &TraceId, share: u64) -> bool {
    let digits = std::str::from_utf8(&trace[24..]).unwrap_or_default();
    u64::from_str_radix(digits, 16).is_ok_and(|number| number < share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: HeaderValue = HeaderValue::from_static("0123456789abcdef00112233445566ff");
    const ALWAYS: Tracing = Tracing { sample: 1 << 32, from_clients: true, export: None };

    fn passed(lines: &[&'static str], tracing: &Tracing) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRACEPARENT, HeaderValue::from_static(line));
        }
        headers.insert(TRACESTATE, HeaderValue::from_static("vendor=1"));
        let trace = pass_on(&mut headers, tracing, &ID).trace;
        let line = headers[TRACEPARENT].to_str().unwrap().to_owned();
        assert_eq!(line.as_bytes()[3..35], trace);
        assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
        (line, headers.contains_key(TRACESTATE))
    }

    #[test]
    fn a_trace_goes_on_with_another_parent_and_the_same_flags() {
        for (given, flags) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", "03"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new", "01"),
        ] {
            let want = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00112233445566ff-{flags}");
            assert_eq!(passed(&[given], &ALWAYS), (want, true), "{given}");
        }
    }

    #[test]
    fn what_is_malformed_or_not_wanted_begins_a_trace_of_its_own() {
        let new = "00-0123456789abcdef00112233445566ff-00112233445566ff-01";
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.new",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] {
            assert_eq!(passed(&[bad], &ALWAYS), (new.to_owned(), false), "{bad}");
        }
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(passed(&[good, good], &ALWAYS).0, new);
        let own = Tracing { from_clients: false, ..ALWAYS };
        assert_eq!(passed(&[good], &own).0, new);
        let never = Tracing { sample: 0, ..ALWAYS };
        let unmarked = "00-0123456789abcdef00112233445566ff-00112233445566ff-00";
        assert_eq!(passed(&[], &never).0, unmarked);
    }
}
