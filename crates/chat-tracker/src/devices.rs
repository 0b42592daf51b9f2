//! Which devices are registered, in memory: whose each one is.
//!
//! The index mirrors what the store has committed. Only the store's writer changes it, after each
//! commit; everybody else reads. Keys and labels are read from the store by those who ask for them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wire::DeviceId;

use crate::peers::PeerKey;

/// All registered devices. Cheap to clone.
#[derive(Clone, Default)]
pub struct Devices(
    // A std lock: it is held for a map operation, never over an await.
    Arc<RwLock<HashMap<DeviceId, PeerKey>>>,
);

impl Devices {
    /// Whether a device is registered for a peer.
    pub fn belongs(&self, device: DeviceId, peer: &PeerKey) -> bool {
        self.read().get(&device).is_some_and(|owner| owner == peer)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.read().len()
    }

    /// Follows a commit: a device is registered (or loaded at the start).
    pub(crate) fn put(&self, device: DeviceId, peer: PeerKey) {
        self.write().insert(device, peer);
    }

    /// Follows a commit: a device is no longer registered.
    pub(crate) fn remove(&self, device: DeviceId) {
        self.write().remove(&device);
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<DeviceId, PeerKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<DeviceId, PeerKey>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::PeerId;

    #[test]
    fn a_device_belongs_to_its_peer_in_any_spelling_and_to_no_other() {
        let devices = Devices::default();
        let peer = |id: &str| PeerKey::of(PeerId::parse(id).unwrap());
        let device = DeviceId::new([1; 16]);
        devices.put(device, peer("Alice"));
        assert!(devices.belongs(device, &peer("alice")));
        assert!(!devices.belongs(device, &peer("bob")));
        assert!(!devices.belongs(DeviceId::new([2; 16]), &peer("alice")));
        devices.remove(device);
        assert!(!devices.belongs(device, &peer("alice")));
        assert_eq!(devices.count(), 0);
    }
}
