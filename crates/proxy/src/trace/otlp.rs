//! Spans as an OTLP message (JSON over HTTP), named after OpenTelemetry's conventions for HTTP servers.

use serde_json::{Value, json};

use super::export::Span;

/// SPAN_KIND_SERVER
const SERVER: u8 = 2;
/// STATUS_CODE_ERROR
const ERROR: u8 = 2;

/// The body of one message.
pub(super) fn message(service: &str, spans: &[Span]) -> Vec<u8> {
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let message = json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", service)] },
        "scopeSpans": [{
            "scope": { "name": "hybrid-chat-proxy", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    }] });
    message.to_string().into_bytes()
}

fn span(span: &Span) -> Value {
    let method = span.method.as_str();
    let name = match &span.route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut attributes = vec![
        text("http.request.method", method),
        text("url.path", &span.path),
        text("client.address", &words(span.client.as_bytes())),
        json!({ "key": "http.response.status_code", "value": { "intValue": span.status.to_string() } }),
    ];
    if let Some(host) = &span.host {
        attributes.push(text("server.address", &words(host.as_bytes())));
    }
    if let Some(route) = &span.route {
        attributes.push(text("http.route", route));
    }
    if let Some(failure) = span.failure {
        attributes.push(text("error.type", failure));
    }
    let mut told = json!({
        "traceId": words(&span.trace),
        "spanId": words(&span.id),
        "name": name,
        "kind": SERVER,
        "startTimeUnixNano": span.started.as_nanos().to_string(),
        "endTimeUnixNano": (span.started + span.taken).as_nanos().to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = &span.parent {
        told["parentSpanId"] = words(parent).into();
    }
    if span.failure.is_some() || span.status >= 500 {
        told["status"] = json!({ "code": ERROR });
    }
    told
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use http::{HeaderValue, Method};
    use std::time::Duration;

    pub(in crate::trace) fn span() -> Span {
        Span {
            trace: *b"4bf92f3577b34da6a3ce929d0e0e4736",
            id: *b"00112233445566ff",
            parent: Some(*b"00f067aa0ba902b7"),
            started: Duration::from_secs(1_700_000_000),
            taken: Duration::from_micros(1500),
            method: Method::GET,
            host: Some(HeaderValue::from_static("chat.test")),
            path: "/chat/x".to_owned(),
            route: Some("/chat/*".into()),
            client: HeaderValue::from_static("127.0.0.1"),
            status: 502,
            failure: Some("upstream_closed"),
        }
    }

    #[test]
    fn a_span_has_the_names_that_collectors_expect() {
        let message: Value = serde_json::from_slice(&message("door", &[span()])).unwrap();
        let resource = &message["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "door");
        let span = &resource["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span["spanId"], "00112233445566ff");
        assert_eq!(span["parentSpanId"], "00f067aa0ba902b7");
        assert_eq!(span["name"], "GET /chat/*");
        assert_eq!(span["startTimeUnixNano"], "1700000000000000000");
        assert_eq!(span["endTimeUnixNano"], "1700000000001500000");
        assert_eq!(span["status"]["code"], 2);
        let attribute = |key: &str| {
            let all = span["attributes"].as_array().unwrap();
            all.iter().find(|one| one["key"] == key).unwrap()["value"].clone()
        };
        assert_eq!(attribute("http.response.status_code")["intValue"], "502");
        assert_eq!(attribute("url.path")["stringValue"], "/chat/x");
        assert_eq!(attribute("error.type")["stringValue"], "upstream_closed");
    }
}
