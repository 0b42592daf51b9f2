//! Who is in which channel, as far as channel messages that come over links need it: pure logic.

use std::collections::{HashMap, HashSet, VecDeque};

use wire::{ChannelName, MessageId, PeerId};

/// Channels whose members are known; beyond it, all are asked for again.
const ROOMS: usize = 256;
/// Messages that wait until a channel's members are known.
const HELD: usize = 64;
/// Messages of the log that are remembered, so that one that comes over a link later is no news.
const LOGGED: usize = 1_024;

/// A channel message that came over a link, or goes over links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) from: PeerId,
    pub(super) id: MessageId,
    pub(super) channel: ChannelName,
    pub(super) message: String,
    pub(super) timestamp: String,
}

/// What is to be done with a post.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may be shown, or sent to these members.
    Good(Post),
    /// Its channel's members have to be asked for first; it is held.
    Ask(ChannelName),
    /// It waits, or is dropped: the log brings it anyway.
    Nothing,
}

/// The channels.
#[derive(Debug)]
pub(super) struct Rooms {
    me: String,
    members: HashMap<ChannelName, HashSet<String>>,
    asked: HashSet<ChannelName>,
    held: VecDeque<Post>,
    logged: HashSet<(String, MessageId)>,
    order: VecDeque<(String, MessageId)>,
}

impl Rooms {
    pub(super) fn new(me: &PeerId) -> Self {
        Self {
            me: me.folded(),
            members: HashMap::new(),
            asked: HashSet::new(),
            held: VecDeque::new(),
            logged: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// What was known may have changed.
    pub(super) fn forget(&mut self) {
        self.members.clear();
        self.asked.clear();
        self.held.clear();
    }

    /// The log has a message.
    pub(super) fn log(&mut self, from: &PeerId, id: &MessageId) {
        let key = (from.folded(), id.clone());
        if self.logged.insert(key.clone()) {
            self.order.push_back(key);
        }
        if self.order.len() > LOGGED
            && let Some(oldest) = self.order.pop_front()
        {
            self.logged.remove(&oldest);
        }
    }

    /// Judges a post of another peer, or of this one: both have to be members.
    pub(super) fn judge(&mut self, post: Post) -> Fate {
        if self.logged.contains(&(post.from.folded(), post.id.clone())) {
            return Fate::Nothing;
        }
        if let Some(members) = self.members.get(&post.channel) {
            let both = members.contains(&post.from.folded()) && members.contains(&self.me);
            return if both { Fate::Good(post) } else { Fate::Nothing };
        }
        let channel = post.channel.clone();
        if self.held.len() < HELD {
            self.held.push_back(post);
        }
        if self.asked.len() < ROOMS && self.asked.insert(channel.clone()) {
            return Fate::Ask(channel);
        }
        Fate::Nothing
    }

    /// The members of a channel are known; `None` when they can't be had. Gives the posts that may go on.
    pub(super) fn known(
        &mut self,
        channel: &ChannelName,
        members: Option<HashSet<String>>,
    ) -> Vec<Post> {
        self.asked.remove(channel);
        let (ours, others): (VecDeque<Post>, _) =
            std::mem::take(&mut self.held).into_iter().partition(|post| post.channel == *channel);
        self.held = others;
        let Some(members) = members else { return Vec::new() };
        if self.members.len() >= ROOMS {
            self.members.clear();
        }
        self.members.insert(channel.clone(), members);
        let good = |post| match self.judge(post) {
            Fate::Good(post) => Some(post),
            Fate::Ask(_) | Fate::Nothing => None,
        };
        ours.into_iter().filter_map(good).collect()
    }

    /// Someone joined or left.
    pub(super) fn membership(&mut self, channel: &ChannelName, peer: &PeerId, joined: bool) {
        let Some(members) = self.members.get_mut(channel) else { return };
        if joined {
            members.insert(peer.folded());
        } else {
            members.remove(&peer.folded());
        }
    }

    /// Whether a peer is known as a member.
    pub(super) fn has(&self, channel: &ChannelName, peer: &PeerId) -> bool {
        self.members.get(channel).is_some_and(|members| members.contains(&peer.folded()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(from: &str, id: &str) -> Post {
        Post {
            from: PeerId::parse(from).unwrap(),
            id: MessageId::parse(id).unwrap(),
            channel: general(),
            message: "hi".to_owned(),
            timestamp: String::new(),
        }
    }

    fn general() -> ChannelName {
        ChannelName::parse("general").unwrap()
    }

    fn members(ids: &[&str]) -> Option<HashSet<String>> {
        Some(ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_post_waits_until_the_members_are_known_and_a_strangers_is_dropped() {
        let mut rooms = Rooms::new(&PeerId::parse("Alice").unwrap());
        assert_eq!(rooms.judge(post("Bob", "1")), Fate::Ask(general()));
        assert_eq!(rooms.judge(post("eve", "2")), Fate::Nothing);
        let good = rooms.known(&general(), members(&["alice", "bob"]));
        assert_eq!(good, [post("Bob", "1")]);
        assert_eq!(rooms.judge(post("bob", "3")), Fate::Good(post("bob", "3")));
        rooms.membership(&general(), &PeerId::parse("bob").unwrap(), false);
        assert_eq!(rooms.judge(post("bob", "4")), Fate::Nothing);
    }

    #[test]
    fn what_the_log_has_is_no_news() {
        let mut rooms = Rooms::new(&PeerId::parse("alice").unwrap());
        rooms.known(&general(), members(&["alice", "bob"]));
        rooms.log(&PeerId::parse("BOB").unwrap(), &MessageId::parse("1").unwrap());
        assert_eq!(rooms.judge(post("bob", "1")), Fate::Nothing);
    }

    #[test]
    fn in_a_channel_that_one_is_not_in_nothing_is_shown() {
        let mut rooms = Rooms::new(&PeerId::parse("alice").unwrap());
        rooms.known(&general(), members(&["bob"]));
        assert_eq!(rooms.judge(post("bob", "1")), Fate::Nothing);
        assert_eq!(rooms.known(&general(), None), []);
    }

    #[test]
    fn a_flood_of_posts_is_held_up_to_a_number() {
        let mut rooms = Rooms::new(&PeerId::parse("alice").unwrap());
        (0..HELD * 3).for_each(|id| drop(rooms.judge(post("bob", &id.to_string()))));
        assert_eq!(rooms.held.len(), HELD);
        (0..LOGGED * 2).for_each(|id| {
            rooms.log(&PeerId::parse("bob").unwrap(), &MessageId::parse(&id.to_string()).unwrap());
        });
        assert_eq!(rooms.logged.len(), LOGGED);
    }
}
