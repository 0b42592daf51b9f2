//! Who is there, and which links lead to them.

use std::collections::{BTreeMap, HashMap};

use wire::chat::Presence;
use wire::{DeviceId, PeerId};

use crate::links::{Remote, Way};

/// Whether two spellings name the same person.
pub(crate) fn is(one: &PeerId, other: &PeerId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// What is known of a person.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: PeerId,
    pub(crate) online: bool,
    pub(crate) active: bool,
    links: HashMap<DeviceId, Way>,
}

/// Everybody who is known, by name.
#[derive(Debug, Default)]
pub(crate) struct People(BTreeMap<String, Person>);

impl People {
    /// Someone came or went.
    pub(crate) fn presence(&mut self, presence: &Presence) {
        let person = self.person(&presence.peer_id);
        person.online = presence.online;
        person.active = presence.active;
    }

    /// A link came up, changed its way, or went.
    pub(crate) fn link(&mut self, remote: &Remote, way: Option<Way>) {
        let links = &mut self.person(&remote.peer).links;
        match way {
            Some(way) => links.insert(remote.device, way),
            None => links.remove(&remote.device),
        };
    }

    /// The best way to a person; `None` when there is no link.
    pub(crate) fn way(&self, id: &PeerId) -> Option<Way> {
        let links = &self.get(id)?.links;
        links.values().min_by_key(|way| **way != Way::Direct).copied()
    }

    /// What is known of a person.
    pub(crate) fn get(&self, id: &PeerId) -> Option<&Person> {
        self.0.get(&id.folded())
    }

    /// Everybody, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Person> {
        self.0.values()
    }

    fn person(&mut self, id: &PeerId) -> &mut Person {
        self.0.entry(id.folded()).or_insert_with(|| Person {
            id: id.clone(),
            online: false,
            active: false,
            links: HashMap::new(),
        })
    }
}
