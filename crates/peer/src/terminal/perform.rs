//! Does what the model asks for, beside the interface, which never waits.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::effect::{Effect, Outcome, PAGE};
use crate::peer::Peer;

/// Names of a folder that Tab looks at.
const NAMES: usize = 10_000;

/// Starts an effect on the peer or the disk; its outcome comes through the channel. Effects on the terminal are not
/// for here, and are given back.
pub(crate) fn perform(
    effect: Effect,
    peer: &Peer,
    outcomes: &mpsc::Sender<Outcome>,
) -> Option<Effect> {
    if is_for_terminal(&effect) {
        return Some(effect);
    }
    let (peer, outcomes) = (peer.clone(), outcomes.clone());
    tokio::spawn(async move {
        if let Some(outcome) = outcome(effect, &peer).await {
            // Without a receiver the interface has ended.
            let _ = outcomes.send(outcome).await;
        }
    });
    None
}

fn is_for_terminal(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Mouse(_)
            | Effect::Bell
            | Effect::Redraw
            | Effect::Suspend
            | Effect::Goodbye
            | Effect::Quit
    )
}

async fn outcome(effect: Effect, peer: &Peer) -> Option<Outcome> {
    Some(match effect {
        Effect::Send { to, text, serial } => {
            let result = peer.send(&to, &text).await;
            Outcome::Sent { to, serial, result }
        }
        Effect::Broadcast { channel, text, serial } => {
            let result = peer.broadcast(&channel, &text).await;
            Outcome::Broadcasted { channel, serial, result }
        }
        Effect::Talk { with, before } => {
            let result = peer.talk(&with, before.as_deref(), PAGE).await;
            Outcome::Talk { with, older: before.is_some(), result }
        }
        Effect::History { channel, before } => {
            let result = peer.history(&channel, before, PAGE).await;
            Outcome::History { channel, before, result }
        }
        Effect::Channels { all } => Outcome::Channels { all, result: peer.channels(all).await },
        Effect::Talks => Outcome::Talks(peer.talks().await),
        Effect::People => Outcome::People(peer.peers().await),
        Effect::Files => Outcome::Files(peer.files()),
        Effect::Members(channel) => {
            let result = peer.members(&channel).await;
            Outcome::Members(channel, result)
        }
        Effect::Join(channel) => {
            let result = peer.join(&channel).await;
            Outcome::Joined(channel, result)
        }
        Effect::Leave(channel) => {
            let result = peer.leave(&channel).await;
            Outcome::Left(channel, result)
        }
        Effect::MarkRead(channel, seq) => {
            let result = peer.mark_read(&channel, seq).await;
            Outcome::Read { channel, seq, result }
        }
        Effect::Connect(to) => {
            peer.connect(&to);
            return None;
        }
        Effect::SendFile { to, path } => {
            Outcome::File(peer.send_file(&to, &path).await.map(|_| ()))
        }
        Effect::Accept(from, file) => Outcome::File(peer.accept_file(&from, file).await),
        Effect::Decline(from, file) => Outcome::File(peer.decline_file(&from, file).await),
        Effect::Cancel(with, file) => Outcome::File(peer.cancel_file(&with, file).await),
        Effect::Devices { of, compare } => {
            let result = peer.devices(&of).await;
            Outcome::Devices { of, compare, result }
        }
        Effect::MarkCompared(who, device) => {
            let result = peer.mark_compared(&who, device).await;
            Outcome::Compared { peer: who, result }
        }
        Effect::Paths { typed, path } => {
            let part = typed.rsplit('/').next().unwrap_or_default().to_owned();
            let folder = folder(&typed, path);
            let names = tokio::task::spawn_blocking(move || names(&folder, &part)).await;
            Outcome::Paths { typed, names: names.unwrap_or_default() }
        }
        Effect::Mouse(_)
        | Effect::Bell
        | Effect::Redraw
        | Effect::Suspend
        | Effect::Goodbye
        | Effect::Quit => return None,
    })
}

/// The folder whose names could complete a path.
fn folder(typed: &str, path: PathBuf) -> PathBuf {
    if typed.ends_with('/') {
        return path;
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The names in a folder; hidden ones only when they are asked for. What can't be read has none.
fn names(folder: &Path, part: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.take(NAMES).filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let is_folder = entry.path().is_dir();
        let hidden = name.starts_with('.') && !part.starts_with('.');
        (!hidden && name.to_lowercase().starts_with(&part.to_lowercase()))
            .then(|| if is_folder { name + "/" } else { name })
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tab_finds_names_and_folders_and_leaves_hidden_ones_alone() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("photos")).unwrap();
        std::fs::write(top.path().join("phone.txt"), "").unwrap();
        std::fs::write(top.path().join(".phone"), "").unwrap();
        let mut found = names(top.path(), "ph");
        found.sort();
        assert_eq!(found, ["phone.txt", "photos/"]);
        assert_eq!(names(top.path(), ".ph"), [".phone"]);
        assert_eq!(names(&top.path().join("nothing"), ""), Vec::<String>::new());
    }

    #[test]
    fn a_path_without_a_folder_is_here() {
        assert_eq!(folder("no", PathBuf::from("no")), Path::new("."));
        assert_eq!(folder("/tmp/no", PathBuf::from("/tmp/no")), Path::new("/tmp"));
        assert_eq!(folder("/tmp/", PathBuf::from("/tmp/")), Path::new("/tmp/"));
    }
}
