//! What a provider says of itself (OpenID Connect Discovery 1.0 §3), as far as it matters here.

use serde::Deserialize;

use super::address::Address;

/// As it is written.
#[derive(Deserialize)]
struct Written {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// Its page, where people sign in.
    pub authorization: Address,
    /// Where codes are exchanged.
    pub token: Address,
    /// Where its keys are.
    pub keys: Address,
    /// The secret goes into the form, because it isn't taken in a header.
    pub secret_in_form: bool,
    /// Answers name their issuer (RFC 9207 §3).
    pub names_itself: bool,
}

impl Metadata {
    /// Reads what the provider of an issuer wrote.
    ///
    /// # Errors
    /// What is wrong: it is another issuer's (§4.3), or an address in it is none to which secrets may be sent.
    pub fn parse(bytes: &[u8], issuer: &Address) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if written.issuer != issuer.as_str() {
            let told: String = written.issuer.chars().take(200).collect();
            return Err(format!(
                "it is of the issuer {told:?}: name that one in --oidc-issuer if it is meant"
            ));
        }
        let address = |text: &str| {
            let address = Address::parse(text)?;
            if issuer.is_https() && !address.is_https() {
                return Err(format!("{text:?} is not encrypted"));
            }
            Ok(address)
        };
        // Where nothing is said, it is the header.
        let secret_in_form = written.token_endpoint_auth_methods_supported.is_some_and(|methods| {
            let takes = |wanted: &str| methods.iter().any(|method| method == wanted);
            takes("client_secret_post") && !takes("client_secret_basic")
        });
        Ok(Self {
            authorization: address(&written.authorization_endpoint)?,
            token: address(&written.token_endpoint)?,
            keys: address(&written.jwks_uri)?,
            secret_in_form,
            names_itself: written.authorization_response_iss_parameter_supported,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(change: Value) -> Result<Metadata, String> {
        let mut written = json!({
            "issuer": "https://login.example.org",
            "authorization_endpoint": "https://login.example.org/authorize",
            "token_endpoint": "https://login.example.org/token",
            "jwks_uri": "https://keys.example.org/",
        });
        for (name, value) in change.as_object().unwrap() {
            written[name] = value.clone();
        }
        let issuer = Address::parse("https://login.example.org").unwrap();
        Metadata::parse(written.to_string().as_bytes(), &issuer)
    }

    #[test]
    fn the_secret_goes_into_a_header_unless_only_forms_are_taken() {
        let methods = "token_endpoint_auth_methods_supported";
        for (taken, in_form) in [
            (json!(null), false),
            (json!([]), false),
            (json!(["client_secret_basic", "client_secret_post"]), false),
            (json!(["private_key_jwt", "client_secret_post"]), true),
        ] {
            assert_eq!(parse(json!({methods: taken})).unwrap().secret_in_form, in_form, "{taken}");
        }
    }

    #[test]
    fn another_issuer_and_addresses_in_the_clear_are_refused() {
        for change in [
            json!({"issuer": "https://login.example.org/"}),
            json!({"token_endpoint": "http://login.example.org/token"}),
            // Not even to this machine: whoever speaks for an https issuer speaks https.
            json!({"jwks_uri": "http://localhost/keys"}),
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            json!({"jwks_uri": null}),
        ] {
            assert!(parse(change.clone()).is_err(), "{change}");
        }
        assert!(Metadata::parse(b"<html>", &Address::parse("https://a").unwrap()).is_err());
    }
}
