//! Events: as JSON, which scripts rely on (docs/peer.md lists it), and as lines for people.

use serde_json::{Value, json};
use wire::ChannelName;
use wire::tracker::StoredMessage;

use super::output::one_line;
use crate::event::{Delivery, Direct, Direction, Event, FileState, FileStatus, Route};
use crate::links::Way;

/// An event as JSON; `None` for what is told otherwise: channel messages come from the log.
pub fn to_json(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Online => json!({ "type": "online" }),
        Event::Offline { reason } => json!({ "type": "offline", "reason": reason }),
        Event::SignedOut => json!({ "type": "signed_out" }),
        Event::Direct(direct) => of_type("direct", self::direct(direct)),
        Event::Delivery { id, to, delivery } => {
            let mut object = json!({ "type": "delivery", "id": id, "to": to });
            add_delivery(&mut object, Some(delivery));
            object
        }
        Event::Message { channel, message } => self::message(channel, message),
        Event::Post { .. } => return None,
        Event::Presence(presence) => of_type("presence", to_value(presence)),
        Event::Membership { channel, peer, joined } => {
            json!({ "type": "membership", "channel": channel, "peer": peer, "joined": joined })
        }
        Event::Channel(channel) => json!({ "type": "channel", "channel": channel }),
        Event::Reset => json!({ "type": "reset" }),
        Event::Link { remote, way } => json!({
            "type": "link", "peer": remote.peer, "device": remote.device, "way": way.map(self::way),
        }),
        Event::NewDevice { peer, device } => {
            json!({ "type": "new_device", "peer": peer, "device": device })
        }
        Event::Refused { remote, reason } => json!({
            "type": "refused", "peer": remote.peer, "device": remote.device, "reason": reason,
        }),
        Event::File(status) => of_type("file", file(status)),
    })
}

/// A direct message, without `type`.
pub fn direct(direct: &Direct) -> Value {
    let Direct { id, from, to, message, timestamp, route, delivery } = direct;
    let mut object = json!({
        "id": id, "from": from, "to": to, "message": message, "timestamp": timestamp,
    });
    if let Some(route) = route {
        object["route"] = json!(self::route(*route));
    }
    add_delivery(&mut object, delivery.as_ref());
    object
}

/// A channel message.
pub fn message(channel: &ChannelName, message: &StoredMessage) -> Value {
    let mut object = json!({ "type": "message", "channel": channel });
    merge(&mut object, to_value(message));
    object
}

/// A file's transfer, without `type`.
pub fn file(status: &FileStatus) -> Value {
    let FileStatus { offer, from, direction, way, state, trouble } = status;
    let mut object = json!({
        "file": offer.file, "from": from, "to": offer.to, "name": offer.name, "size": offer.size,
        "direction": match direction {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        },
        "way": way.map(self::way),
    });
    let more = match state {
        FileState::Offered => json!({ "state": "offered" }),
        FileState::Running { done, speed } => {
            json!({ "state": "running", "done": done, "speed": speed })
        }
        FileState::Waiting { done } => json!({ "state": "waiting", "done": done }),
        FileState::Done { path } => {
            json!({ "state": "done", "done": offer.size, "path": path })
        }
        FileState::Declined(reason) => json!({ "state": "declined", "reason": reason }),
        FileState::Cancelled(reason) => json!({ "state": "cancelled", "reason": reason }),
    };
    merge(&mut object, more);
    if let Some(trouble) = trouble {
        object["trouble"] = json!(trouble);
    }
    object
}

/// The name of a link's way.
pub fn way(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Relayed => "relayed",
    }
}

fn route(route: Route) -> &'static str {
    match route {
        Route::Direct => "direct",
        Route::Relayed => "relayed",
        Route::Mailbox => "mailbox",
    }
}

fn add_delivery(object: &mut Value, delivery: Option<&Delivery>) {
    let Some(delivery) = delivery else { return };
    object["delivery"] = json!(match delivery {
        Delivery::Sending => "sending",
        Delivery::Queued => "queued",
        Delivery::Delivered(_) => "delivered",
        Delivery::Failed { .. } => "failed",
    });
    match delivery {
        Delivery::Delivered(route) => object["route"] = json!(self::route(*route)),
        Delivery::Failed { reason } => object["reason"] = json!(reason),
        Delivery::Sending | Delivery::Queued => {}
    }
}

fn of_type(kind: &str, fields: Value) -> Value {
    let mut object = json!({ "type": kind });
    merge(&mut object, fields);
    object
}

fn merge(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}

fn to_value(part: &impl serde::Serialize) -> Value {
    // Plain structs with string keys always serialise.
    serde_json::to_value(part).unwrap_or_default()
}

/// An event as a line for people; `None` for what nobody waits for.
pub fn to_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Online => "* online".to_owned(),
        Event::Offline { reason } => format!("* offline: {}", one_line(reason)),
        Event::SignedOut => "* the session is over: sign in again".to_owned(),
        Event::Direct(direct) => direct_line(direct),
        Event::Message { channel, message } => message_line(channel, message),
        Event::Presence(presence) => {
            let state = if presence.online { "is there" } else { "is away" };
            format!("* {} {state}", presence.peer_id)
        }
        Event::Membership { channel, peer, joined } => {
            format!("* {peer} {} #{channel}", if *joined { "joined" } else { "left" })
        }
        Event::Link { remote, way: Some(way) } => {
            format!("* linked with {} ({})", remote.peer, self::way(*way))
        }
        Event::Link { remote, way: None } => format!("* no longer linked with {}", remote.peer),
        Event::NewDevice { peer, device } => {
            format!(
                "* {peer} uses a new device ({device}): compare the safety number, see `peer devices {peer}`"
            )
        }
        Event::Refused { remote, reason } => {
            format!(
                "* a device that says it is {}'s was refused: {}",
                remote.peer,
                one_line(reason)
            )
        }
        Event::File(status) => file_line(status)?,
        Event::Delivery { .. } | Event::Post { .. } | Event::Channel(_) | Event::Reset => {
            return None;
        }
    })
}

/// A direct message as a line.
pub fn direct_line(direct: &Direct) -> String {
    let route = direct.route.map_or("", route);
    format!("{} -> {} ({route}): {}", direct.from, direct.to, one_line(&direct.message))
}

/// A channel message as a line.
pub fn message_line(channel: &ChannelName, message: &StoredMessage) -> String {
    format!("#{channel} {}: {}", message.from, one_line(&message.message))
}

/// A file's state as a line; `None` while it only moves on.
fn file_line(status: &FileStatus) -> Option<String> {
    let name = one_line(&status.offer.name);
    let (from, to, file) = (&status.from, &status.offer.to, status.id());
    let state = match &status.state {
        FileState::Running { .. } => return None,
        FileState::Offered => format!("offered by {from} to {to} ({} bytes)", status.offer.size),
        FileState::Waiting { done } => format!("waits for a link, {done} bytes are there"),
        FileState::Done { path: Some(path) } => {
            format!("is here: {}", one_line(&path.display().to_string()))
        }
        FileState::Done { path: None } => format!("has arrived at {to}"),
        FileState::Declined(reason) => format!("was declined: {}", word(reason)),
        FileState::Cancelled(reason) => format!("was stopped: {}", word(reason)),
    };
    let trouble = status.trouble.as_deref().map(one_line);
    let trouble = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
    Some(format!("* file {name} ({file}) {state}{trouble}"))
}

/// A reason's name, as it is on the wire.
pub fn word(reason: &impl serde::Serialize) -> String {
    to_value(reason).as_str().unwrap_or("unknown").replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{MessageId, PeerId};

    fn sample() -> Direct {
        Direct {
            id: MessageId::parse("1").unwrap(),
            from: PeerId::parse("bob").unwrap(),
            to: PeerId::parse("alice").unwrap(),
            message: "hi\nthere".to_owned(),
            timestamp: "2026-01-01T00:00:00.000Z".to_owned(),
            route: Some(Route::Mailbox),
            delivery: None,
        }
    }

    #[test]
    fn a_direct_message_reads_as_documented() {
        let event = Event::Direct(sample());
        let text = r#"{"from":"bob","id":"1","message":"hi\nthere","route":"mailbox","timestamp":"2026-01-01T00:00:00.000Z","to":"alice","type":"direct"}"#;
        assert_eq!(to_json(&event).unwrap().to_string(), text);
        assert_eq!(to_line(&event).unwrap(), "bob -> alice (mailbox): hi ⏎ there");
    }

    #[test]
    fn a_delivery_tells_its_route_or_its_reason() {
        let delivery = |delivery| {
            let (id, to) = (sample().id, sample().to);
            to_json(&Event::Delivery { id, to, delivery }).unwrap()
        };
        let delivered = delivery(Delivery::Delivered(Route::Relayed));
        assert_eq!(
            (&delivered["delivery"], &delivered["route"]),
            (&json!("delivered"), &json!("relayed"))
        );
        let failed = delivery(Delivery::Failed { reason: "no".to_owned() });
        assert_eq!((&failed["delivery"], &failed["reason"]), (&json!("failed"), &json!("no")));
        assert_eq!(delivery(Delivery::Queued)["delivery"], "queued");
    }
}
