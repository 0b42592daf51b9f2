//! Which channels there are and who is in them, in memory.
//!
//! The index mirrors what the store has committed. Only the store's writer changes it, after each
//! commit and before the commit's events are published; everybody else reads. A channel's members are
//! an [`Arc`] that is copied on write, so that an event can carry its audience for the price of a count.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use wire::ChannelName;

use crate::peers::PeerKey;

/// The members of a channel at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberSet(BTreeSet<PeerKey>);

impl MemberSet {
    /// Whether a peer is in it.
    pub fn contains(&self, peer: &PeerKey) -> bool {
        self.0.contains(peer)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members, by id.
    pub fn iter(&self) -> impl Iterator<Item = &PeerKey> {
        self.0.iter()
    }
}

impl FromIterator<PeerKey> for MemberSet {
    fn from_iter<I: IntoIterator<Item = PeerKey>>(peers: I) -> Self {
        Self(peers.into_iter().collect())
    }
}

/// One channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Its key in the store.
    pub id: i64,
    /// Only members see it and read it.
    pub private: bool,
    /// Who is in it.
    pub members: Arc<MemberSet>,
    /// The newest message's `seq`; 0 when it is empty.
    pub head: u64,
}

/// All channels. Cheap to clone.
#[derive(Clone, Default)]
pub struct Channels(
    // A std lock: it is held for a few map operations, never over an await.
    Arc<RwLock<Index>>,
);

#[derive(Default)]
struct Index {
    by_name: HashMap<ChannelName, Channel>,
    of_peer: HashMap<PeerKey, BTreeSet<ChannelName>>,
}

impl Channels {
    /// A channel as it is now.
    pub fn get(&self, name: &ChannelName) -> Option<Channel> {
        self.read().by_name.get(name).cloned()
    }

    /// The channels a peer is in, by name.
    pub fn of(&self, peer: &PeerKey) -> Vec<Channel> {
        let index = self.read();
        let names = index.of_peer.get(peer).into_iter().flatten();
        names.filter_map(|name| index.by_name.get(name)).cloned().collect()
    }

    /// The channels a peer may see, its own and the public ones, by name.
    pub fn visible_to(&self, peer: Option<&PeerKey>) -> Vec<Channel> {
        let index = self.read();
        let sees = |channel: &&Channel| {
            !channel.private || peer.is_some_and(|peer| channel.members.contains(peer))
        };
        let mut channels: Vec<Channel> = index.by_name.values().filter(sees).cloned().collect();
        channels.sort_by(|a, b| a.name.cmp(&b.name));
        channels
    }

    /// Everyone who shares a channel with a peer, the peer itself left out.
    pub fn neighbours(&self, peer: &PeerKey) -> Vec<PeerKey> {
        let shared = self.of(peer);
        let mut seen: BTreeSet<&PeerKey> =
            shared.iter().flat_map(|channel| channel.members.iter()).collect();
        seen.remove(peer);
        seen.into_iter().cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.read().by_name.len()
    }

    /// Follows a commit: a channel came into being (or is loaded at the start).
    pub(crate) fn put(&self, channel: Channel) {
        let mut index = self.write();
        for peer in channel.members.iter() {
            index.of_peer.entry(peer.clone()).or_default().insert(channel.name.clone());
        }
        index.by_name.insert(channel.name.clone(), channel);
    }

    /// Follows a commit: a peer is a member now, or no longer. The members before it and after it.
    pub(crate) fn set_member(
        &self,
        name: &ChannelName,
        peer: &PeerKey,
        member: bool,
    ) -> Option<(Arc<MemberSet>, Arc<MemberSet>)> {
        let mut index = self.write();
        let index = &mut *index;
        let channel = index.by_name.get_mut(name)?;
        let before = channel.members.clone();
        let members = Arc::make_mut(&mut channel.members);
        let names = index.of_peer.entry(peer.clone()).or_default();
        if member {
            members.0.insert(peer.clone());
            names.insert(name.clone());
        } else {
            members.0.remove(peer);
            names.remove(name);
        }
        Some((before, channel.members.clone()))
    }

    /// Follows a commit: a peer is spelled another way now.
    pub(crate) fn respell(&self, peer: &PeerKey) {
        let mut index = self.write();
        let index = &mut *index;
        let Some(names) = index.of_peer.remove(peer) else { return };
        for name in &names {
            if let Some(channel) = index.by_name.get_mut(name) {
                Arc::make_mut(&mut channel.members).0.replace(peer.clone());
            }
        }
        index.of_peer.insert(peer.clone(), names);
    }

    /// Follows a commit: the channel's log has grown to `head`. Its members, for the event.
    pub(crate) fn grew(&self, name: &ChannelName, head: u64) -> Option<Arc<MemberSet>> {
        let mut index = self.write();
        let channel = index.by_name.get_mut(name)?;
        channel.head = channel.head.max(head);
        Some(channel.members.clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::PeerId;

    fn peer(id: &str) -> PeerKey {
        PeerKey::of(PeerId::parse(id).unwrap())
    }

    fn name(name: &str) -> ChannelName {
        ChannelName::parse(name).unwrap()
    }

    fn channels() -> Channels {
        let channels = Channels::default();
        for (id, channel, private) in [(1, "general", false), (2, "secret", true)] {
            let members = Arc::new(MemberSet::from_iter([peer("alice")]));
            channels.put(Channel { name: name(channel), id, private, members, head: 0 });
        }
        channels
    }

    #[test]
    fn an_audience_taken_before_a_join_stays_as_it_was() {
        let channels = channels();
        let before = channels.grew(&name("general"), 1).unwrap();
        channels.set_member(&name("general"), &peer("bob"), true).unwrap();
        assert_eq!(before.len(), 1);
        assert_eq!(channels.get(&name("general")).unwrap().members.len(), 2);
    }

    #[test]
    fn a_private_channel_is_seen_by_its_members_only() {
        let channels = channels();
        assert_eq!(channels.visible_to(Some(&peer("alice"))).len(), 2);
        assert_eq!(channels.visible_to(Some(&peer("bob"))).len(), 1);
        assert_eq!(channels.visible_to(None).len(), 1);
    }

    #[test]
    fn a_new_spelling_shows_in_every_channel() {
        let channels = channels();
        channels.respell(&peer("ALICE"));
        let general = channels.get(&name("general")).unwrap();
        let ids: Vec<&str> = general.members.iter().map(|peer| peer.id().as_str()).collect();
        assert_eq!(ids, ["ALICE"]);
        assert_eq!(channels.of(&peer("alice")).len(), 2);
    }

    #[test]
    fn neighbours_share_a_channel_and_leave_with_it() {
        let channels = channels();
        channels.set_member(&name("general"), &peer("bob"), true);
        assert_eq!(channels.neighbours(&peer("alice")), [peer("bob")]);
        channels.set_member(&name("general"), &peer("bob"), false);
        assert!(channels.neighbours(&peer("alice")).is_empty());
        assert!(channels.of(&peer("bob")).is_empty());
    }
}
