//! `GET /chat/ice`: which servers help to find a way between two devices.

use jiff::Timestamp;
use service::Problem;
use wire::signal::{AskIce, Ice};

use crate::caller::Caller;
use crate::tracker::Tracker;

/// `GET /chat/ice`
///
/// # Errors
/// An unknown or foreign peer.
pub fn ice(tracker: &Tracker, caller: &Caller, request: &AskIce) -> Result<Ice, Problem> {
    let asker = caller.acting_as(tracker, request.peer_id.as_ref())?;
    Ok(tracker.ice.servers(&asker.peer, Timestamp::now()))
}
