//! Who is at the other end: offers and answers are signed over the DTLS fingerprint, and checked.
//!
//! The rules are in `docs/p2p.md`, section Signalling. DTLS later proves that the link ends at the fingerprint that
//! was signed: together they leave nobody between.

use wire::signal::{Description, LinkStatement, Role, SDP_BYTES};

use super::Remote;
use crate::identity::{DeviceKey, verify};

/// What a description is signed for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    /// Offer or answer.
    pub(super) role: Role,
    /// The session's number.
    pub(super) session: u64,
    /// The signing side.
    pub(super) from: &'a Remote,
    /// The other side.
    pub(super) to: &'a Remote,
    /// The offer's fingerprint, in an answer.
    pub(super) offered: Option<&'a str>,
}

/// Why a description proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// More bytes than an SDP may have.
    #[error("the other side sent more than a description of a link may have")]
    TooLarge,
    /// No fingerprint, or several: whatever is signed, DTLS would not be bound to it.
    #[error("the other side could not prove who it is: its description has no single fingerprint")]
    NoFingerprint,
    /// The key is another device's, or the signature doesn't fit.
    #[error("the other side could not prove who it is: its signature is wrong")]
    Forged,
}

impl Proof<'_> {
    /// Signs an SDP, which has the fingerprint `own`.
    pub(super) fn sign(&self, sdp: String, own: &str, key: &DeviceKey) -> Description {
        let signature = key.sign(&self.statement(own));
        Description { sdp, public_key: key.public_key().to_owned(), signature }
    }

    /// Checks a description; gives the fingerprint that it proves.
    ///
    /// # Errors
    /// [`Refusal`]: nothing of the description is to be used.
    pub(super) fn check(&self, description: &Description) -> Result<String, Refusal> {
        if description.sdp.len() > SDP_BYTES {
            return Err(Refusal::TooLarge);
        }
        let own = wire::signal::fingerprint(&description.sdp).ok_or(Refusal::NoFingerprint)?;
        let Description { public_key, signature, .. } = description;
        if verify(self.from.device, public_key, &self.statement(&own), signature) {
            Ok(own)
        } else {
            Err(Refusal::Forged)
        }
    }

    fn statement(&self, own: &str) -> String {
        LinkStatement {
            role: self.role,
            session: self.session,
            from: (&self.from.peer, self.from.device),
            to: (&self.to.peer, self.to.device),
            own,
            offered: self.offered,
        }
        .text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::PeerId;

    const ONE: &str = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
    const OTHER: &str = "sha-256 10:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

    fn sdp(fingerprint: &str) -> String {
        format!("v=0\r\na=fingerprint:{fingerprint}\r\n")
    }

    fn end(name: &str, key: &DeviceKey) -> Remote {
        Remote { peer: PeerId::parse(name).unwrap(), device: key.device() }
    }

    #[test]
    fn what_was_signed_is_taken_whatever_the_case_of_the_ids() {
        let (key, to) = (DeviceKey::generate(), DeviceKey::generate());
        let (alice, bob) = (end("Alice", &key), end("bob", &to));
        let proof =
            Proof { role: Role::Answer, session: 7, from: &alice, to: &bob, offered: Some(OTHER) };
        let description = proof.sign(sdp(ONE), ONE, &key);
        let (alice, bob) = (end("alice", &key), end("BOB", &to));
        assert_eq!(Proof { from: &alice, to: &bob, ..proof }.check(&description), Ok(ONE.into()));
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        let (key, to) = (DeviceKey::generate(), DeviceKey::generate());
        let (alice, bob) = (end("alice", &key), end("bob", &to));
        let mallory = end("mallory", &key);
        let proof =
            Proof { role: Role::Answer, session: 7, from: &alice, to: &bob, offered: Some(ONE) };
        let good = proof.sign(sdp(ONE), ONE, &key);
        for wrong in [
            Proof { role: Role::Offer, ..proof },
            Proof { session: 8, ..proof },
            Proof { from: &mallory, ..proof },
            Proof { to: &mallory, ..proof },
            Proof { offered: Some(OTHER), ..proof },
            Proof { offered: None, ..proof },
        ] {
            assert_eq!(wrong.check(&good), Err(Refusal::Forged), "{wrong:?}");
        }
        let other_fingerprint = Description { sdp: sdp(OTHER), ..good.clone() };
        assert_eq!(proof.check(&other_fingerprint), Err(Refusal::Forged));
        let second = Description { sdp: sdp(ONE) + &sdp(OTHER), ..good.clone() };
        assert_eq!(proof.check(&second), Err(Refusal::NoFingerprint));
        let long = Description { sdp: sdp(ONE) + &" ".repeat(SDP_BYTES), ..good.clone() };
        assert_eq!(proof.check(&long), Err(Refusal::TooLarge));
        let stolen = proof.sign(sdp(ONE), ONE, &to);
        assert_eq!(proof.check(&stolen), Err(Refusal::Forged), "another device's key");
    }
}
