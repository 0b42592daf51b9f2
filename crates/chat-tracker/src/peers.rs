//! Who is known to the tracker: names, addresses and owners.
//!
//! The registry mirrors what the store has committed. Only the store's writer changes it, after each
//! commit; everybody else reads.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use wire::PeerId;
use wire::tracker::PeerInfo;

/// A peer, as the tracker's parts name it to each other. Ids that differ only in ASCII case name the
/// same peer; the spelling is the one under which it registered. Cheap to clone.
#[derive(Clone)]
pub struct PeerKey(Arc<Name>);

struct Name {
    folded: Box<str>,
    id: PeerId,
}

impl PeerKey {
    /// The key of an id, in this spelling.
    pub fn of(id: PeerId) -> Self {
        Self(Arc::new(Name { folded: id.folded().into_boxed_str(), id }))
    }

    /// The id as it is shown.
    pub fn id(&self) -> &PeerId {
        &self.0.id
    }

    /// The form that is compared: lower case.
    pub fn folded(&self) -> &str {
        &self.0.folded
    }
}

impl std::fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.id.as_str())
    }
}

impl PartialEq for PeerKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.folded == other.0.folded
    }
}

impl Eq for PeerKey {}

impl PartialOrd for PeerKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PeerKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.folded.cmp(&other.0.folded)
    }
}

impl Hash for PeerKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.folded.hash(state);
    }
}

impl Borrow<str> for PeerKey {
    fn borrow(&self) -> &str {
        &self.0.folded
    }
}

/// What the tracker keeps of a peer.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Who.
    pub peer: PeerKey,
    /// Its key in the store.
    pub id: i64,
    /// Where it says it listens.
    pub ip: IpAddr,
    /// Its port; 0 for a browser.
    pub port: u16,
    /// The account (`sub`) that the peer belongs to; `None` for a guest's peer.
    pub owner: Option<Arc<str>>,
}

impl Registration {
    /// What another peer is told.
    pub fn info(&self, active: bool) -> PeerInfo {
        PeerInfo {
            peer_id: self.peer.id().clone(),
            ip: self.ip.to_string(),
            port: self.port,
            active: (!active).then_some(false),
        }
    }
}

/// All known peers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Peers(
    // A std lock: it is held for a map operation, never over an await.
    Arc<RwLock<HashMap<PeerKey, Registration>>>,
);

impl Peers {
    /// The registration of a peer, whatever the id's spelling.
    pub fn get(&self, id: &PeerId) -> Option<Registration> {
        self.read().get(id.folded().as_str()).cloned()
    }

    /// The registration of a peer.
    pub fn registration(&self, peer: &PeerKey) -> Option<Registration> {
        self.read().get(peer).cloned()
    }

    /// All of them, by id.
    pub fn all(&self) -> Vec<PeerKey> {
        let mut all: Vec<PeerKey> = self.read().keys().cloned().collect();
        all.sort();
        all
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.read().len()
    }

    /// Follows a commit of the store.
    pub(crate) fn put(&self, registration: Registration) {
        let mut peers = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The key goes in anew, so that key and value agree on the spelling.
        peers.remove(&registration.peer);
        peers.insert(registration.peer.clone(), registration);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<PeerKey, Registration>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_id_name_the_same_peer() {
        let peers = Peers::default();
        let peer = PeerKey::of(PeerId::parse("Alice").unwrap());
        let ip = "10.0.0.1".parse().unwrap();
        peers.put(Registration { peer, id: 1, ip, port: 1, owner: None });
        let found = peers.get(&PeerId::parse("aLICE").unwrap()).unwrap();
        assert_eq!(found.peer.id().as_str(), "Alice");
        assert_eq!(peers.count(), 1);
    }

    #[test]
    fn a_peer_that_is_away_is_told_so_and_an_active_one_has_just_its_address() {
        let peer = PeerKey::of(PeerId::parse("bob").unwrap());
        let ip = "::1".parse().unwrap();
        let registration = Registration { peer, id: 1, ip, port: 9, owner: None };
        assert_eq!(registration.info(false).active, Some(false));
        assert_eq!(registration.info(true).active, None);
    }
}
