//! Spans on their way to an OpenTelemetry collector.
//!
//! A worker puts the span of a finished request into a box of its own, if the trace is sampled. Once a
//! second the background empties the boxes and posts what was in them. A box that is full takes no more,
//! and what a collector does not take is not sent again: traces are worth less than requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{SpanId, TraceId, otlp};
use crate::config::Export;
use crate::lock::lock;
use crate::plan::Plan;
use crate::stats::{Counter, Stats};

/// Spans that one worker keeps until they are fetched, at most.
const WAITING: usize = 4096;
/// Spans in one message, at most.
const BATCH: usize = 512;
/// Time between two messages.
const EVERY: Duration = Duration::from_secs(1);
/// Longest wait for the collector to take a message.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the proxy had to do with a request.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) trace: TraceId,
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    /// Since 1970.
    pub(crate) started: Duration,
    pub(crate) taken: Duration,
    pub(crate) method: http::Method,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) path: String,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) client: HeaderValue,
    pub(crate) status: u16,
    pub(crate) failure: Option<&'static str>,
}

/// The box of one worker.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    wanted: AtomicBool,
    waiting: Mutex<Vec<Span>>,
    /// Spans for which there was no room; counted by the worker.
    pub(crate) lost: Counter,
    /// Spans that a collector has taken, and those that it has not; counted by the background.
    pub(crate) exported: Counter,
    pub(crate) refused: Counter,
}

impl Outbox {
    /// Whether anybody fetches spans.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Says whether anybody does.
    pub(crate) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Puts one in, if there is room.
    pub(crate) fn put(&self, span: Span) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() < WAITING {
            waiting.push(span);
        } else {
            self.lost.add(1);
        }
    }

    fn fetch(&self) -> Vec<Span> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

/// Posts spans as long as the proxy runs, to wherever its configuration says at the moment.
pub(crate) async fn run(plan: Arc<Mutex<Plan>>, workers: Vec<Arc<Stats>>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let config = lock(&plan).config.clone();
        let export = config.tracing.as_ref().and_then(|tracing| tracing.export.as_ref());
        for stats in &workers {
            let mut spans = stats.spans.fetch();
            let Some(export) = export else { continue };
            while !spans.is_empty() {
                let rest = spans.split_off(BATCH.min(spans.len()));
                let count = spans.len() as u64;
                let sent = tokio::time::timeout(PATIENCE, post(export, &spans)).await;
                let sent = sent.unwrap_or_else(|_| Err("it took too long".to_owned()));
                match &sent {
                    Ok(()) => stats.spans.exported.add(count),
                    Err(_) => stats.spans.refused.add(count),
                }
                // One line when it starts to fail and one when it works again.
                if failing != sent.is_err() {
                    failing = sent.is_err();
                    match sent {
                        Err(reason) => {
                            tracing::warn!(collector = %export.url, reason, "traces are lost");
                        }
                        Ok(()) => tracing::info!(collector = %export.url, "traces are taken again"),
                    }
                }
                spans = rest;
            }
        }
    }
}

/// One message.
async fn post(export: &Export, spans: &[Span]) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let body = otlp::message(&export.service, spans);
    let host = export.url.authority().map_or("", |authority| authority.as_str());
    let port = export.url.port_u16().unwrap_or(80);
    let name = export.url.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((name, port)).await.map_err(|error| said(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| said(&error))?;
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = http::Method::POST;
    let path = export.url.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>().map_err(|error| said(&error))?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(host).map_err(|error| said(&error))?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let answer = async { sender.send_request(request).await };
    let (answer, _) = tokio::join!(answer, connection);
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status())),
        Err(error) => Err(said(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_box_takes_no_more_and_counts_what_is_lost() {
        let outbox = Outbox::default();
        for _ in 0..WAITING + 3 {
            outbox.put(otlp::tests::span());
        }
        assert_eq!((outbox.fetch().len(), outbox.lost.get()), (WAITING, 3));
        assert!(outbox.fetch().is_empty());
    }
}
