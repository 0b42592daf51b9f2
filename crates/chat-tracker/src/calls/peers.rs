//! Registering, listing and finding peers.

use std::net::IpAddr;
use std::time::Instant;

use service::Problem;
use wire::chat::{Me, Peers};
use wire::tracker::{ConnectPeer, Connected, ListedPeer, PeerList, SubmitInfo, Submitted};

use super::check_room;
use crate::answer::problem;
use crate::caller::{Caller, not_registered};
use crate::clock::rfc3339;
use crate::peers::PeerKey;
use crate::store::Register;
use crate::tracker::Tracker;

/// `POST /submit-info`
///
/// # Errors
/// A wrong address, someone else's peer id, the store.
pub async fn submit(
    tracker: &Tracker,
    caller: &Caller,
    request: SubmitInfo,
) -> Result<Submitted, Problem> {
    let ip: IpAddr = request.ip.parse().map_err(|_| {
        Problem::bad_request(
            "invalid_body",
            format!("field `ip`: {:?} is neither an IPv4 nor an IPv6 address", request.ip),
        )
    })?;
    if tracker.peers.get(&request.peer_id).is_none() {
        check_room(tracker.peers.count(), tracker.limits.peers_max, "too_many_peers", "peers")?;
    }
    let peer_id = request.peer_id.clone();
    let register =
        Register { peer_id: request.peer_id, ip, port: request.port, account: caller.sub() };
    let registered = tracker.store.write(register).await.map_err(problem)?;
    tracker.presence.heard(&registered.registration.peer, Instant::now());
    Ok(Submitted { message: "Peer registered".to_owned(), peer_id })
}

/// `GET /get-list`
///
/// # Errors
/// None now.
pub fn list(tracker: &Tracker) -> Result<PeerList, Problem> {
    let mut active = tracker.presence.active(Instant::now());
    active.sort_by(|a, b| a.0.cmp(&b.0));
    let peers: Vec<ListedPeer> = active
        .into_iter()
        .filter_map(|(peer, last_seen)| {
            let registration = tracker.peers.registration(&peer)?;
            Some(ListedPeer {
                peer_id: registration.peer.id().clone(),
                ip: registration.ip.to_string(),
                port: registration.port,
                last_seen: rfc3339(last_seen),
            })
        })
        .collect();
    Ok(PeerList { count: peers.len(), peers })
}

/// `POST /connect-peer`
///
/// # Errors
/// An unknown peer, someone else's peer id.
pub fn connect(
    tracker: &Tracker,
    caller: &Caller,
    request: &ConnectPeer,
) -> Result<Connected, Problem> {
    caller.acting_as(tracker, Some(&request.from_peer))?;
    let to = tracker.peers.get(&request.to_peer).ok_or_else(|| not_registered(&request.to_peer))?;
    let active = tracker.presence.is_active(&to.peer, Instant::now());
    Ok(Connected { message: "Peer info retrieved".to_owned(), peer_info: to.info(active) })
}

/// `GET /chat/me`
pub fn me(tracker: &Tracker, caller: &Caller) -> Me {
    match caller.account() {
        Some(account) => {
            let registered = tracker.peers.get(&account.name);
            let name = registered.map_or_else(|| account.name.clone(), |own| own.peer.id().clone());
            Me { peer_id: Some(name), guest: false, roles: account.roles.clone() }
        }
        None => Me { peer_id: None, guest: true, roles: Vec::new() },
    }
}

/// `GET /chat/peers`
pub fn peers(tracker: &Tracker, caller: &Caller) -> Peers {
    let all = tracker.peers.all();
    let asker = caller.account().map(|own| PeerKey::of(own.name.clone()));
    let peers = tracker.presence.presences(&all, asker.as_ref(), Instant::now());
    Peers { count: peers.len(), peers }
}
