//! The proxy under test, configured as an operator would.

use std::fmt::Write as _;
use std::net::SocketAddr;

use proxy::log::Format;
use proxy::server::ReloadError;
use proxy::{Config, Options, Proxy};

use super::{Upstream, get, soon};

/// A proxy to be.
#[derive(Default)]
pub(crate) struct Builder {
    server: String,
    tls: String,
    auth: String,
    upstreams: String,
    routes: String,
    options: Options,
}

/// A proxy that serves.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) proxy: Proxy,
}

/// A proxy with one worker and no route.
pub(crate) fn proxy() -> Builder {
    Builder {
        server: "workers = 1\naccess_log = \"off\"\n".into(),
        options: Options { log_format: Format::Json, ..Options::default() },
        ..Builder::default()
    }
}

impl Builder {
    /// The entries of `listen`.
    pub(crate) fn listen(self, entries: &str) -> Self {
        self.server(&format!("listen = [{entries}]"))
    }

    /// A line of `[server]`.
    pub(crate) fn server(mut self, line: &str) -> Self {
        let key = line.split_once('=').unwrap().0;
        self.server = self
            .server
            .lines()
            .filter(|had| !had.starts_with(key))
            .fold(String::new(), |all, had| all + had + "\n");
        self.server += line;
        self.server.push('\n');
        self
    }

    /// An upstream of this name, with more lines for its section.
    pub(crate) fn upstream(mut self, name: &str, servers: &[SocketAddr], lines: &str) -> Self {
        let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
        let _ = write!(self.upstreams, "[upstreams.{name}]\nservers = {servers:?}\n{lines}\n");
        self
    }

    /// An upstream of this name, its servers written as in proxy.conf.
    pub(crate) fn servers(mut self, name: &str, servers: &str, lines: &str) -> Self {
        let _ = write!(self.upstreams, "[upstreams.{name}]\nservers = [{servers}]\n{lines}\n");
        self
    }

    /// A route, with more lines for its section.
    pub(crate) fn route(mut self, path: &str, upstream: &str, lines: &str) -> Self {
        let _ = write!(
            self.routes,
            "[[hosts.routes]]\npath = \"{path}\"\nupstream = \"{upstream}\"\n{lines}\n"
        );
        self
    }

    /// A route without an upstream: what its lines say.
    pub(crate) fn own_route(mut self, path: &str, lines: &str) -> Self {
        let _ = write!(self.routes, "[[hosts.routes]]\npath = \"{path}\"\n{lines}\n");
        self
    }

    /// All paths to one server.
    pub(crate) fn to(self, upstream: &Upstream) -> Self {
        self.only(upstream, "")
    }

    /// All paths to one server, with more lines for the upstream's section.
    pub(crate) fn only(self, upstream: &Upstream, lines: &str) -> Self {
        self.upstream("main", &[upstream.addr], lines).route("/*", "main", "")
    }

    /// Lines of `[tls]`, and sections behind it.
    pub(crate) fn tls(mut self, lines: &str) -> Self {
        self.tls = format!("[tls]\n{lines}\n");
        self
    }

    /// Sessions are checked at `service`; more lines for `[auth]`.
    pub(crate) fn auth(self, service: &Upstream, lines: &str) -> Self {
        self.auth_at(service.addr, lines)
    }

    pub(crate) fn auth_at(mut self, service: SocketAddr, lines: &str) -> Self {
        self.auth = format!("[auth]\nupstream = \"auth\"\n{lines}\n");
        self.upstream("auth", &[service], "")
    }

    /// Lines of a section of their own.
    pub(crate) fn section(mut self, lines: &str) -> Self {
        let _ = writeln!(self.upstreams, "{lines}");
        self
    }

    pub(crate) fn admin(mut self) -> Self {
        self.options.admin = Some("127.0.0.1:0".parse().unwrap());
        self
    }

    /// proxy.conf as an operator would write it.
    pub(crate) fn text(&self) -> String {
        let Self { server, tls, auth, upstreams, routes, .. } = self;
        let listen = if server.starts_with("listen") || server.contains("\nlisten") {
            ""
        } else {
            "listen = [\"127.0.0.1:0\"]\n"
        };
        format!(
            "[server]\n{listen}{server}{tls}{auth}{upstreams}[[hosts]]\nnames = [\"*\"]\n{routes}"
        )
    }

    /// Names are looked up here.
    pub(crate) fn names(mut self, names: std::sync::Arc<dyn proxy::Lookup>) -> Self {
        self.options.names = Some(names);
        self
    }

    pub(crate) fn start(self) -> Running {
        let text = self.text();
        let loaded =
            Config::parse(&text, "proxy.conf").unwrap_or_else(|error| panic!("{error}\n{text}"));
        let proxy = Proxy::bind(loaded.config, self.options).unwrap();
        Running { addr: proxy.addr(), proxy }
    }
}

impl Running {
    /// Has it read another configuration.
    pub(crate) async fn reload(&mut self, next: &Builder) -> Result<(), ReloadError> {
        self.reload_text(&next.text()).await
    }

    pub(crate) async fn reload_text(&mut self, text: &str) -> Result<(), ReloadError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proxy.conf");
        std::fs::write(&file, text).unwrap();
        soon("a reload", self.proxy.reload(&file)).await
    }

    /// One line of the metrics, without its name.
    pub(crate) async fn metric(&self, name: &str) -> Option<String> {
        metric(self.proxy.admin().unwrap(), name).await
    }
}

/// One line of the metrics at this admin address, without its name.
pub(crate) async fn metric(admin: SocketAddr, name: &str) -> Option<String> {
    let metrics = get(admin, "/metrics", "").await;
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(str::to_owned)
}
