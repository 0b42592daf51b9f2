//! A command on a WebSocket: the same calls as over HTTP, answered with their envelope.

use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Problem;
use wire::Success;
use wire::chat::{AckMailbox, MarkRead};
use wire::event::Command;
use wire::identity::SCOPE_WRITE;

use crate::caller::Caller;
use crate::calls;
use crate::peers::PeerKey;
use crate::tracker::Tracker;

/// By what the client knows the answer: anything, it comes back as it is.
#[derive(Default, Deserialize)]
struct Reference {
    #[serde(default, rename = "ref")]
    reference: Option<Value>,
}

/// The answer: HTTP's status, and the fields of HTTP's body beside it.
#[derive(Serialize)]
struct Reply<T> {
    r#type: &'static str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_http: Option<u16>,
    #[serde(flatten)]
    body: T,
}

/// Does what a client asks, as the peer whose stream it is where the command names none. A signal is
/// passed on before this returns, so that signals keep their order however the answers are waited for.
pub(super) fn answer(
    tracker: Tracker,
    caller: Caller,
    peer: PeerKey,
    text: &Utf8Bytes,
) -> impl Future<Output = Utf8Bytes> + use<> {
    let reference = serde_json::from_str(text).unwrap_or(Reference { reference: None }).reference;
    let allowed = parse(text).and_then(|command| match command {
        Command::Ping => Ok(command),
        _ => caller.may(SCOPE_WRITE).map(|()| command),
    });
    let command = match allowed {
        Ok(Command::Signal(mut signal)) => {
            signal.from.get_or_insert_with(|| peer.id().clone());
            Err(reply(reference, calls::signal(&tracker, &caller, signal)))
        }
        Ok(command) => Ok((reference, command)),
        Err(problem) => Err(failed(reference, &problem)),
    };
    async move {
        match command {
            Ok((reference, command)) => run(&tracker, &caller, &peer, reference, command).await,
            Err(answered) => answered,
        }
    }
}

async fn run(
    tracker: &Tracker,
    caller: &Caller,
    peer: &PeerKey,
    reference: Option<Value>,
    command: Command,
) -> Utf8Bytes {
    let peer_id = || Some(peer.id().clone());
    match command {
        Command::Broadcast(message) => {
            reply(reference, calls::broadcast(tracker, caller, message).await)
        }
        Command::Send(message) => reply(reference, calls::send(tracker, caller, message).await),
        Command::Ack { messages } => {
            let ack = AckMailbox { peer_id: peer_id(), messages };
            reply(reference, calls::ack(tracker, caller, ack).await)
        }
        Command::Read { channel, seq } => {
            let read = MarkRead { peer_id: peer_id(), channel, seq };
            reply(reference, calls::mark_read(tracker, caller, read).await)
        }
        Command::Signal(signal) => reply(reference, calls::signal(tracker, caller, signal)),
        Command::Ping => json(&Reply {
            r#type: "pong",
            reference,
            code_http: None,
            body: serde_json::Map::new(),
        }),
    }
}

fn parse(text: &str) -> Result<Command, Problem> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(
        |error| {
            let path = error.path().to_string();
            let message = match path.as_str() {
                "." | "" => format!("command: {}", error.inner()),
                path => format!("field `{path}`: {}", error.inner()),
            };
            Problem::bad_request("invalid_body", message)
        },
    )
}

fn reply<T: Serialize>(reference: Option<Value>, outcome: Result<T, Problem>) -> Utf8Bytes {
    match outcome {
        Ok(answer) => json(&Reply {
            r#type: "reply",
            reference,
            code_http: Some(200),
            body: Success::of(answer),
        }),
        Err(problem) => failed(reference, &problem),
    }
}

fn failed(reference: Option<Value>, problem: &Problem) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Failed<'a> {
        status: &'static str,
        message: &'a str,
        code: &'a str,
    }
    let body = Failed { status: "error", message: problem.message(), code: problem.code() };
    let code_http = Some(problem.status().as_u16());
    json(&Reply { r#type: "reply", reference, code_http, body })
}

fn json<T: Serialize>(reply: &Reply<T>) -> Utf8Bytes {
    // Plain structs with string keys always serialise.
    serde_json::to_string(reply).unwrap_or_default().into()
}
