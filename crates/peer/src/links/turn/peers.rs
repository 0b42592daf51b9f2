//! An allocation's permissions and channels (RFC 8656 §9, §12).
//!
//! A server lets datagrams through to and from those addresses for which there is a permission, for five minutes each.
//! What is in use is renewed, and the rest is left to lapse.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::message::Kind;

/// Numbers that a channel may have.
pub(super) const NUMBERS: RangeInclusive<u16> = 0x4000..=0x4fff;
/// Permissions at most. With one more, the one that was not used for longest goes.
const PERMISSIONS_MAX: usize = 256;
/// Channels at most, with those whose numbers may not be used again yet.
const CHANNELS_MAX: usize = 128;
/// Ports of one address whose datagrams are counted.
const PORTS_MAX: usize = 8;
/// A peer to whom so many datagrams went gets a channel.
const BUSY: u32 = 20;
/// Datagrams that wait for one permission, and for all.
const HELD_EACH: usize = 8;
const HELD_MAX: usize = 128;

/// What was not used for so long is not renewed.
const IDLE: Duration = Duration::from_secs(300);
/// A permission is renewed after this; it ends after 300 s.
const PERMISSION_RENEWED: Duration = Duration::from_secs(240);
/// A channel is renewed after this.
const CHANNEL_RENEWED: Duration = Duration::from_secs(540);
/// A channel ends after this.
const CHANNEL_ENDS: Duration = Duration::from_secs(600);
/// The number of a channel that has ended means nobody else before this.
const CHANNEL_RESTS: Duration = Duration::from_secs(300);
/// A server that refused an address or a channel is not asked about it again before this.
const FORBIDDEN: Duration = Duration::from_secs(60);

/// How a datagram goes to a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Over the channel with this number.
    Channel(u16),
    /// In an indication; `bind`: a channel with this number is to be asked for.
    Indication { bind: Option<u16> },
    /// A permission is to be asked for; it waits.
    Permission,
    /// A permission was asked for; it waits.
    Wait,
    /// Not at all.
    None,
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Asked,
    Granted { since: Instant, renewing: bool },
    Forbidden { since: Instant },
}

#[derive(Debug)]
struct Permission {
    standing: Standing,
    used: Instant,
    /// What waits for it.
    held: Vec<(SocketAddr, Vec<u8>)>,
    /// How many datagrams went to which port.
    sent: Vec<(u16, u32)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Hold {
    Asked,
    Bound {
        since: Instant,
        renewing: bool,
    },
    /// It has ended, or may have. Its number is kept for the peer; `again`: when it may be asked for.
    Resting {
        until: Instant,
        again: Instant,
    },
}

#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    hold: Hold,
    used: Instant,
}

/// An allocation's permissions and channels.
#[derive(Debug, Default)]
pub(super) struct Peers {
    permissions: HashMap<IpAddr, Permission>,
    channels: Vec<Channel>,
    /// How many numbers were given to channels.
    given: u16,
    held: usize,
}

impl Peers {
    /// How a datagram goes to a peer now.
    pub(super) fn way(&mut self, to: SocketAddr, now: Instant) -> Way {
        let Some(permission) = self.permissions.get_mut(&to.ip()) else {
            self.make_room();
            let permission =
                Permission { standing: Standing::Asked, used: now, held: vec![], sent: vec![] };
            self.permissions.insert(to.ip(), permission);
            return Way::Permission;
        };
        permission.used = now;
        match permission.standing {
            Standing::Asked => return Way::Wait,
            Standing::Forbidden { .. } => return Way::None,
            Standing::Granted { .. } => {}
        }
        let mut known = self.channels.iter_mut().find(|channel| channel.peer == to);
        if let Some(channel) = &mut known {
            channel.used = now;
            if channel.usable(now) {
                return Way::Channel(channel.number);
            }
        }
        if permission.count(to.port()) < BUSY {
            return Way::Indication { bind: None };
        }
        let bind = match known {
            None => self.new_channel(to, now),
            Some(channel) => match channel.hold {
                Hold::Resting { again, .. } if now >= again => {
                    // The peer gets the same number again: it may still be bound to it.
                    channel.hold = Hold::Asked;
                    Some(channel.number)
                }
                _ => None,
            },
        };
        Way::Indication { bind }
    }

    /// Keeps a datagram until there is a permission. What is too much is dropped.
    pub(super) fn hold(&mut self, to: SocketAddr, datagram: &[u8]) {
        let Some(permission) = self.permissions.get_mut(&to.ip()) else { return };
        if permission.held.len() < HELD_EACH && self.held < HELD_MAX {
            permission.held.push((to, datagram.to_vec()));
            self.held += 1;
        }
    }

    /// A datagram came from this address. Whether it may: others have no permission.
    pub(super) fn heard(&mut self, ip: IpAddr, now: Instant) -> bool {
        let Some(permission) = self.permissions.get_mut(&ip) else { return false };
        permission.used = now;
        true
    }

    /// The peer behind a channel.
    pub(super) fn behind(&self, number: u16) -> Option<SocketAddr> {
        // What is on its way when a channel ends is still the peer's.
        self.channels.iter().find(|channel| channel.number == number).map(|channel| channel.peer)
    }

    /// There is a permission. Gives what waited for it.
    pub(super) fn permitted(&mut self, ip: IpAddr, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let Some(permission) = self.permissions.get_mut(&ip) else { return Vec::new() };
        permission.standing = Standing::Granted { since: now, renewing: false };
        let held = std::mem::take(&mut permission.held);
        self.held -= held.len();
        held
    }

    /// The server gives no permission for this address.
    pub(super) fn forbidden(&mut self, ip: IpAddr, now: Instant) {
        let Some(permission) = self.permissions.get_mut(&ip) else { return };
        permission.standing = Standing::Forbidden { since: now };
        self.held -= std::mem::take(&mut permission.held).len();
    }

    /// Whether there is a permission is not known.
    pub(super) fn forget(&mut self, ip: IpAddr) {
        if let Some(permission) = self.permissions.remove(&ip) {
            self.held -= permission.held.len();
        }
    }

    /// There is a channel with this number.
    pub(super) fn bound(&mut self, number: u16, now: Instant) {
        if let Some(channel) = self.channel(number) {
            channel.hold = Hold::Bound { since: now, renewing: false };
        }
    }

    /// There is none; or there was one, and it was not renewed.
    pub(super) fn unbound(&mut self, number: u16, now: Instant) {
        if let Some(channel) = self.channel(number) {
            let until = now + CHANNEL_ENDS + CHANNEL_RESTS;
            channel.hold = Hold::Resting { until, again: now + FORBIDDEN };
        }
    }

    /// What is to be renewed now. What was not in use goes.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let held = &mut self.held;
        self.permissions.retain(|ip, permission| {
            if permission.deadline().is_none_or(|at| now < at) {
                return true;
            }
            let used = now < permission.used + IDLE;
            if let (Standing::Granted { renewing, .. }, true) = (&mut permission.standing, used) {
                *renewing = true;
                kinds.push(Kind::Permission(*ip));
                return true;
            }
            *held -= permission.held.len();
            false
        });
        self.channels.retain_mut(|channel| {
            if channel.deadline().is_none_or(|at| now < at) {
                return true;
            }
            let used = now < channel.used + IDLE;
            match &mut channel.hold {
                Hold::Bound { renewing, .. } if used => {
                    *renewing = true;
                    kinds.push(Kind::Channel { number: channel.number, peer: channel.peer });
                    true
                }
                Hold::Bound { since, .. } => {
                    let until = *since + CHANNEL_ENDS + CHANNEL_RESTS;
                    channel.hold = Hold::Resting { until, again: now };
                    true
                }
                Hold::Resting { .. } | Hold::Asked => false,
            }
        });
        kinds
    }

    /// When [`Self::due`] has something to say.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let permissions = self.permissions.values().filter_map(Permission::deadline);
        permissions.chain(self.channels.iter().filter_map(Channel::deadline)).min()
    }

    fn channel(&mut self, number: u16) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.number == number)
    }

    fn new_channel(&mut self, peer: SocketAddr, now: Instant) -> Option<u16> {
        if self.channels.len() >= CHANNELS_MAX {
            return None;
        }
        let count = NUMBERS.end() - NUMBERS.start() + 1;
        // Far fewer are in use than there are.
        let number = loop {
            let number = NUMBERS.start() + self.given % count;
            self.given = self.given.wrapping_add(1);
            if self.behind(number).is_none() {
                break number;
            }
        };
        self.channels.push(Channel { number, peer, hold: Hold::Asked, used: now });
        Some(number)
    }

    fn make_room(&mut self) {
        if self.permissions.len() < PERMISSIONS_MAX {
            return;
        }
        let oldest = self.permissions.iter().min_by_key(|(_, permission)| permission.used);
        if let Some(ip) = oldest.map(|(ip, _)| *ip) {
            self.forget(ip);
        }
    }
}

impl Permission {
    fn deadline(&self) -> Option<Instant> {
        match self.standing {
            // The request has its own.
            Standing::Asked | Standing::Granted { renewing: true, .. } => None,
            Standing::Granted { since, .. } => Some(since + PERMISSION_RENEWED),
            Standing::Forbidden { since } => Some(since + FORBIDDEN),
        }
    }

    /// One more datagram to this port.
    fn count(&mut self, port: u16) -> u32 {
        if let Some((_, count)) = self.sent.iter_mut().find(|(known, _)| *known == port) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.sent.len() < PORTS_MAX {
            self.sent.push((port, 1));
        }
        1
    }
}

impl Channel {
    fn usable(&self, now: Instant) -> bool {
        matches!(self.hold, Hold::Bound { since, .. } if now < since + CHANNEL_ENDS)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.hold {
            Hold::Asked | Hold::Bound { renewing: true, .. } => None,
            Hold::Bound { since, .. } => Some(since + CHANNEL_RENEWED),
            Hold::Resting { until, .. } => Some(until),
        }
    }
}
