//! The provider's public keys (RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a set that are looked at, at most.
const KEYS: usize = 100;
/// Bytes of an RSA modulus at least: 2048 bits (RFC 7518 §3.3).
const RSA_BYTES: usize = 256;

/// A set of keys that check signatures.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Jwk>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// The keys of a set that can check signatures. Others are passed over (RFC 7517 §5): a provider may publish kinds that we don't know.
    ///
    /// # Errors
    /// When it is no set of keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let Set { keys } = serde_json::from_slice(bytes)?;
        let keys = keys.into_iter().take(KEYS);
        Ok(Self(keys.filter_map(|key| serde_json::from_value(key).ok()).filter(checks).collect()))
    }

    /// The key of a signature: the one of that id, or, where the signature names none, the only one that could have made it.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Jwk> {
        let mut fitting = self.0.iter().filter(|key| fits(key, algorithm));
        match id {
            Some(id) => fitting.find(|key| key.common.key_id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

fn checks(key: &Jwk) -> bool {
    let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let strong = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            URL_SAFE_NO_PAD.decode(&rsa.n).is_ok_and(|modulus| modulus.len() >= RSA_BYTES)
        }
        AlgorithmParameters::EllipticCurve(_) | AlgorithmParameters::OctetKeyPair(_) => true,
        // A shared secret has no business in a published set.
        _ => false,
    };
    signs && strong
}

/// Whether a key is of the kind that an algorithm takes, and not for another one.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    if key.common.key_algorithm.is_some_and(|own| own != KeyAlgorithm::from(algorithm)) {
        return false;
    }
    match &key.algorithm {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => algorithm == ES256,
            EllipticCurve::P384 => algorithm == ES384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => {
            key.curve == EllipticCurve::Ed25519 && algorithm == EdDSA
        }
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ec(id: Option<&str>) -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": "AA", "y": "AA"})
    }

    fn keys(keys: Value) -> Keys {
        Keys::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_is_found_by_its_id_and_for_its_own_algorithm() {
        let keys = keys(json!([ec(Some("a")), ec(Some("b"))]));
        assert!(keys.find(Some("b"), Algorithm::ES256).is_some());
        for (id, algorithm) in [
            (Some("c"), Algorithm::ES256),
            (None, Algorithm::ES256),
            (Some("a"), Algorithm::ES384),
            (Some("a"), Algorithm::RS256),
            (Some("a"), Algorithm::HS256),
        ] {
            assert!(keys.find(id, algorithm).is_none(), "{id:?} {algorithm:?}");
        }
    }

    #[test]
    fn without_an_id_the_only_key_of_its_kind_is_meant() {
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"});
        let keys = keys(json!([ec(None), ed]));
        assert!(keys.find(None, Algorithm::ES256).is_some());
        assert!(keys.find(None, Algorithm::EdDSA).is_some());
    }

    #[test]
    fn what_can_not_check_a_signature_is_passed_over() {
        let weak = URL_SAFE_NO_PAD.encode([255; 128]);
        let keys = keys(json!([
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "weak", "n": weak, "e": "AQAB"},
            {"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc", "x": "AA", "y": "AA"},
            {"kty": "from the future"},
            7,
            {"kty": "EC", "crv": "P-256", "kid": "other", "alg": "ES384", "x": "AA", "y": "AA"},
        ]));
        for id in ["shared", "weak", "enc", "other"] {
            for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256] {
                assert!(keys.find(Some(id), algorithm).is_none(), "{id} {algorithm:?}");
            }
        }
        assert!(Keys::parse(b"{}").is_err() && Keys::parse(b"<html>").is_err());
    }
}
