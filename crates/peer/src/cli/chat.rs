//! `peer chat`.

use super::exit::{Exit, Failed};
use super::serve::Door;
use super::setup::Setup;
use crate::store::{Folder, Places};
use crate::terminal;

/// Runs the interactive client until the person leaves it.
///
/// # Errors
/// [`Failed`].
pub async fn run(setup: Setup) -> Result<Exit, Failed> {
    let who = setup.who()?;
    let path = setup.folder(&who)?;
    let folder = Folder::take(&path).map_err(|error| Failed::usage(error.to_string()))?;
    let (peer, events) = setup.start(folder, &who, false).await?;
    let door = Door::open(&path, &peer)
        .inspect_err(|error| tracing::info!(%error, "`peer send` can't go through this peer"));
    let outcome = terminal::run(peer.clone(), events).await;
    // What was there to be seen here is not repeated by the next `peer listen`.
    if let (Ok(newest), Ok(mut places)) = (peer.newest().await, Places::open(&path)) {
        let _ = places.set_direct(newest);
    }
    drop(door);
    peer.close().await;
    outcome?;
    Ok(Exit::Done)
}
