//! An authenticator in software (WebAuthn): one passkey with a P-256 key, and the browser that asks it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The page on which all this happens.
pub(crate) const ORIGIN: &str = "http://localhost:8080";

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const MAY_BE_COPIED: u8 = 1 << 3;
const WITH_KEY: u8 = 1 << 6;

/// A passkey and what holds it.
pub(crate) struct Authenticator {
    key: SigningKey,
    id: Vec<u8>,
    host: String,
    /// Whose it is: the id of an account.
    pub(crate) user: Value,
    /// Its counter.
    pub(crate) uses: u32,
    /// The page that asks.
    pub(crate) origin: String,
    /// Whether that page is in a frame of another.
    pub(crate) framed: bool,
    /// The host that it answers for, when it is not the one that asks.
    pub(crate) answers_for: Option<&'static str>,
    /// Whether it asks for a PIN, and gets the right one.
    pub(crate) verifies: bool,
    /// Whether it copies its keys to other devices.
    pub(crate) copies: bool,
}

impl Authenticator {
    /// One that is about to make a passkey.
    pub(crate) fn new() -> Self {
        let (mut secret, mut id) = ([0; 32], vec![0; 16]);
        getrandom::fill(&mut secret).unwrap();
        getrandom::fill(&mut id).unwrap();
        secret[0] = 1;
        Self {
            key: SigningKey::from_slice(&secret).unwrap(),
            id,
            host: String::new(),
            user: Value::Null,
            uses: 0,
            origin: ORIGIN.to_owned(),
            framed: false,
            answers_for: None,
            verifies: true,
            copies: false,
        }
    }

    /// `navigator.credentials.create`
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        self.user = asked["user"]["id"].clone();
        self.host = asked["rp"]["id"].as_str().unwrap().to_owned();
        let client = self.client_data("webauthn.create", asked);
        let mut data = self.data(WITH_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.public_key());
        // {"fmt": "none", "attStmt": {}, "authData": …} in CBOR.
        let mut attestation = b"\xa3cfmtdnonegattStmt\xa0hauthData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend(&data);
        let response = json!({
            "attestationObject": encode(&attestation), "clientDataJSON": encode(&client), "transports": ["internal"],
            "authenticatorData": encode(&data), "publicKey": encode(&self.spki()), "publicKeyAlgorithm": -7,
        });
        self.credential(response)
    }

    /// `navigator.credentials.get`
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        self.uses += 1;
        let client = self.client_data("webauthn.get", asked);
        let data = self.data(0);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client));
        let signature: Signature = self.key.sign(&signed);
        let response = json!({
            "authenticatorData": encode(&data), "clientDataJSON": encode(&client),
            "signature": encode(signature.to_der().as_bytes()), "userHandle": self.user,
        });
        self.credential(response)
    }

    fn credential(&self, response: Value) -> Value {
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key", "response": response,
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
        })
    }

    fn client_data(&self, kind: &str, asked: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind, "challenge": asked["challenge"], "origin": self.origin, "crossOrigin": self.framed,
        });
        data.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let host = self.answers_for.unwrap_or(&self.host);
        let mut data = Sha256::digest(host.as_bytes()).to_vec();
        let verified = if self.verifies { VERIFIED } else { 0 };
        let copied = if self.copies { MAY_BE_COPIED } else { 0 };
        data.push(flags | PRESENT | verified | copied);
        data.extend(self.uses.to_be_bytes());
        data
    }

    fn point(&self) -> Vec<u8> {
        self.key.verifying_key().to_encoded_point(false).as_bytes().to_vec()
    }

    /// As X.509 has it (RFC 5480): the algorithm, the curve, and the point.
    fn spki(&self) -> Vec<u8> {
        let mut key = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00".to_vec();
        key.extend(self.point());
        key
    }

    /// In COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
    fn public_key(&self) -> Vec<u8> {
        let point = self.point();
        let mut key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".to_vec();
        key.extend(&point[1..33]);
        key.extend(b"\x22\x58\x20");
        key.extend(&point[33..]);
        key
    }
}

/// Bytes as WebAuthn has them in JSON.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The reverse.
pub(crate) fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}
