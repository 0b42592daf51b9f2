//! `proxy.conf`: what the operator wrote, checked, as the rest of the proxy uses it.
//!
//! Two sets of types: `written` is the file as serde reads it (unknown keys refused, every value with
//! its position); this module, `server`, `listen`, `upstream` and `secure` hold what comes out after the
//! checks of `build`. Loading binds no port and resolves no name.

use std::path::Path;
use std::time::Duration;

use http::{HeaderName, Uri};
use serde::Deserialize;
use toml::de::DeTable;

use crate::routes::Routes;

mod build;
mod error;
mod expand;
mod listen;
mod locate;
mod secure;
mod server;
mod upstream;
mod values;
mod written;

use build::Builder;
pub use error::{ConfigError, Finding, Warning};
pub use listen::{Certificate, Listen, Redirect, Tls, TlsKind};
use locate::Document;
pub use secure::{Secure, Trust};
pub use server::{AccessLog, Server};
pub use upstream::{Eject, Endpoint, HashBy, Health, Member, Place, Policy, Protocol, Upstream};
use written::File;

/// A configuration that may be served.
#[derive(Debug)]
pub struct Loaded {
    /// What to serve.
    pub config: Config,
    /// What is allowed but probably not meant, for the log and for `proxy check`.
    pub warnings: Vec<Warning>,
}

/// Everything that proxy.conf says, with defaults filled in.
#[derive(Debug)]
pub struct Config {
    /// Listening and limits towards clients.
    pub server: Server,
    /// Certificates.
    pub tls: Tls,
    /// Forward-auth; absent: no route needs a session.
    pub auth: Option<Auth>,
    /// Trace context; absent: passed on as it comes.
    pub tracing: Option<Tracing>,
    /// The groups of servers; routes refer to them by position.
    pub upstreams: Vec<Upstream>,
    /// Host and path to route.
    pub routes: Routes,
}

/// `[auth]`: who decides about sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Position in [`Config::upstreams`].
    pub upstream: usize,
    /// Path of the verify call.
    pub path: String,
    /// Where page navigation without a session is sent.
    pub login_page: String,
    /// Longest wait for a decision; then 503.
    pub timeout: Duration,
    /// How long a decision is reused for the same credential; zero: never.
    pub cache: Duration,
    /// Origins besides the request's own host that may make state-changing calls.
    pub allowed_origins: Vec<String>,
    /// The header that carries the identity upstream, deleted from every request before.
    pub identity_header: HeaderName,
    /// Names of the session cookie that count as a credential.
    pub cookies: Vec<String>,
}

/// `[tracing]`: W3C trace context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// How many of 2^32 traces that begin here are marked to be recorded.
    pub sample: u64,
    /// Whether traces that clients began go on.
    pub from_clients: bool,
    /// Where the proxy's own spans go; absent: nowhere.
    pub export: Option<Export>,
}

/// An OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Where it takes OTLP over HTTP; `http` always.
    pub url: Uri,
    /// What this proxy is called there.
    pub service: String,
}

impl Config {
    /// Whether spans go to a collector.
    pub(crate) fn exports_traces(&self) -> bool {
        self.tracing.as_ref().is_some_and(|tracing| tracing.export.is_some())
    }

    /// Reads and checks a file, with `${NAME}` taken from the environment.
    ///
    /// # Errors
    /// [`ConfigError`]: the file can't be read, or what is wrong in it, with positions.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Read { file: name.clone(), cause })?;
        Self::parse(&text, &name)
    }

    /// Checks a text; `file` only names it in messages.
    ///
    /// # Errors
    /// [`ConfigError`] with every finding.
    pub fn parse(text: &str, file: &str) -> Result<Loaded, ConfigError> {
        Self::parse_with(text, file, &|name| std::env::var(name).ok())
    }

    /// [`parse`](Self::parse) with variables looked up by `environment`.
    fn parse_with(
        text: &str,
        file: &str,
        environment: expand::Environment<'_>,
    ) -> Result<Loaded, ConfigError> {
        read(text, environment)
            .map(|(config, warnings)| {
                let warnings = warnings
                    .into_iter()
                    .map(|finding| Warning { file: file.to_owned(), finding })
                    .collect();
                Loaded { config, warnings }
            })
            .map_err(|mut findings| {
                findings.sort_by_key(|finding| (finding.line, finding.column));
                ConfigError::Invalid { file: file.to_owned(), findings }
            })
    }
}

fn read(
    text: &str,
    environment: expand::Environment<'_>,
) -> Result<(Config, Vec<Finding>), Vec<Finding>> {
    let mut root = DeTable::parse(text)
        .map_err(|error| vec![syntax_error(&Document::unparsed(text), &error)])?;
    let document = Document::new(text, root.get_ref());
    let mut findings = Vec::new();
    expand::expand(root.get_mut(), environment, &document, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let file = File::deserialize(toml::Deserializer::from(root))
        .map_err(|error| vec![schema_error(&document, &error)])?;
    let mut builder = Builder { document: &document, errors: Vec::new(), warnings: Vec::new() };
    let config = builder.config(file);
    if builder.errors.is_empty() { Ok((config, builder.warnings)) } else { Err(builder.errors) }
}

/// The text is not TOML.
fn syntax_error(document: &Document<'_>, error: &toml::de::Error) -> Finding {
    let offset = error.span().map_or(0, |span| span.start);
    let message = error.message().replace('\n', ", ");
    let remedy = "values are written as in TOML: \"text\", 5, [\"a\", \"b\"]; tables as [name]";
    Finding::at(document, offset, message, remedy)
}

/// It is TOML, but a key is unknown, missing, or of the wrong type.
fn schema_error(document: &Document<'_>, error: &toml::de::Error) -> Finding {
    let offset = error.span().map_or(0, |span| span.start);
    let message = error.message();
    // serde: unknown field `a`, expected one of `b`, `c`
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let Some((name, known)) = quoted.split_first()
    {
        let remedy = match build::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", known.join(", ")),
        };
        return Finding::at(document, offset, "unknown key", remedy);
    }
    if message.starts_with("missing field")
        && let Some(name) = quoted.first()
    {
        return Finding::at(document, offset, format!("`{name}` is missing"), "add it");
    }
    Finding::at(document, offset, message, "docs/proxy-conf.md lists every key with its type")
}

#[cfg(test)]
mod tests;
