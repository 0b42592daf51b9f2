//! `peer login` and `peer logout`.

use serde_json::json;

use super::args::LoginArgs;
use super::exit::{Exit, Failed};
use super::setup::{Setup, Who};
use crate::store::{Folder, Store, devices, folder};
use crate::tracker::Tracker;
use crate::tracker::session::Session;

/// Signs in and keeps the session.
///
/// # Errors
/// [`Failed`].
pub async fn log_in(setup: Setup, args: &LoginArgs) -> Result<Exit, Failed> {
    let who = match (&setup.who.user, &setup.who.guest) {
        (None, None) => setup.who().map_err(|_| Failed::usage("say who you are: --user NAME"))?,
        _ => setup.who()?,
    };
    if args.moved {
        moved(&setup, &who).await?;
    }
    let Who::Account(user) = &who else {
        if args.moved {
            return Ok(Exit::Done);
        }
        return Err(Failed::usage("a guest has no account to sign in with"));
    };
    let path = setup.folder(&who)?;
    folder::make(&path).map_err(|error| Failed::usage(format!("{}: {error}", path.display())))?;
    // The session so far is not used: whoever signs in wants to know that the password is right.
    let tracker = setup.enter(user, path).await?;
    let object = json!({ "type": "signed_in", "peer": tracker.id(), "server": setup.who.server.to_string() });
    let words = format!("signed in as {} at {}", tracker.id(), setup.who.server);
    setup.output().write(&object, Some(&words))?;
    Ok(Exit::Done)
}

/// The folder's server is found at another address now.
async fn moved(setup: &Setup, who: &Who) -> Result<(), Failed> {
    let path = setup.folder(who)?;
    let folder = Folder::take(&path).map_err(|error| Failed::usage(error.to_string()))?;
    let store = Store::open(&folder).map_err(|error| Failed::usage(error.to_string()))?;
    let server = setup.who.server.to_string();
    let moved = store.run(move |db| devices::moved(db, &server)).await;
    moved.map_err(|error| Failed::because(error.to_string()))
}

/// Ends the session.
///
/// # Errors
/// [`Failed`].
pub async fn log_out(setup: Setup) -> Result<Exit, Failed> {
    let who = setup.who()?;
    let path = setup.folder(&who)?;
    let Who::Account(user) = &who else {
        return Err(Failed::usage("a guest has no session"));
    };
    let kept = Session::load(&path);
    let ended = match kept {
        Some(session) => {
            Tracker::of_session(setup.who.server.clone(), session, path).log_out().await
        }
        None => {
            eprintln!("{user} is not signed in");
            return Ok(Exit::Done);
        }
    };
    if let Err(error) = ended {
        // Here it is forgotten; there it ends by itself when it isn't used.
        eprintln!("the server could not be told: {error}");
    }
    let words = format!("{user} is signed out");
    setup.output().write(&json!({ "type": "signed_out" }), Some(&words))?;
    Ok(Exit::Done)
}
