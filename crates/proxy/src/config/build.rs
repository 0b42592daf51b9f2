//! From what was written to what is used: defaults, references, and everything that can be wrong.
//!
//! Checks go on after a first mistake, so that one run of `proxy check` tells all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderName;
use toml::Spanned;

use super::error::Finding;
use super::locate::Document;
use super::values::{self, Complaint};
use super::written::{Amount, AuthSection, File, ServerSection, Text, TracingSection};
use super::{AccessLog, Auth, Config, Export, Server, Tracing};
use crate::route::AuthRule;
use crate::routes::Routes;

mod edits;
mod hosts;
mod listen;
mod route;
mod template;
mod upstreams;
mod words;

use words::{collector, cookie_name, identity_header, log_format};

const SECOND: Duration = Duration::from_secs(1);

/// The window that every HTTP/2 connection begins with (RFC 9113 §6.9.2), to what one connection may cost.
const HTTP2_WINDOW: std::ops::RangeInclusive<u64> = 65_535..=16 << 20;

/// Bytes a second: little enough for the worst line, too much for many connections at no cost.
const MIN_RATE: u64 = 240;

/// What routes take over unless they say otherwise.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) server: &'a Server,
    pub(super) auth: Option<&'a Auth>,
}

/// The findings of one file.
pub(super) struct Builder<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) errors: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

impl Builder<'_> {
    /// Checks a whole file. The result means something only if there are no errors.
    pub(super) fn config(&mut self, file: File) -> Config {
        let server = self.server(file.server);
        let tls = self.tls(file.tls, &server.listen);
        let mut names = HashMap::new();
        let mut upstreams = Vec::new();
        let mut used = Vec::new();
        for (name, section) in file.upstreams {
            let name_at = name.span();
            let name: Arc<str> = name.into_inner().into();
            names.insert(name.clone(), upstreams.len());
            used.push((name_at, false));
            upstreams.push(self.upstream(name, section.into_inner()));
        }
        let mut reference =
            |text: &Text, builder: &mut Self| match names.get(text.get_ref().as_str()) {
                Some(&index) => {
                    used[index].1 = true;
                    index
                }
                None => {
                    builder.unknown_upstream(text, names.keys().map(|name| &**name));
                    0
                }
            };
        let auth_at = file.auth.as_ref().map_or(0..0, Spanned::span);
        let auth = file.auth.map(|section| {
            let section = section.into_inner();
            let upstream = reference(&section.upstream, self);
            self.auth(section, upstream)
        });
        let tracing = file.tracing.map(|section| self.tracing(section));
        let mut routes = Routes::default();
        for host in file.hosts {
            self.host(
                host,
                &mut routes,
                Around { server: &server, auth: auth.as_ref() },
                &mut reference,
            );
        }
        if routes.is_empty() && self.errors.is_empty() {
            self.error(
                0..0,
                "there is no route, so nothing is served",
                "add [[hosts]] with names, and [[hosts.routes]] with path and upstream",
            );
        }
        if let Some(auth) = &auth {
            self.suspect_auth(auth_at, auth, &routes);
        }
        for (at, is_used) in used {
            if !is_used {
                self.warn(at, "no route uses this upstream", "remove it, or add a route to it");
            }
        }
        Config { server, tls, auth, tracing, upstreams, routes }
    }

    fn error(&mut self, at: Range<usize>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.errors.push(Finding::at(self.document, at.start, problem, remedy));
    }

    fn warn(&mut self, at: Range<usize>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.warnings.push(Finding::at(self.document, at.start, problem, remedy));
    }

    /// Reads a value; a complaint is noted and `otherwise` taken instead.
    fn read<T>(&mut self, text: &Text, reader: impl Fn(&str) -> Result<T, Complaint>) -> Option<T> {
        match reader(text.get_ref()) {
            Ok(value) => Some(value),
            Err((problem, remedy)) => {
                self.error(text.span(), problem, remedy);
                None
            }
        }
    }

    /// A duration that may be zero.
    fn any_duration(&mut self, text: Option<Text>, default: Duration) -> Duration {
        text.and_then(|text| self.read(&text, values::duration)).unwrap_or(default)
    }

    fn duration(&mut self, text: Option<Text>, default: Duration) -> Duration {
        let Some(text) = text else { return default };
        let value = self.read(&text, values::duration).unwrap_or(default);
        if value.is_zero() {
            self.error(
                text.span(),
                "the duration is zero",
                "write a longer one, or remove the key for the default",
            );
        }
        value
    }

    /// A duration that has no default of its own.
    fn some_duration(&mut self, text: Option<Text>) -> Option<Duration> {
        text.map(|text| self.duration(Some(text), SECOND))
    }

    fn amount(
        &mut self,
        amount: Option<Spanned<Amount>>,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(amount) = amount else { return default };
        let at = amount.span();
        let read = match amount.into_inner() {
            Amount::Number(number) => u64::try_from(number).map_err(|_| {
                (format!("{number} is negative"), "write a positive number".to_owned())
            }),
            Amount::Text(text) => values::size(&text),
        };
        match read {
            Ok(value) if range.contains(&value) => value,
            Ok(value) => {
                let problem = format!("{value} is out of range");
                self.error(
                    at,
                    problem,
                    format!("the range is {} to {}", range.start(), range.end()),
                );
                default
            }
            Err((problem, remedy)) => {
                self.error(at, problem, remedy);
                default
            }
        }
    }

    /// A size that has no default of its own.
    fn some_amount(&mut self, amount: Option<Spanned<Amount>>) -> Option<u64> {
        amount.map(|amount| self.amount(Some(amount), 0, 0..=u64::MAX))
    }

    fn small(
        &mut self,
        amount: Option<Spanned<Amount>>,
        default: u32,
        range: std::ops::RangeInclusive<u64>,
    ) -> u32 {
        u32::try_from(self.amount(amount, u64::from(default), range)).unwrap_or(default)
    }

    fn count(&mut self, amount: Option<Spanned<Amount>>, default: usize, most: u64) -> usize {
        let value = self.amount(amount, default as u64, 1..=most);
        usize::try_from(value).unwrap_or(usize::MAX)
    }

    /// Complains of an empty list and of doubled members.
    fn list<T: Eq + Hash>(
        &mut self,
        list: Spanned<Vec<Text>>,
        what: &str,
        reader: impl Fn(&str) -> Result<T, Complaint>,
    ) -> Vec<T> {
        let at = list.span();
        let list = list.into_inner();
        if list.is_empty() {
            self.error(at, "the list is empty", format!("name at least one {what}"));
        }
        let mut values = Vec::new();
        for text in list {
            if let Some(value) = self.read(&text, &reader) {
                if values.contains(&value) {
                    self.error(
                        text.span(),
                        format!("\"{}\" is there twice", text.get_ref()),
                        "remove one",
                    );
                } else {
                    values.push(value);
                }
            }
        }
        values
    }

    fn server(&mut self, section: ServerSection) -> Server {
        let access_log = match section.access_log {
            None => AccessLog::Stdout,
            Some(text) => match text.get_ref().as_str() {
                "stdout" => AccessLog::Stdout,
                "stderr" => AccessLog::Stderr,
                "off" => AccessLog::Off,
                "" => {
                    self.error(
                        text.span(),
                        "the value is empty",
                        "write \"stdout\", \"stderr\", \"off\" or the path of a file",
                    );
                    AccessLog::Off
                }
                path => AccessLog::File(path.into()),
            },
        };
        let mut trusted_proxies = Vec::new();
        for text in section.trusted_proxies {
            trusted_proxies.extend(self.read(&text, values::network));
        }
        let listen = self.listen(section.listen, !trusted_proxies.is_empty());
        Server {
            listen,
            workers: self.count(section.workers, cores(), 1024),
            header_timeout: self.duration(section.header_timeout, 10 * SECOND),
            body_idle_timeout: self.duration(section.body_idle_timeout, 30 * SECOND),
            request_body_timeout: self.some_duration(section.request_body_timeout),
            min_rate: self.amount(section.min_rate, MIN_RATE, 0..=u64::MAX),
            max_body: self.some_amount(section.max_body),
            keep_alive: self.duration(section.keep_alive, 75 * SECOND),
            drain_timeout: self.any_duration(section.drain_timeout, 30 * SECOND),
            reload_timeout: section
                .reload_timeout
                .map(|text| self.any_duration(Some(text), SECOND)),
            max_connections: self.count(section.max_connections, 65_536, 10_000_000),
            max_connections_per_client: self.count(
                section.max_connections_per_client,
                1024,
                10_000_000,
            ),
            proxy_protocol_timeout: self.duration(section.proxy_protocol_timeout, 5 * SECOND),
            http2_max_streams: self.small(section.http2_max_streams, 100, 1..=10_000),
            http2_max_head_bytes: self.small(section.http2_max_head_bytes, 16_384, 1024..=1 << 20),
            http2_max_control_frames: self.count(
                section.http2_max_control_frames,
                1000,
                10_000_000,
            ),
            http2_stream_window: self.small(section.http2_stream_window, 256 << 10, HTTP2_WINDOW),
            http2_connection_window: self.small(
                section.http2_connection_window,
                1 << 20,
                HTTP2_WINDOW,
            ),
            http2_ping_interval: self.duration(section.http2_ping_interval, 30 * SECOND),
            http2_ping_timeout: self.duration(section.http2_ping_timeout, 20 * SECOND),
            // hyper takes no less than 8 KiB.
            max_head_bytes: usize::try_from(self.amount(
                section.max_head_bytes,
                65_536,
                8192..=1 << 20,
            ))
            .unwrap_or(65_536),
            access_log,
            access_log_format: section
                .access_log_format
                .and_then(|text| self.read(&text, log_format)),
            trusted_proxies,
        }
    }

    fn tracing(&mut self, section: TracingSection) -> Tracing {
        let service = section.service.map_or_else(|| "proxy".to_owned(), Spanned::into_inner);
        let url = section.export.and_then(|text| self.read(&text, collector));
        Tracing {
            sample: section
                .sample
                .and_then(|text| self.read(&text, values::share))
                .unwrap_or(1 << 32),
            from_clients: section.from_clients.unwrap_or(true),
            export: url.map(|url| Export { url, service }),
        }
    }

    fn auth(&mut self, section: AuthSection, upstream: usize) -> Auth {
        let path = section.path.and_then(|text| self.read(&text, values::own_path));
        let login_page = section.login_page.and_then(|text| self.read(&text, values::own_path));
        let mut allowed_origins = Vec::new();
        for text in section.allowed_origins.unwrap_or_default() {
            allowed_origins.extend(self.read(&text, values::origin));
        }
        let identity_header =
            section.identity_header.and_then(|text| self.read(&text, identity_header));
        let cookies = match section.cookies {
            Some(list) => self.list(list, "cookie", cookie_name),
            None => vec!["session".to_owned(), "__Host-session".to_owned()],
        };
        Auth {
            upstream,
            path: path.unwrap_or_else(|| "/auth/verify".to_owned()),
            login_page: login_page.unwrap_or_else(|| "/login".to_owned()),
            timeout: self.duration(section.timeout, 2 * SECOND),
            cache: self.any_duration(section.cache, 5 * SECOND),
            allowed_origins,
            identity_header: identity_header.unwrap_or(DEFAULT_IDENTITY),
            cookies,
        }
    }

    /// Settings that are allowed and shut everybody out, or nobody.
    fn suspect_auth(&mut self, at: Range<usize>, auth: &Auth, routes: &Routes) {
        if routes.iter().all(|route| route.auth == AuthRule::None) {
            let remedy = "remove auth = \"none\" where a session is needed, or remove [auth]";
            self.warn(at, "no route asks for a session", remedy);
            return;
        }
        let page = auth.login_page.split('?').next().unwrap_or_default();
        let closed = routes.find_all(page).any(|route| route.auth == AuthRule::Required);
        if closed {
            let problem =
                format!("the login page {page} itself needs a session, so nobody can log in");
            let remedy = "give its route auth = \"none\"";
            self.warn(at, problem, remedy);
        }
    }

    fn unknown_upstream<'n>(&mut self, text: &Text, known: impl Iterator<Item = &'n str>) {
        let name = text.get_ref();
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        let remedy = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => {
                format!("add [upstreams.{name}] with servers = [\"host:port\"]")
            }
            None => format!("known are {}; or add [upstreams.{name}]", known.join(", ")),
        };
        self.error(text.span(), format!("there is no upstream \"{name}\""), remedy);
    }
}

/// The number of cores when it was first asked for: a reload must not find another one.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

const DEFAULT_IDENTITY: HeaderName = HeaderName::from_static("x-chat-identity");

/// The known name that a misspelt one most likely stands for.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|candidate| {
            (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), candidate), candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
