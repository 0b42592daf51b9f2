//! `peer join` and `peer leave`.

use serde_json::json;

use super::args::ChannelArgs;
use super::exit::{Exit, Failed};
use super::setup::{Setup, Who};
use crate::tracker::Tracker;

/// Joins a channel.
///
/// # Errors
/// [`Failed`].
pub async fn join(setup: Setup, args: &ChannelArgs) -> Result<Exit, Failed> {
    let tracker = visit(&setup).await?;
    let added = tracker.join(&args.channel).await?;
    let object = json!({ "type": "membership", "channel": args.channel, "peer": tracker.id(), "joined": true });
    let words = format!("joined #{} ({} members)", args.channel, added.members_count);
    setup.output().write(&object, Some(&words))?;
    Ok(Exit::Done)
}

/// Leaves a channel.
///
/// # Errors
/// [`Failed`].
pub async fn leave(setup: Setup, args: &ChannelArgs) -> Result<Exit, Failed> {
    let tracker = visit(&setup).await?;
    tracker.leave(&args.channel).await?;
    let object = json!({ "type": "membership", "channel": args.channel, "peer": tracker.id(), "joined": false });
    setup.output().write(&object, Some(&format!("left #{}", args.channel)))?;
    Ok(Exit::Done)
}

/// A guest has to be known before it can be a member.
async fn visit(setup: &Setup) -> Result<Tracker, Failed> {
    let who = setup.who()?;
    let tracker = setup.visit(&who).await?;
    if matches!(who, Who::Guest(_)) && !tracker.is_registered().await? {
        tracker.submit_info("0.0.0.0".to_owned(), 0).await?;
    }
    Ok(tracker)
}
