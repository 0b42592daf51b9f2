//! `peer list` and `peer devices`: a look at the tracker, without becoming a device that others can reach.

use jiff::Timestamp;
use serde_json::{Value, json};
use wire::chat::Presence;

use super::args::DevicesArgs;
use super::command;
use super::exit::{Exit, Failed};
use super::output::one_line;
use super::setup::Setup;
use crate::identity::DeviceKey;
use crate::peer::{KEY, PartnerDevice, partner_devices};
use crate::store::{Store, devices};

/// Prints the peers.
///
/// # Errors
/// [`Failed`].
pub async fn list(setup: Setup) -> Result<Exit, Failed> {
    let tracker = setup.visit(&setup.who()?).await?;
    let peers = tracker.peers().await?.peers;
    let widest = peers.iter().map(|peer| peer.peer_id.as_str().len()).max().unwrap_or(0);
    for peer in &peers {
        let object = serde_json::to_value(peer).unwrap_or_default();
        setup.output().write(&object, Some(&peer_line(peer, widest)))?;
    }
    Ok(Exit::Done)
}

fn peer_line(peer: &Presence, width: usize) -> String {
    let state = match (peer.online, peer.active, peer.devices.len()) {
        (true, _, 0) => "online".to_owned(),
        (true, _, 1) => "online, 1 device to link with".to_owned(),
        (true, _, devices) => format!("online, {devices} devices to link with"),
        (false, true, _) => "heard from lately".to_owned(),
        (false, false, _) => match &peer.last_seen {
            Some(last_seen) => format!("away since {last_seen}"),
            None => "away".to_owned(),
        },
    };
    format!("{:width$}  {state}", peer.peer_id.as_str())
}

/// Prints a peer's devices with their safety numbers; or notes that one was compared.
///
/// # Errors
/// [`Failed`].
pub async fn devices(setup: Setup, args: &DevicesArgs) -> Result<Exit, Failed> {
    let who = setup.who()?;
    let tracker = setup.visit(&who).await?;
    let folder = setup.folder(&who)?;
    let wrong = |error: String| Failed::usage(error);
    let key =
        DeviceKey::load_or_create(&folder.join(KEY)).map_err(|error| wrong(error.to_string()))?;
    // Beside a peer that runs: the database takes both.
    let store = Store::open_beside(&folder).map_err(|error| wrong(error.to_string()))?;
    let of = args.peer.clone().unwrap_or_else(|| tracker.id().clone());
    if let Some(device) = args.compared {
        let (peer, now) = (of.folded(), Timestamp::now().as_millisecond());
        let mark = move |db: &_| devices::mark_compared(db, &peer, device, now);
        store.run(mark).await.map_err(|error| Failed::because(error.to_string()))?;
    }
    let found = partner_devices(&tracker, &store, &key, &of, &[]).await?;
    for device in &found {
        let own = device.device.device == key.device();
        let mut object = command::device(device);
        object["peer"] = json!(of);
        object["this"] = json!(own);
        if let Value::Object(fields) = &mut object {
            // Links belong to the peer that runs.
            fields.remove("way");
        }
        setup.output().write(&object, Some(&device_lines(device, own)))?;
    }
    if found.is_empty() && !setup.json {
        eprintln!("{of} has no device yet");
    }
    Ok(Exit::Done)
}

fn device_lines(partner: &PartnerDevice, own: bool) -> String {
    let device = &partner.device;
    let there = if device.live { "online" } else { "away" };
    let this = if own { ", this device" } else { "" };
    let compared = if partner.compared { ", compared" } else { "" };
    let mut lines = format!(
        "{}  {} ({there}{this}{compared}, registered {})",
        device.device,
        one_line(&device.label),
        device.registered_at
    );
    if !own {
        let digits: Vec<char> = partner.safety_number.chars().collect();
        let groups: Vec<String> = digits.chunks(5).map(|group| group.iter().collect()).collect();
        lines.push_str(&format!("\n    safety number: {}", groups.join(" ")));
    }
    lines
}
