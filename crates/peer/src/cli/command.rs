//! What a running peer can be told, one JSON object a line: `{"do": "send", "ref": 1, "to": "bob", "message": "hi"}`.
//! The answer has `"type": "reply"`, the same `ref`, `"ok"`, and the fields that docs/peer.md lists.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::p2p::FileId;
use wire::{ChannelName, DeviceId, MessageId, PeerId};

use super::event;
use crate::Peer;
use crate::peer::{PartnerDevice, PeerError};

/// Messages of a talk or a channel when no number is named.
const PAGE: u32 = 50;
/// The pause between two pings.
const PING_EVERY: Duration = Duration::from_millis(200);

/// A line.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default, rename = "ref")]
    reference: Value,
    #[serde(flatten)]
    command: Command,
}

/// What can be said.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    Send {
        to: PeerId,
        message: String,
        #[serde(default)]
        direct_only: bool,
    },
    Withdraw {
        id: MessageId,
        reason: String,
    },
    Deliveries {
        ids: Vec<MessageId>,
    },
    Talk {
        with: PeerId,
        #[serde(default = "page")]
        limit: u32,
    },
    Talks,
    Connect {
        to: PeerId,
    },
    Links,
    Ping {
        to: PeerId,
        #[serde(default = "once")]
        count: u32,
    },
    Status,
    Peers,
    Devices {
        #[serde(default)]
        of: Option<PeerId>,
    },
    Compared {
        of: PeerId,
        device: DeviceId,
    },
    Channels {
        #[serde(default)]
        all: bool,
    },
    Members {
        channel: ChannelName,
    },
    Join {
        channel: ChannelName,
    },
    Leave {
        channel: ChannelName,
    },
    Broadcast {
        channel: ChannelName,
        message: String,
    },
    History {
        channel: ChannelName,
        #[serde(default)]
        before_seq: Option<u64>,
        #[serde(default = "page")]
        limit: u32,
    },
    Read {
        channel: ChannelName,
        seq: u64,
    },
    SendFile {
        to: PeerId,
        path: PathBuf,
    },
    Accept {
        from: PeerId,
        file: FileId,
    },
    Decline {
        from: PeerId,
        file: FileId,
    },
    Cancel {
        with: PeerId,
        file: FileId,
    },
    Files,
}

fn page() -> u32 {
    PAGE
}

fn once() -> u32 {
    1
}

/// Begins what a line says; what it gives is the line that answers it. Messages keep the order in which their lines were
/// begun.
pub async fn begin(peer: &Peer, line: &str) -> BoxFuture<'static, Value> {
    let Asked { reference, command } = match serde_json::from_str(line) {
        Ok(asked) => asked,
        Err(error) => {
            let reference = serde_json::from_str::<Value>(line)
                .map(|mut line| line["ref"].take())
                .unwrap_or_default();
            return ready(refusal(&reference, "invalid_command", &error.to_string())).boxed();
        }
    };
    if let Command::Send { to, message, direct_only } = command {
        let begun = peer.begin(&to, &message, direct_only).await;
        return async move {
            let stored = match begun {
                Ok(begun) => begun.stored().await,
                Err(error) => Err(error),
            };
            reply(reference, stored.map(|id| json!({ "id": id })))
        }
        .boxed();
    }
    let peer = peer.clone();
    async move { reply(reference, perform(&peer, command).await) }.boxed()
}

fn reply(reference: Value, outcome: Result<Value, PeerError>) -> Value {
    match outcome {
        Ok(mut fields) => {
            fields["type"] = json!("reply");
            fields["ref"] = reference;
            fields["ok"] = json!(true);
            fields
        }
        Err(error) => {
            let code = match &error {
                PeerError::Refused { code, .. } => code.as_str(),
                PeerError::Unreachable(_) => "unreachable",
                PeerError::Local(_) => "failed",
            };
            refusal(&reference, code, &error.to_string())
        }
    }
}

/// The answer to what can't be done.
pub fn refusal(reference: &Value, code: &str, error: &str) -> Value {
    json!({ "type": "reply", "ref": reference, "ok": false, "code": code, "error": error })
}

async fn perform(peer: &Peer, command: Command) -> Result<Value, PeerError> {
    let done = |()| json!({});
    Ok(match command {
        Command::Send { to, message, direct_only } => {
            let begun = peer.begin(&to, &message, direct_only).await?;
            json!({ "id": begun.stored().await? })
        }
        Command::Withdraw { id, reason } => {
            json!({ "withdrawn": peer.withdraw(&id, &reason).await? })
        }
        Command::Deliveries { ids } => {
            let found = peer.deliveries(&ids).await?;
            json!({ "deliveries": found.iter().map(event::direct).collect::<Vec<_>>() })
        }
        Command::Talk { with, limit } => {
            let talk = peer.talk(&with, None, limit).await?;
            json!({ "messages": talk.iter().map(event::direct).collect::<Vec<_>>() })
        }
        Command::Talks => json!({ "talks": peer.talks().await? }),
        Command::Connect { to } => {
            peer.connect(&to);
            json!({})
        }
        Command::Links => json!({ "links": links(peer) }),
        Command::Ping { to, count } => json!({ "pongs": ping(peer, &to, count).await? }),
        Command::Status => json!({
            "peer": peer.id(), "device": peer.device(), "online": peer.online(),
        }),
        Command::Peers => json!({ "peers": peer.peers().await? }),
        Command::Devices { of } => {
            let of = of.unwrap_or_else(|| peer.id().clone());
            let found = peer.devices(&of).await?;
            json!({ "devices": found.iter().map(device).collect::<Vec<_>>() })
        }
        Command::Compared { of, device } => done(peer.mark_compared(&of, device).await?),
        Command::Channels { all } => json!({ "channels": peer.channels(all).await? }),
        Command::Members { channel } => json!({ "members": peer.members(&channel).await? }),
        Command::Join { channel } => done(peer.join(&channel).await?),
        Command::Leave { channel } => done(peer.leave(&channel).await?),
        Command::Broadcast { channel, message } => {
            json!({ "id": peer.broadcast(&channel, &message).await? })
        }
        Command::History { channel, before_seq, limit } => {
            let page = peer.history(&channel, before_seq, limit).await?;
            json!({ "messages": page.messages, "head_seq": page.head_seq })
        }
        Command::Read { channel, seq } => done(peer.mark_read(&channel, seq).await?),
        Command::SendFile { to, path } => json!({ "file": peer.send_file(&to, &path).await? }),
        Command::Accept { from, file } => done(peer.accept_file(&from, file).await?),
        Command::Decline { from, file } => done(peer.decline_file(&from, file).await?),
        Command::Cancel { with, file } => done(peer.cancel_file(&with, file).await?),
        Command::Files => {
            json!({ "files": peer.files().iter().map(event::file).collect::<Vec<_>>() })
        }
    })
}

/// A device as it is printed.
pub fn device(device: &PartnerDevice) -> Value {
    let PartnerDevice { device, way, safety_number, compared } = device;
    json!({
        "device": device.device, "label": device.label, "live": device.live,
        "registered_at": device.registered_at, "last_seen": device.last_seen,
        "way": way.map(event::way), "safety_number": safety_number, "compared": compared,
    })
}

fn links(peer: &Peer) -> Vec<Value> {
    let up = peer.links().up().into_iter();
    up.map(|(remote, way)| {
        json!({ "peer": remote.peer, "device": remote.device, "way": event::way(way) })
    })
    .collect()
}

/// Round trips over all links with a peer.
async fn ping(peer: &Peer, to: &PeerId, count: u32) -> Result<Vec<Value>, PeerError> {
    let of = |up: &PeerId| crate::delivery::partners::same(up, to);
    let links: Vec<_> =
        peer.links().up().into_iter().filter(|(remote, _)| of(&remote.peer)).collect();
    if links.is_empty() {
        return Err(PeerError::Local(format!("there is no direct link with {to} now")));
    }
    let mut pongs = Vec::new();
    for number in 0..count {
        if number > 0 {
            tokio::time::sleep(PING_EVERY).await;
        }
        for (remote, way) in &links {
            let took = peer.links().ping(remote).await;
            let took = took.map_err(|error| PeerError::Local(error.to_string()))?;
            pongs.push(json!({
                "device": remote.device, "way": event::way(*way),
                "millis": took.as_secs_f64() * 1000.0,
            }));
        }
    }
    Ok(pongs)
}
