//! [`World`]: the three programs as a newcomer runs them, in a folder and on ports of their own.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::binaries::{binary, repository};
use crate::ports::Port;
use crate::program::{Program, Recipe};
use crate::user::{Answer, User};

/// A password that passes the rules.
pub const PASSWORD: &str = "nine green boats, one lamp";

/// One program of the world with its address.
#[derive(Debug)]
pub struct Member {
    /// The process.
    pub program: Program,
    port: Port,
    /// What it logs when it listens.
    bound: String,
}

impl Member {
    async fn start(name: &str, port: Port, bound: String, recipe: Recipe) -> Self {
        let program = Program::start(name, recipe, &bound).await;
        Self { program, port, bound }
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> String {
        self.port.local()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// kill -9.
    pub async fn kill(&mut self) {
        self.program.kill().await;
    }

    /// Starts it again on the same port with the same data.
    pub async fn restart(&mut self) {
        self.program.restart(&self.bound).await;
    }
}

/// What a world should be like where it isn't the usual one.
#[derive(Debug, Default)]
pub struct Plan {
    auth_flags: Vec<String>,
    tracker_flags: Vec<String>,
    auth_server: Option<String>,
    tracker_server: Option<String>,
    extra_config: String,
    replaced: Vec<(String, String)>,
    hosts: Option<String>,
    for_others: bool,
    log_level: Option<String>,
}

impl Plan {
    /// How much all programs log.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        self.log_level = Some(level.to_owned());
        self
    }

    /// The proxy listens on all addresses of its machine, for the other machines of a [lab](crate::lab).
    #[must_use]
    pub fn for_others(mut self) -> Self {
        self.for_others = true;
        self
    }

    /// Flags for backend-auth.
    #[must_use]
    pub fn auth_flags(mut self, flags: &[&str]) -> Self {
        self.auth_flags.extend(flags.iter().map(ToString::to_string));
        self
    }

    /// Flags for the tracker.
    #[must_use]
    pub fn tracker_flags(mut self, flags: &[&str]) -> Self {
        self.tracker_flags.extend(flags.iter().map(ToString::to_string));
        self
    }

    /// The proxy's address of backend-auth, in place of the real one.
    #[must_use]
    pub fn auth_server(mut self, server: impl Into<String>) -> Self {
        self.auth_server = Some(server.into());
        self
    }

    /// The proxy's address of the tracker, in place of the real one.
    #[must_use]
    pub fn tracker_server(mut self, server: impl Into<String>) -> Self {
        self.tracker_server = Some(server.into());
        self
    }

    /// Lines put after those of the committed proxy.conf.
    #[must_use]
    pub fn extra_config(mut self, lines: &str) -> Self {
        self.extra_config.push_str(lines);
        self
    }

    /// One more host in proxy.conf, whose routes need no session and lead to `server`.
    #[must_use]
    pub fn public_host(self, name: &str, server: &str) -> Self {
        self.extra_config(&format!(
            r#"
[upstreams.neighbour]
servers = ["{server}"]
[[hosts]]
names = ["{name}"]
[[hosts.routes]]
path = "/*"
upstream = "neighbour"
auth = "none"
"#
        ))
    }

    /// A text of the committed proxy.conf to write otherwise.
    #[must_use]
    pub fn replace_config(mut self, from: &str, to: &str) -> Self {
        self.replaced.push((from.to_owned(), to.to_owned()));
        self
    }

    /// An `/etc/hosts` that only the proxy sees, by way of a mount namespace (needs root). The file
    /// is [`World::hosts_file`]; writing to it moves names while the proxy runs.
    #[must_use]
    pub fn proxy_hosts(mut self, hosts: impl Into<String>) -> Self {
        self.hosts = Some(hosts.into());
        self
    }

    /// Starts everything.
    pub async fn start(self) -> World {
        let folder = TempDir::new().unwrap();
        let auth_port = Port::claim();
        let tracker_port = Port::claim();
        let proxy_port = Port::claim();
        let admin_port = Port::claim();
        let config = self.write_config(folder.path());
        let proxy_ip = if self.for_others { "0.0.0.0" } else { "127.0.0.1" };
        let proxy_bound = format!("{proxy_ip}:{}", proxy_port.number());

        let level = self.log_level.as_deref().unwrap_or("info");
        let auth = Recipe::new(binary("backend-auth"), folder.path())
            .env("LOG_LEVEL", level)
            .args(["--log-format", "text", "--server-port", &auth_port.number().to_string()])
            .args(["--data-dir", "auth-data", "--www"])
            .args([repository().join("www")])
            .args(&self.auth_flags);
        let tracker = Recipe::new(binary("chat-tracker"), folder.path())
            .env("LOG_LEVEL", level)
            .args(["--log-format", "text", "--server-port", &tracker_port.number().to_string()])
            .args(["--data-dir", "tracker-data", "--admin", &admin_port.local()])
            .env("STUN_PORT", tracker_port.number().to_string())
            .args(["--auth-url", &format!("http://{}", auth_port.local())])
            .args(&self.tracker_flags);
        let proxy = self
            .proxy_recipe(folder.path())
            .env("LOG_LEVEL", level)
            .args(["--log-format", "text", "--config"])
            .args([config])
            .env("PROXY_LISTEN", proxy_bound.as_str())
            .env("BACKEND_AUTH", self.auth_server.unwrap_or_else(|| auth_port.local()))
            .env("CHAT_TRACKER", self.tracker_server.unwrap_or_else(|| tracker_port.local()));

        let (auth_bound, tracker_bound) = (auth_port.local(), tracker_port.local());
        let (auth, tracker) = tokio::join!(
            Member::start("backend-auth", auth_port, auth_bound, auth),
            Member::start("chat-tracker", tracker_port, tracker_bound, tracker),
        );
        // Last, as the start scripts do it: its first health check finds the others.
        let proxy = Member::start("proxy", proxy_port, proxy_bound, proxy).await;
        World { auth, tracker, proxy, admin_port, folder }
    }

    fn write_config(&self, folder: &Path) -> PathBuf {
        let committed = repository().join("proxy.conf");
        if self.extra_config.is_empty() && self.replaced.is_empty() {
            return committed;
        }
        let mut text = std::fs::read_to_string(committed).unwrap();
        for (from, to) in &self.replaced {
            assert!(text.contains(from), "proxy.conf has no {from:?} any more");
            text = text.replace(from, to);
        }
        text.push('\n');
        text.push_str(&self.extra_config);
        let own = folder.join("proxy.conf");
        std::fs::write(&own, text).unwrap();
        own
    }

    fn proxy_recipe(&self, folder: &Path) -> Recipe {
        let Some(hosts) = &self.hosts else { return Recipe::new(binary("proxy"), folder) };
        let file = folder.join("hosts");
        std::fs::write(&file, hosts).unwrap();
        Recipe::new("unshare", folder)
            .args(["--mount", "--propagation", "private", "sh", "-ec"])
            .args(["mount --bind \"$1\" /etc/hosts; shift; exec \"$@\"", "sh"])
            .args([file, binary("proxy")])
    }
}

/// The whole stack. Everything ends and its folder vanishes when it is dropped.
#[derive(Debug)]
pub struct World {
    /// backend-auth.
    pub auth: Member,
    /// The tracker.
    pub tracker: Member,
    /// The proxy: the front door.
    pub proxy: Member,
    admin_port: Port,
    folder: TempDir,
}

impl World {
    /// The usual world.
    pub async fn start() -> Self {
        Self::plan().start().await
    }

    /// An unusual one.
    pub fn plan() -> Plan {
        Plan::default()
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file behind [`Plan::proxy_hosts`].
    pub fn hosts_file(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }

    /// A new account with a session, through the proxy.
    ///
    /// # Panics
    /// When it can't be made.
    pub async fn account(&self, name: &str) -> User {
        let user = User::new(name, &self.proxy.addr());
        user.post("/register", json!({"username": name, "password": PASSWORD})).await.ok();
        user
    }

    /// Another device of an account.
    pub async fn login(&self, name: &str) -> (User, Answer) {
        let user = User::new(name, &self.proxy.addr());
        let answer = user.post("/login", json!({"username": name, "password": PASSWORD})).await;
        (user, answer)
    }

    /// A number of the tracker's metrics, by its name with its labels.
    ///
    /// # Panics
    /// When the tracker has no such number.
    pub async fn metric(&self, name: &str) -> u64 {
        let metrics = User::new("operator", &self.admin_port.local()).get("/metrics").await.text;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
    }

    /// Someone without a session at the proxy.
    pub fn stranger(&self) -> User {
        User::new("stranger", &self.proxy.addr())
    }

    /// A guest who talks to the tracker itself, registered under `name`.
    ///
    /// # Panics
    /// When the name is taken.
    pub async fn guest(&self, name: &str) -> User {
        let user = User::new(name, &self.tracker.addr());
        user.registers().await.ok();
        user
    }
}
