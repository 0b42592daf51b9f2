//! The host that passkeys belong to: it asks authenticators, and checks what they answer.
//!
//! A passkey belongs to a host name and works nowhere else. Browsers offer passkeys over https, and on localhost; so we need to know
//! the public origin, and say why not where it doesn't fit. Who has told us none has passkeys at localhost all the same ([`Host::asked`]).

use serde::Serialize;
use serde_json::{Value, json};
use webauthn_rp::bin::Decode;
use webauthn_rp::request::auth::error::RequestOptionsErr;
use webauthn_rp::request::auth::{
    AllowedCredentials, AuthenticationVerificationOptions,
    NonDiscoverableAuthenticationServerState, NonDiscoverableCredentialRequestOptions,
};
use webauthn_rp::request::register::error::CreationOptionsErr;
use webauthn_rp::request::register::{
    CredProtect, RegistrationVerificationOptions, UserHandle, UserHandle16,
};
use webauthn_rp::request::{
    AsciiDomain, Credentials, ExtensionInfo, RpId, UserVerificationRequirement,
};
use webauthn_rp::response::Backup;
use webauthn_rp::response::auth::error::AuthCeremonyErr;
use webauthn_rp::response::register::DynamicState;
use webauthn_rp::response::register::error::RegCeremonyErr;
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication16, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, NonDiscoverableAuthentication16,
    PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

use super::kept::{self, Damaged, Kept, PublicKey, STATE};
use super::{Exchange, USER};
use crate::client::{Client, Proto};
use crate::origin::Origin;

/// What authenticators show beside the host's name.
const NAME: &str = "Hybrid chat";

/// Where browsers have passkeys without https.
const LOCAL: &str = "localhost";

/// A host with passkeys.
#[derive(Debug)]
pub struct Host {
    name: RpId,
    label: String,
    origin: String,
}

/// The owner of a passkey.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The account's id, a UUID.
    pub id: &'a str,
    /// The account's name, for the authenticator to show.
    pub name: &'a str,
}

/// A passkey was shown, and this is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// [`Kept::state`] from now on.
    pub state: [u8; STATE],
    /// Whether the key may be copied to other devices.
    pub synchronised: bool,
}

/// Why nothing could be asked; it is no one's fault but ours.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// An account's id is not what it should be.
    #[error("the account's id is no UUID: {0}")]
    Account(#[from] uuid::Error),
    /// A stored passkey can't be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// What was to be asked when making one contradicts itself.
    #[error("a passkey can't be asked for: {0}")]
    Creation(CreationOptionsErr),
    /// What was to be asked when showing one contradicts itself.
    #[error("a passkey can't be asked for: {0}")]
    Request(RequestOptionsErr),
    /// It can't be told as JSON.
    #[error("a passkey can't be asked for: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is wrong.
    #[error("a passkey was refused: {0}")]
    Refused(AuthCeremonyErr),
    /// An account's id is not what it should be.
    #[error("the account's id is no UUID: {0}")]
    Account(#[from] uuid::Error),
    /// The stored passkey can't be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl Host {
    /// The host of a public origin.
    ///
    /// # Errors
    /// Why it has no passkeys, for people.
    pub fn of(origin: Option<&Origin>) -> Result<Self, String> {
        let Some(origin) = origin else { return Err(untold()) };
        let name = origin.host();
        if name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok() {
            return Err(format!(
                "passkeys belong to a host name, and {name} is an address: give this server a name"
            ));
        }
        let local = name == LOCAL || name.ends_with(".localhost");
        if !origin.is_https() && !local {
            return Err(format!(
                "browsers have passkeys over https only (or on localhost), and this is {origin}"
            ));
        }
        let label = name.to_owned();
        let name = AsciiDomain::try_from(label.clone())
            .map_err(|error| format!("passkeys can't be used at {origin}: {error}"))?;
        Ok(Self { name: RpId::Domain(name), label, origin: origin.as_str().to_owned() })
    }

    /// The host that a request asked, where no public origin was told: localhost, at whatever port, and nothing else.
    ///
    /// Anyone can write `Host: localhost` into a request, and gains nothing by it. What the browser signs has the origin of the page that it
    /// shows, and the authenticator adds the host name: an answer that fits comes from a page that someone opened at localhost on their own
    /// machine, with a passkey that they made there. Whatever serves another port of that machine could ask for such an answer and hand it on
    /// (a passkey knows no ports), but it shares the cookies of the chat as well, and has no need to.
    ///
    /// # Errors
    /// That passkeys need a public name, for people.
    pub fn asked(client: &Client) -> Result<Self, String> {
        let scheme = if client.forwarded_proto == Some(Proto::Https) { "https" } else { "http" };
        let origin =
            client.host.as_deref().map(|host| Origin::parse(&format!("{scheme}://{host}")));
        match origin {
            Some(Ok(origin)) if origin.host() == LOCAL => Self::of(Some(&origin)),
            _ => Err(untold()),
        }
    }

    /// Its name, without a port.
    pub fn name(&self) -> &str {
        &self.label
    }

    /// Asks for a new passkey that signs in without a name, of an authenticator that has none of those that are `known`.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn ask_for_new(
        &self,
        owner: Owner<'_>,
        known: Vec<Kept>,
    ) -> Result<(Value, Exchange), AskError> {
        let user = handle(owner.id)?;
        let known = known.into_iter().map(Kept::descriptor).collect::<Result<Vec<_>, _>>()?;
        let mut asked =
            PublicKeyCredentialCreationOptions::passkey(&self.name, (&user).into(), known);
        // Security keys that can hide a passkey from whoever doesn't know the PIN do. Others are welcome: we ask for the PIN anyway.
        asked.extensions.cred_protect =
            CredProtect::UserVerificationRequired(ExtensionInfo::AllowDontEnforceValue);
        let (exchange, asked) = asked.start_ceremony().map_err(AskError::Creation)?;
        let mut options = told(&asked)?;
        // The names are set here, since the library takes fewer than we do (RFC 8265).
        let asked = &mut options["publicKey"];
        asked["rp"]["name"] = NAME.into();
        asked["user"]["name"] = owner.name.into();
        asked["user"]["displayName"] = owner.name.into();
        Ok((options, Exchange::Register(exchange)))
    }

    /// Asks for any passkey of this host.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn ask_for_any(&self) -> Result<(Value, Exchange), AskError> {
        let asked = DiscoverableCredentialRequestOptions::passkey(&self.name);
        let (exchange, asked) = asked.start_ceremony().map_err(AskError::Request)?;
        Ok((told(&asked)?, Exchange::SignIn(exchange)))
    }

    /// Asks for one of the passkeys of an account; for nothing when it has none.
    ///
    /// # Errors
    /// [`AskError`]
    pub fn ask_for_one_of(&self, known: Vec<Kept>) -> Result<Option<(Value, Exchange)>, AskError> {
        let mut allowed = AllowedCredentials::with_capacity(known.len());
        for kept in known {
            allowed.push(kept.descriptor()?.into());
        }
        let asked = NonDiscoverableCredentialRequestOptions::second_factor(&self.name, allowed);
        let Ok(mut asked) = asked else { return Ok(None) };
        asked.options().user_verification = UserVerificationRequirement::Required;
        let (exchange, asked) = asked.start_ceremony().map_err(AskError::Request)?;
        Ok(Some((told(&asked)?, Exchange::SecondFactor(exchange))))
    }

    /// Checks a new passkey, for what is to be kept of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_new(
        &self,
        asked: RegistrationServerState<USER>,
        answer: &Registration,
    ) -> Result<Kept, RegCeremonyErr> {
        let options = RegistrationVerificationOptions::<String, &str> {
            allowed_origins: std::slice::from_ref(&self.origin),
            // What nobody asked for is of no use, and no reason to refuse (WebAuthn Level 3, §7.1).
            error_on_unsolicited_extensions: false,
            ..RegistrationVerificationOptions::default()
        };
        asked.verify(&self.name, answer, &options).map(|made| Kept::of(&made))
    }

    /// Checks the answer to [`Host::ask_for_any`], with what is kept of the passkey and the id of the account that has it.
    ///
    /// # Errors
    /// [`CheckError`]
    pub fn check_any(
        &self,
        asked: DiscoverableAuthenticationServerState,
        answer: &DiscoverableAuthentication16,
        owned: (&str, &Kept),
    ) -> Result<Used, CheckError> {
        check(owned, |passkey| asked.verify(&self.name, answer, passkey, &self.rules()))
    }

    /// Checks the answer to [`Host::ask_for_one_of`], with what is kept of the passkey and the id of the account that has it.
    ///
    /// # Errors
    /// [`CheckError`]
    pub fn check_one_of(
        &self,
        asked: NonDiscoverableAuthenticationServerState,
        answer: &NonDiscoverableAuthentication16,
        owned: (&str, &Kept),
    ) -> Result<Used, CheckError> {
        check(owned, |passkey| asked.verify(&self.name, answer, passkey, &self.rules()))
    }

    /// Our origin alone, in no frame of another; a counter goes up; a key that may not be copied stays so.
    fn rules(&self) -> AuthenticationVerificationOptions<'_, '_, String, &str> {
        AuthenticationVerificationOptions {
            allowed_origins: std::slice::from_ref(&self.origin),
            error_on_unsolicited_extensions: false,
            ..AuthenticationVerificationOptions::default()
        }
    }
}

impl From<DynamicState> for Used {
    fn from(state: DynamicState) -> Self {
        let synchronised = !matches!(state.backup, Backup::NotEligible);
        Self { state: kept::encode(state), synchronised }
    }
}

/// Has a passkey checked, by what is kept of it and the id of the account that has it.
fn check(
    (account, kept): (&str, &Kept),
    verify: impl FnOnce(
        &mut AuthenticatedCredential<'_, '_, USER, PublicKey>,
    ) -> Result<bool, AuthCeremonyErr>,
) -> Result<Used, CheckError> {
    let user = handle(account)?;
    let mut passkey = kept.checked_by(&user)?;
    verify(&mut passkey).map_err(CheckError::Refused)?;
    Ok(passkey.dynamic_state().into())
}

/// Why there are none: for people.
fn untold() -> String {
    "passkeys belong to a host name, which this server wasn't told: start backend-auth with --public-origin \
     https://chat.example.org (PUBLIC_ORIGIN), or open it at localhost on the machine on which it runs"
        .to_owned()
}

fn handle(account: &str) -> Result<UserHandle16, uuid::Error> {
    let Ok(handle) = UserHandle::decode(uuid::Uuid::parse_str(account)?.into_bytes());
    Ok(handle)
}

fn told(asked: &impl Serialize) -> Result<Value, serde_json::Error> {
    Ok(json!({"publicKey": serde_json::to_value(asked)?}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_host_name_over_https_or_to_localhost() {
        let host = |text: &str| Host::of(Some(&Origin::parse(text).unwrap())).map(|_| ());
        for good in [
            "https://chat.example.org",
            "https://chat.example.org:8443",
            "http://localhost:8080",
            "https://localhost",
            "http://chat.localhost",
        ] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("http://chat.example.org", "over https only"),
            ("https://192.168.1.5", "192.168.1.5 is an address"),
            ("https://[fd00::1]:8443", "[fd00::1] is an address"),
            ("http://127.0.0.1:8080", "127.0.0.1 is an address"),
        ] {
            assert!(host(bad).unwrap_err().contains(reason), "{bad}: {:?}", host(bad));
        }
        assert!(Host::of(None).unwrap_err().contains("--public-origin"));
    }

    #[test]
    fn without_a_public_origin_there_is_localhost_and_nothing_else() {
        let asked = |host: Option<&str>, proto| {
            let mut headers = http::HeaderMap::new();
            if let Some(host) = host {
                headers.insert(http::header::HOST, host.parse().unwrap());
            }
            let client = Client::of_headers(&headers, proto);
            Host::asked(&client).map(|host| (host.origin, host.label))
        };
        for (host, proto, origin) in [
            ("localhost:8080", None, "http://localhost:8080"),
            ("LocalHost", Some(Proto::Http), "http://localhost"),
            ("localhost:80", None, "http://localhost"),
            ("localhost:8443", Some(Proto::Https), "https://localhost:8443"),
        ] {
            let found = asked(Some(host), proto);
            assert_eq!(found, Ok((origin.to_owned(), LOCAL.to_owned())), "{host}");
        }
        for host in [
            "192.168.1.5:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "chat.example.org",
            "localhost.example.org",
            "chat.localhost",
            "evil@localhost",
            "localhost/x",
            "",
        ] {
            let reason = asked(Some(host), None).unwrap_err();
            assert!(reason.contains("--public-origin"), "{host}: {reason}");
        }
        assert!(asked(None, None).is_err());
    }

    #[test]
    fn an_account_may_have_any_name() {
        let host = Host::of(Some(&Origin::parse("https://chat.example.org").unwrap())).unwrap();
        let id = uuid::Uuid::now_v7().to_string();
        for name in ["alice", "Nguyễn Văn A", "a b", "\u{1f642}"] {
            let (asked, _) = host.ask_for_new(Owner { id: &id, name }, Vec::new()).unwrap();
            assert_eq!(asked["publicKey"]["user"]["name"], name);
            assert_eq!(asked["publicKey"]["user"]["displayName"], name);
            assert_eq!(asked["publicKey"]["rp"], json!({"id": "chat.example.org", "name": NAME}));
        }
    }
}
