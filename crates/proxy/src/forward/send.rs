//! A request on its way to a server, and to another one if need be.

use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response};

use super::Visit;
use super::way::Way;
use crate::body::{RequestBody, UploadState};
use crate::error::Failure;
use crate::link::SendError;
use crate::log::Record;
use crate::pool::Lease;
use crate::upstream::Tried;

/// Sends the request in the slot until it is answered; with `upgrade`, on a connection of its own. It goes out a second time only
/// - if it was certainly never written: whatever it is, or
/// - if it changes nothing (RFC 9110 §9.2.2), has no body, and a connection from the pool closed without a
///   byte of an answer: then the server closed it before it saw the request. Once, and not when many
///   requests fare so.
pub(super) async fn send(
    visit: &Visit,
    way: &Way<'_>,
    upgrade: bool,
    request: &mut Option<Request<RequestBody>>,
    record: &mut Record,
) -> Result<(Response<()>, Lease), Failure> {
    let upload = request.as_ref().and_then(|request| request.body().upload());
    let idempotent = request.as_ref().is_some_and(|request| request.method().is_idempotent());
    let repeatable = upload.is_none() && idempotent;
    let Way { upstream, key, max_body, response_ms, .. } = *way;
    upstream.retries.earn();
    let mut tried = Tried::new(key).exclusive(upgrade);
    let mut repeated = false;
    loop {
        // Waits for a connection have limits of their own.
        visit.watch.never();
        let mut lease = match upstream.acquire(&mut tried).await {
            Ok(lease) => lease,
            Err(failure) => {
                record.connected(Instant::now());
                return Err(failure);
            }
        };
        record.sent_to(lease.endpoint());
        let reused = lease.is_reused();
        let repeatable = repeatable && reused && !repeated;
        if repeatable {
            lease.remember();
        }
        visit.watch.due_in(response_ms);
        let sent = Instant::now();
        if !reused {
            record.connected(sent);
        }
        let endpoint = lease.endpoint().clone();
        let outcome = lease
            .send(request, |_: &mut Context<'_>| {
                match visit.watch.expired() || endpoint.is_cut_off() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        let state = upload.as_ref().map(|upload| upload.state.get());
        let name = || upstream.config.name.clone();
        match outcome {
            Ok(response) => {
                if let Some(upload) = &upload {
                    upload.answered.set(true);
                }
                upstream.judge_status(lease.endpoint(), response.status());
                let taken = sent.elapsed();
                if upstream.is_measured() {
                    lease.endpoint().observe(taken);
                }
                record.answered(response.status().as_u16(), Some((upstream, sent, taken)));
                return Ok((response, lease));
            }
            Err(SendError::Unsent) => {
                record.again();
                // A connection from the pool that was closed meanwhile is no fault of the server's.
                if !reused {
                    upstream.judge(lease.endpoint(), false);
                    tried.note(&lease.endpoint().addr);
                }
            }
            Err(SendError::Stopped(())) if endpoint.is_cut_off() => {
                return Err(Failure::Removed { upstream: name() });
            }
            Err(SendError::Stopped(())) => {
                // A server that hangs is a slow one.
                if state != Some(UploadState::Client) {
                    upstream.judge(lease.endpoint(), false);
                    if upstream.is_measured() {
                        lease.endpoint().observe(sent.elapsed());
                    }
                }
                return Err(match state {
                    Some(UploadState::Client) => Failure::ClientTimeout,
                    _ => Failure::UpstreamTimeout { upstream: name() },
                });
            }
            Err(SendError::Broken { error, answered }) => match state {
                Some(UploadState::TooLarge) => {
                    return Err(Failure::BodyTooLarge { limit: max_body.unwrap_or(0) });
                }
                Some(UploadState::Broken) => return Err(Failure::ClientBroke),
                _ => {
                    if repeatable
                        && !answered
                        && let Some(again) = lease.recall()
                        && upstream.retries.spend()
                    {
                        record.stats().retries.add(1);
                        record.again();
                        repeated = true;
                        *request = Some(again);
                        continue;
                    }
                    upstream.judge(lease.endpoint(), false);
                    tracing::debug!(
                        upstream = &*upstream.config.name,
                        addr = %lease.endpoint().addr,
                        error = %crate::error::causes(&error),
                        "no answer"
                    );
                    return Err(if error.is_malformed() {
                        Failure::UpstreamInvalid { upstream: name() }
                    } else {
                        Failure::UpstreamClosed { upstream: name() }
                    });
                }
            },
        }
    }
}
