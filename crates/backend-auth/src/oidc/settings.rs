//! Which provider, and who we are to it: flags as they are written, and what they become once checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use service::args::duration;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::address::Address;
use crate::origin::Origin;

/// Where the provider sends browsers back to, below the public origin.
pub const CALLBACK: &str = "/auth/oidc/callback";

/// Flags of sign-in by OpenID Connect.
#[derive(Debug, Clone, Args)]
pub struct OidcArgs {
    /// Let people sign in by OpenID Connect: the provider's issuer, exactly as it calls itself, e.g.
    /// `https://login.example.org/realms/staff`. Needs --public-origin and --oidc-client-id.
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// What the provider calls this server.
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The secret by which the provider knows this server, for those that gave one. Better in the environment or in a file than on the
    /// command line, which others on this machine see.
    #[arg(long, env = "OIDC_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub oidc_client_secret: Option<ClientSecret>,
    /// A file with that secret; white space at its end doesn't count.
    #[arg(long, env = "OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// What the button on the login page calls the provider [default: the issuer's host].
    #[arg(long, env = "OIDC_NAME", value_name = "NAME")]
    pub oidc_name: Option<String>,
    /// Scopes that are asked for, by spaces.
    #[arg(long, env = "OIDC_SCOPES", default_value = "openid profile", value_name = "SCOPES")]
    pub oidc_scopes: String,
    /// Whether someone whom nobody knows here gets an account by signing in there [default: as --registration says: open is yes,
    /// invite and closed are no, and the very first account is always made].
    #[arg(long, env = "OIDC_REGISTER", value_enum)]
    pub oidc_register: Option<RegisterFlag>,
    /// Certificates (PEM) that vouch for the provider, instead of the system's authorities.
    #[arg(long, env = "OIDC_CA_FILE", value_name = "FILE")]
    pub oidc_ca_file: Option<PathBuf>,
    /// How long an answer of the provider may take.
    #[arg(long, env = "OIDC_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub oidc_timeout: Duration,
    /// How long what the provider says of itself, and its keys, are kept before they are asked for again.
    #[arg(long, env = "OIDC_REFRESH", default_value = "1h", value_parser = duration)]
    pub oidc_refresh: Duration,
    /// How soon at the earliest a provider that didn't answer, or whose keys lack the one that is looked for, is asked again.
    #[arg(long, env = "OIDC_PAUSE", default_value = "10s", value_parser = duration)]
    pub oidc_pause: Duration,
}

/// Whether a provider's people get accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RegisterFlag {
    /// All of them.
    Yes,
    /// Only those whose accounts were linked before.
    No,
}

/// A secret that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// The secret itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl FromStr for ClientSecret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// A provider that is to be asked; made from [`OidcArgs`], all of it checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The issuer; compared as it is, byte for byte.
    pub issuer: Address,
    /// What the provider calls us.
    pub client_id: String,
    /// By what it knows us, unless we are a public client.
    pub secret: Option<ClientSecret>,
    /// What people call it.
    pub name: String,
    /// What is asked for.
    pub scopes: String,
    /// Whether its people get accounts, where that was said.
    pub register: Option<bool>,
    /// Where it sends browsers back to.
    pub redirect_uri: String,
    /// Who vouches for it, instead of the system's authorities; empty when those do.
    pub authorities: Vec<CertificateDer<'static>>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long what it says of itself is kept.
    pub refresh: Duration,
    /// The pause before it is asked again.
    pub pause: Duration,
}

impl Settings {
    /// Checks the flags; none when no issuer is named.
    ///
    /// # Errors
    /// What can't work, in one line with the remedy.
    pub fn of(args: &OidcArgs, origin: Option<&Origin>) -> Result<Option<Self>, String> {
        let Some(text) = filled(args.oidc_issuer.as_deref()) else { return Ok(None) };
        let issuer = Address::parse(text).map_err(|reason| format!("--oidc-issuer {reason}"))?;
        if issuer.has_query() {
            return Err(format!(
                "--oidc-issuer {text:?} has a query: write it as the provider calls itself"
            ));
        }
        let Some(origin) = origin else {
            return Err(format!(
                "--oidc-issuer needs --public-origin (PUBLIC_ORIGIN): the provider sends browsers back to it, at ORIGIN{CALLBACK}"
            ));
        };
        let Some(client_id) = filled(args.oidc_client_id.as_deref()) else {
            return Err(
                "--oidc-issuer needs --oidc-client-id (OIDC_CLIENT_ID), as the provider gave it"
                    .to_owned(),
            );
        };
        let mut scopes: Vec<&str> = args.oidc_scopes.split_ascii_whitespace().collect();
        // Without it there is no ID token (OpenID Connect Core 1.0 §3.1.2.1).
        if !scopes.contains(&"openid") {
            scopes.insert(0, "openid");
        }
        let name = filled(args.oidc_name.as_deref()).unwrap_or(issuer.host()).to_owned();
        if name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err("--oidc-name has at most 64 characters".to_owned());
        }
        Ok(Some(Self {
            client_id: client_id.to_owned(),
            secret: secret(args)?,
            name,
            scopes: scopes.join(" "),
            register: args.oidc_register.map(|flag| flag == RegisterFlag::Yes),
            redirect_uri: format!("{origin}{CALLBACK}"),
            authorities: args.oidc_ca_file.as_deref().map_or(Ok(Vec::new()), authorities)?,
            timeout: args.oidc_timeout,
            refresh: args.oidc_refresh,
            pause: args.oidc_pause,
            issuer,
        }))
    }
}

/// An environment may name what it leaves empty.
fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn secret(args: &OidcArgs) -> Result<Option<ClientSecret>, String> {
    let given = args.oidc_client_secret.clone().filter(|secret| !secret.0.is_empty());
    let file = args.oidc_client_secret_file.as_deref().filter(|file| !file.as_os_str().is_empty());
    match (given, file) {
        (Some(_), Some(_)) => {
            Err("--oidc-client-secret and --oidc-client-secret-file: give one of them".to_owned())
        }
        (given, None) => Ok(given),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                format!("--oidc-client-secret-file {}: {error}", file.display())
            })?;
            match text.trim_end() {
                "" => Err(format!("--oidc-client-secret-file {} is empty", file.display())),
                secret => Ok(Some(ClientSecret(secret.to_owned()))),
            }
        }
    }
}

fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    if file.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let wrong = |reason: String| format!("--oidc-ca-file {}: {reason}", file.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flags;

    fn args() -> OidcArgs {
        OidcArgs {
            oidc_issuer: Some("https://login.example.org/realms/staff".into()),
            oidc_client_id: Some("chat".into()),
            ..Flags::defaults().oidc
        }
    }

    fn of(args: &OidcArgs) -> Result<Option<Settings>, String> {
        Settings::of(args, Some(&Origin::parse("https://chat.example.org").unwrap()))
    }

    #[test]
    fn nothing_is_asked_of_nobody() {
        for issuer in [None, Some(String::new())] {
            assert!(of(&OidcArgs { oidc_issuer: issuer, ..args() }).unwrap().is_none());
        }
    }

    #[test]
    fn what_is_not_said_follows_from_the_rest() {
        let settings = of(&args()).unwrap().unwrap();
        assert_eq!(settings.redirect_uri, "https://chat.example.org/auth/oidc/callback");
        assert_eq!(
            (settings.name.as_str(), settings.scopes.as_str()),
            ("login.example.org", "openid profile")
        );
        assert_eq!((settings.register, settings.secret), (None, None));
        let scopes =
            of(&OidcArgs { oidc_scopes: "email".into(), ..args() }).unwrap().unwrap().scopes;
        assert_eq!(scopes, "openid email");
    }

    #[test]
    fn what_can_not_work_is_told_with_its_flag() {
        let no_origin = Settings::of(&args(), None).unwrap_err();
        assert!(
            no_origin.contains("--public-origin") && no_origin.contains(CALLBACK),
            "{no_origin}"
        );
        let wrong = |change: fn(&mut OidcArgs)| {
            let mut args = args();
            change(&mut args);
            of(&args).unwrap_err()
        };
        assert!(wrong(|args| args.oidc_client_id = None).contains("--oidc-client-id"));
        assert!(
            wrong(|args| args.oidc_issuer = Some("http://login.example.org".into()))
                .contains("https")
        );
        assert!(wrong(|args| args.oidc_issuer = Some("https://a?b".into())).contains("query"));
        let file = "--oidc-client-secret-file /nowhere/secret";
        assert!(
            wrong(|args| args.oidc_client_secret_file = Some("/nowhere/secret".into()))
                .contains(file)
        );
        assert!(
            wrong(|args| args.oidc_ca_file = Some("/nowhere/ca".into()))
                .contains("--oidc-ca-file /nowhere/ca")
        );
    }

    #[test]
    fn a_secret_comes_from_one_place_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "top secret\n").unwrap();
        let from_file = OidcArgs { oidc_client_secret_file: Some(file), ..args() };
        let settings = of(&from_file).unwrap().unwrap();
        assert_eq!(settings.secret.as_ref().unwrap().reveal(), "top secret");
        let given = ClientSecret::from_str("top secret").unwrap();
        let both = OidcArgs { oidc_client_secret: Some(given), ..from_file };
        assert!(of(&both).unwrap_err().contains("one of them"));
        assert!(!format!("{settings:?}{both:?}").contains("top secret"));
    }
}
