//! How many connections each client has.
//!
//! Workers share the count, since the kernel spreads a client's connections over them. It is touched when a
//! connection begins and when it ends, never by a request. Clients without a connection are not in it, so
//! it is no larger than the number of connections.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock::lock;

/// Parts with a lock of their own, so that workers rarely meet at one.
const PARTS: usize = 16;

/// The connections of all clients.
#[derive(Debug)]
pub(crate) struct Crowd {
    most: AtomicUsize,
    hasher: RandomState,
    parts: [Mutex<HashMap<u128, usize>>; PARTS],
}

/// One connection of a client, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    crowd: Arc<Crowd>,
    client: u128,
}

impl Crowd {
    /// Nobody is there yet, and nobody may be.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            most: AtomicUsize::new(0),
            hasher: RandomState::new(),
            parts: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// Lets each client have `most` connections from now on; those that are there may stay.
    pub(crate) fn allow(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Counts one more connection of the client at this address; `None` if it has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let client = client_of(address);
        let most = self.most.load(Ordering::Relaxed);
        let mut part = self.part(client);
        let count = part.get(&client).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        part.insert(client, count + 1);
        Some(Guest { crowd: self.clone(), client })
    }

    fn part(&self, client: u128) -> MutexGuard<'_, HashMap<u128, usize>> {
        // Not the low bits, which the map itself uses.
        let place = (self.hasher.hash_one(client) >> 48) as usize % PARTS;
        lock(&self.parts[place])
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut part = self.crowd.part(self.client);
        if let Some(count) = part.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                part.remove(&self.client);
            }
        }
    }
}

/// Who is one client: an IPv4 address, or the /64 that an IPv6 subscriber has to himself.
pub(crate) fn client_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(most: usize) -> Arc<Crowd> {
        let crowd = Crowd::new();
        crowd.allow(most);
        crowd
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_so_many_connections_and_no_more_until_one_ends() {
        let crowd = crowd(2);
        let first = crowd.enter(address("192.0.2.1")).unwrap();
        let _second = crowd.enter(address("192.0.2.1")).unwrap();
        assert!(crowd.enter(address("192.0.2.1")).is_none());
        assert!(crowd.enter(address("::ffff:192.0.2.1")).is_none(), "the same client");
        assert!(crowd.enter(address("192.0.2.2")).is_some());
        drop(first);
        let _third = crowd.enter(address("192.0.2.1")).unwrap();
        crowd.allow(3);
        assert!(crowd.enter(address("192.0.2.1")).is_some(), "after a reload");
    }

    #[test]
    fn an_ipv6_network_of_a_subscriber_is_one_client() {
        let crowd = crowd(1);
        let _first = crowd.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(crowd.enter(address("2001:db8:1:2:ffff::2")).is_none());
        assert!(crowd.enter(address("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn who_left_takes_no_memory() {
        let crowd = crowd(1);
        for last in 0..=255 {
            drop(crowd.enter(address(&format!("192.0.2.{last}"))).unwrap());
        }
        assert!(crowd.parts.iter().all(|part| part.lock().unwrap().is_empty()));
    }
}
