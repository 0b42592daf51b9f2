//! What is stored of a passkey. Nothing of it is secret.
//!
//! Keys and counters are in the binary form of the library that checks them.

use webauthn_rp::bin::{Decode, Encode};
use webauthn_rp::request::PublicKeyCredentialDescriptor;
use webauthn_rp::request::register::UserHandle;
use webauthn_rp::response::register::{CompressedPubKey, DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{AuthenticatedCredential, RegisteredCredential};

use super::USER;

/// Bytes of what changes with uses.
pub const STATE: usize = 7;

/// A public key that checks answers.
pub(super) type PublicKey = CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>;

/// What is stored of a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The authenticator's id of it, at most 1023 bytes.
    pub credential: Vec<u8>,
    /// Its public key, at most 2058 bytes (RSA); as a rule 36.
    pub key: Vec<u8>,
    /// What changes with uses: the counter, and whether other devices have copies.
    pub state: [u8; STATE],
    /// How its authenticator is reached, for the browser: a set of bits.
    pub transports: u8,
}

/// What is stored of a passkey can't be read.
#[derive(Debug, thiserror::Error)]
#[error("what is kept of a passkey can't be read: {0}")]
pub struct Damaged(String);

fn damaged(reason: impl ToString) -> Damaged {
    Damaged(reason.to_string())
}

impl Kept {
    /// What is to be stored of a new one.
    pub(super) fn of(made: &RegisteredCredential<'_, USER>) -> Self {
        let Ok(key) = made.static_state().encode();
        let Ok(transports) = made.transports().encode();
        Self {
            credential: made.id().as_ref().to_vec(),
            key,
            state: encode(made.dynamic_state()),
            transports,
        }
    }

    /// How it is named to a browser.
    pub(super) fn descriptor(self) -> Result<PublicKeyCredentialDescriptor<Vec<u8>>, Damaged> {
        Ok(PublicKeyCredentialDescriptor {
            id: CredentialId::decode(self.credential).map_err(damaged)?,
            transports: AuthTransports::decode(self.transports).map_err(damaged)?,
        })
    }

    /// What checks its answers.
    pub(super) fn checked_by<'a>(
        &'a self,
        user: &'a UserHandle<USER>,
    ) -> Result<AuthenticatedCredential<'a, 'a, USER, PublicKey>, Damaged> {
        let id = CredentialId::<&[u8]>::decode(&self.credential).map_err(damaged)?;
        let key = StaticState::decode(self.key.as_slice()).map_err(damaged)?;
        let state = DynamicState::decode(self.state).map_err(damaged)?;
        AuthenticatedCredential::new(id, user, key, state).map_err(damaged)
    }
}

/// As it is stored.
pub(super) fn encode(state: DynamicState) -> [u8; STATE] {
    let Ok(state) = state.encode();
    state
}
