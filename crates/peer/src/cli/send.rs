//! `peer send`.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use wire::PeerId;
use wire::limits::MESSAGE_BYTES;

use super::args::{SendArgs, channel_name};
use super::client::{Client, signed_out};
use super::exit::{Exit, Failed};
use super::output::{Output, one_line};
use super::setup::{Interrupts, Setup};

/// How long to wait when no time is named: until it is in the mailbox at least, and for a link with `--direct-only`.
const PATIENCE: Duration = Duration::from_secs(30);
const DIRECT_PATIENCE: Duration = Duration::from_secs(15);
/// How long to wait for a server that doesn't answer.
const SERVER_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are read from standard input at most, so that a mistake doesn't fill the memory.
const INPUT_BYTES: u64 = 16 << 20;

/// To whom a message goes.
enum To {
    Peer(PeerId),
    Channel(wire::ChannelName),
}

/// Sends a message, and says which way it went.
///
/// # Errors
/// [`Failed`].
pub async fn run(setup: Setup, send: SendArgs) -> Result<Exit, Failed> {
    let to = target(&send)?;
    let texts = texts(&send)?;
    let mut interrupts = Interrupts::new()?;
    let mut client = Client::open(&setup).await?;
    let outcome = tokio::select! {
        outcome = sent(&mut client, &setup, &send, &to, &texts) => outcome,
        () = interrupts.next() => Ok(Exit::Interrupted),
    };
    interrupts.last();
    client.close().await;
    outcome
}

fn target(send: &SendArgs) -> Result<To, Failed> {
    if send.to.starts_with('#') {
        if send.direct_only {
            return Err(Failed::usage("--direct-only is for messages to a peer"));
        }
        let channel = channel_name(&send.to);
        return channel
            .map(To::Channel)
            .map_err(|error| Failed::usage(format!("the channel's name {error}")));
    }
    PeerId::parse(&send.to)
        .map(To::Peer)
        .map_err(|error| Failed::usage(format!("the receiver's name {error}")))
}

/// The messages: the argument, or standard input, whole or line by line.
fn texts(send: &SendArgs) -> Result<Vec<String>, Failed> {
    if send.message != "-" {
        if send.lines {
            return Err(Failed::usage("--lines needs the message `-`"));
        }
        return Ok(vec![send.message.clone()]);
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(INPUT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failed::because(format!("standard input: {error}")))?;
    if bytes.len() as u64 > INPUT_BYTES {
        return Err(Failed::because("standard input has more than 16 MiB: send it as a file"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failed::because("standard input is no UTF-8: send it as a file"))?;
    let texts: Vec<String> = match send.lines {
        true => text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        false => vec![text.trim_end_matches('\n').to_owned()],
    };
    if texts.iter().all(String::is_empty) {
        return Err(Failed::because("standard input has no text"));
    }
    if let Some(long) = texts.iter().find(|text| text.len() > MESSAGE_BYTES) {
        let bytes = long.len();
        return Err(Failed::because(format!(
            "a message has {bytes} bytes, at most {MESSAGE_BYTES} fit: send it as a file"
        )));
    }
    Ok(texts)
}

async fn sent(
    client: &mut Client,
    setup: &Setup,
    send: &SendArgs,
    to: &To,
    texts: &[String],
) -> Result<Exit, Failed> {
    let output = setup.output();
    let peer = match to {
        To::Channel(channel) => return broadcast(client, output, channel, texts).await,
        To::Peer(peer) => peer,
    };
    let mut watch = Watch::default();
    for message in texts {
        let fields = json!({ "to": peer, "message": message, "direct_only": send.direct_only });
        let id = client.ask("send", fields).await?["id"].as_str().unwrap_or_default().to_owned();
        watch.states.insert(id, Value::Null);
    }
    watch.online = client.ask("status", json!({})).await?["online"] == true;
    let until = Until::of(send);
    watch.wait(client, &until).await?;
    if send.direct_only {
        for (id, _) in watch.states.iter().filter(|(_, state)| !is_final(state)) {
            let reason = "there was no direct link in time";
            client.ask("withdraw", json!({ "id": id, "reason": reason })).await?;
        }
    }
    let ids: Vec<&String> = watch.states.keys().collect();
    let known = client.ask("deliveries", json!({ "ids": ids })).await?;
    let mut exit = Exit::Done;
    for state in known["deliveries"].as_array().into_iter().flatten() {
        let (words, code) = told(state, peer, watch.online);
        output.write(&delivery(state), Some(&words))?;
        exit = worse(exit, code);
    }
    if watch.signed_out {
        return Err(signed_out());
    }
    Ok(exit)
}

async fn broadcast(
    client: &mut Client,
    output: Output,
    channel: &wire::ChannelName,
    texts: &[String],
) -> Result<Exit, Failed> {
    if !client.until_online(SERVER_PATIENCE).await? {
        return Err(Failed::new(Exit::Unreachable, "the server can't be reached"));
    }
    for message in texts {
        let fields = json!({ "channel": channel, "message": message });
        let reply = client.ask("broadcast", fields).await?;
        let object = json!({ "type": "sent", "id": reply["id"], "channel": channel });
        output.write(&object, Some(&format!("sent to #{channel}")))?;
    }
    Ok(Exit::Done)
}

/// How long to wait, and for what.
struct Until {
    delivered: bool,
    named: bool,
    deadline: Instant,
    started: Instant,
}

impl Until {
    fn of(send: &SendArgs) -> Self {
        let patience = match (send.wait, send.direct_only) {
            (Some(seconds), _) => Duration::from_secs(seconds),
            (None, true) => DIRECT_PATIENCE,
            (None, false) => PATIENCE,
        };
        let started = Instant::now();
        let delivered = send.wait.is_some() || send.direct_only;
        Self { delivered, named: send.wait.is_some(), deadline: started + patience, started }
    }
}

/// The messages and how far they have come.
#[derive(Default)]
struct Watch {
    states: BTreeMap<String, Value>,
    online: bool,
    signed_out: bool,
}

impl Watch {
    async fn wait(&mut self, client: &mut Client, until: &Until) -> Result<(), Failed> {
        let ids: Vec<String> = self.states.keys().cloned().collect();
        self.look(client, &ids).await?;
        let mut deadline = until.deadline;
        while !self.states.values().all(|state| is_enough(state, until.delivered)) {
            let Ok(event) = tokio::time::timeout_at(deadline, client.event()).await else {
                return Ok(());
            };
            let event = event?;
            match event["type"].as_str().unwrap_or_default() {
                "delivery" => {
                    let id = event["id"].as_str().unwrap_or_default();
                    if let Some(state) = self.states.get_mut(id) {
                        *state = event;
                    }
                }
                "online" => (self.online, deadline) = (true, until.deadline),
                "offline" => {
                    self.online = false;
                    // A server that isn't there is not waited for as long as a person who isn't, unless one says so.
                    if !until.named {
                        deadline = deadline.min(until.started + SERVER_PATIENCE);
                    }
                }
                "signed_out" => {
                    self.signed_out = true;
                    return Ok(());
                }
                "reset" => self.look(client, &ids).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the states, where events may have been missed.
    async fn look(&mut self, client: &mut Client, ids: &[String]) -> Result<(), Failed> {
        let known = client.ask("deliveries", json!({ "ids": ids })).await?;
        for state in known["deliveries"].as_array().into_iter().flatten() {
            if let Some(id) = state["id"].as_str() {
                self.states.insert(id.to_owned(), state.clone());
            }
        }
        Ok(())
    }
}

fn is_final(state: &Value) -> bool {
    matches!(state["delivery"].as_str(), Some("delivered" | "failed"))
}

fn is_enough(state: &Value, delivered: bool) -> bool {
    is_final(state) || (!delivered && state["delivery"] == "queued")
}

/// The event's form, as `listen` prints it.
fn delivery(state: &Value) -> Value {
    let mut object = json!({ "type": "delivery" });
    for field in ["id", "to", "delivery", "route", "reason"] {
        if !state[field].is_null() {
            object[field] = state[field].clone();
        }
    }
    object
}

/// What became of a message, in words, and its exit code.
fn told(state: &Value, to: &PeerId, online: bool) -> (String, Exit) {
    match (state["delivery"].as_str(), state["route"].as_str()) {
        (Some("delivered"), Some("direct")) => (format!("delivered directly to {to}"), Exit::Done),
        (Some("delivered"), Some("relayed")) => {
            (format!("delivered to {to}, relayed by a TURN server"), Exit::Done)
        }
        (Some("delivered"), _) => (format!("delivered to {to} by the mailbox"), Exit::Done),
        (Some("queued"), _) => {
            (format!("queued: it waits in the mailbox until {to} is there"), Exit::Queued)
        }
        (Some("failed"), _) => {
            let reason = one_line(state["reason"].as_str().unwrap_or("no reason was given"));
            (format!("failed: {reason}"), Exit::Failed)
        }
        _ if online => {
            ("kept here: it goes on when this peer runs again".to_owned(), Exit::Undecided)
        }
        _ => (
            "kept here: the server can't be reached; it goes on when this peer runs again"
                .to_owned(),
            Exit::Unreachable,
        ),
    }
}

/// Of several messages the one that came least far decides.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit| match exit {
        Exit::Done => 0,
        Exit::Queued => 1,
        Exit::Undecided => 2,
        Exit::Unreachable => 3,
        _ => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_and_the_code_say_which_way_it_went() {
        let bob = PeerId::parse("bob").unwrap();
        let code = |state: Value, online| told(&state, &bob, online).1;
        assert_eq!(code(json!({ "delivery": "delivered", "route": "mailbox" }), true), Exit::Done);
        assert_eq!(code(json!({ "delivery": "queued" }), true), Exit::Queued);
        assert_eq!(code(json!({ "delivery": "failed", "reason": "x" }), true), Exit::Failed);
        assert_eq!(code(json!({ "delivery": "sending" }), true), Exit::Undecided);
        assert_eq!(code(json!({ "delivery": "sending" }), false), Exit::Unreachable);
    }

    #[test]
    fn of_several_the_one_that_came_least_far_decides() {
        assert_eq!(worse(Exit::Done, Exit::Queued), Exit::Queued);
        assert_eq!(worse(Exit::Failed, Exit::Queued), Exit::Failed);
        assert_eq!(worse(Exit::Queued, Exit::Unreachable), Exit::Unreachable);
    }
}
