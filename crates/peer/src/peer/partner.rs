//! The devices of a partner, with what two people compare.

use wire::PeerId;
use wire::device::Device;

use super::{PeerError, trust};
use crate::identity::DeviceKey;
use crate::links::{Remote, Way};
use crate::store::{Store, devices};
use crate::tracker::Tracker;

/// A device of a partner.
#[derive(Debug, Clone)]
pub struct PartnerDevice {
    /// As the tracker tells it.
    pub device: Device,
    /// The way of its link; `None` when there is no link.
    pub way: Option<Way>,
    /// 60 digits, the same on both sides.
    pub safety_number: String,
    /// Whether the two people have compared it.
    pub compared: bool,
}

/// A peer's devices, with the links that are up.
pub(crate) async fn partner_devices(
    tracker: &Tracker,
    store: &Store,
    key: &DeviceKey,
    of: &PeerId,
    up: &[(Remote, Way)],
) -> Result<Vec<PartnerDevice>, PeerError> {
    let found = tracker.devices(of).await?.devices;
    let folded = of.folded();
    let known = store.run(move |db| devices::of(db, &folded)).await?;
    let way = |device| {
        let remote = Remote { peer: of.clone(), device };
        up.iter().find(|(linked, _)| *linked == remote).map(|(_, way)| *way)
    };
    let compared = |device| known.iter().any(|known| known.device == device && known.compared);
    let me = (tracker.id(), key.public_key());
    let shown = |device: Device| PartnerDevice {
        way: way(device.device),
        safety_number: trust::number(me, (of, &device.public_key)),
        compared: compared(device.device),
        device,
    };
    Ok(found.into_iter().filter(trust::fits).map(shown).collect())
}
