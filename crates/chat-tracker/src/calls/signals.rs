//! Signals: what two devices tell each other to make a link. Nothing of them is kept.

use std::time::Instant;

use service::Problem;
use wire::event::Event;
use wire::signal::{
    CANDIDATE_BYTES, Description, SDP_BYTES, SESSION_MAX, SendSignal, Signal, Signalled, Signalling,
};

use super::devices::{base64url, device_not_registered};
use crate::caller::{Caller, not_registered};
use crate::tracker::Tracker;

/// `POST /chat/signal`. It waits for nothing, so that signals keep the order in which they came.
///
/// # Errors
/// An unknown or foreign peer, a device that is not registered for its peer, a wrong or too large signal, too
/// many signals.
pub fn signal(
    tracker: &Tracker,
    caller: &Caller,
    request: SendSignal,
) -> Result<Signalled, Problem> {
    let from = caller.may_act_as(tracker, request.from.as_ref())?.peer;
    let now = Instant::now();
    tracker.presence.heard(&from, now);
    tracker
        .signal_rates
        .take(&from, now)
        .map_err(|wait| Problem::too_many_requests("this peer sends too many signals", wait))?;
    check(&request)?;
    if !tracker.devices.belongs(request.from_device, &from) {
        return Err(device_not_registered(request.from_device, from.id()));
    }
    let to = tracker.peers.get(&request.to).ok_or_else(|| not_registered(&request.to))?.peer;
    if !tracker.devices.belongs(request.to_device, &to) {
        return Err(device_not_registered(request.to_device, to.id()));
    }
    let event = Event::Signal(Signalling {
        from: from.id().clone(),
        from_device: request.from_device,
        to: to.id().clone(),
        to_device: request.to_device,
        session: request.session,
        signal: request.signal,
    });
    let delivered = tracker.hub.signal(&to, request.to_device, &event);
    tracker.metrics.signal(delivered);
    Ok(Signalled { delivered })
}

fn check(request: &SendSignal) -> Result<(), Problem> {
    if request.session > SESSION_MAX {
        return Err(Problem::bad_request(
            "invalid_body",
            format!("field `session`: must be at most {SESSION_MAX}"),
        ));
    }
    match &request.signal {
        Signal::Offer(description) | Signal::Answer(description) => check_description(description),
        Signal::Candidate { candidate } => {
            check_size("signal.candidate", candidate, CANDIDATE_BYTES)
        }
        Signal::Call | Signal::Bye => Ok(()),
    }
}

/// Sizes only: the receiver checks the signature, since it can't take the tracker's word.
fn check_description(description: &Description) -> Result<(), Problem> {
    check_size("signal.sdp", &description.sdp, SDP_BYTES)?;
    for (field, fits, bytes) in [
        ("public_key", base64url::<32>(&description.public_key).is_some(), 32),
        ("signature", base64url::<64>(&description.signature).is_some(), 64),
    ] {
        if !fits {
            return Err(Problem::bad_request(
                "invalid_body",
                format!("field `signal.{field}`: must be {bytes} bytes in base64url"),
            ));
        }
    }
    Ok(())
}

fn check_size(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    if text.len() <= most {
        return Ok(());
    }
    Err(Problem::new(
        http::StatusCode::PAYLOAD_TOO_LARGE,
        "signal_too_large",
        format!("field `{field}`: has {} bytes, at most {most} fit", text.len()),
    ))
}
