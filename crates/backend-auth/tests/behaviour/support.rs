//! The vocabulary of these tests: a world with a server, visitors with cookies, answers to look at.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use backend_auth::{AuthServer, Config, Flags};
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A password that does.
pub(crate) const PASSWORD: &str = "seven violins at dusk";
/// Another one.
pub(crate) const OTHER_PASSWORD: &str = "nine trombones by dawn";

/// A server with a folder of its own.
pub(crate) struct World {
    pub(crate) server: AuthServer,
    pub(crate) folder: tempfile::TempDir,
    flags: Flags,
}

/// Flags for tests: any port, hashes that cost nothing, throttles that are never in the way.
pub(crate) fn flags(folder: &Path) -> Flags {
    Flags {
        server_port: 0,
        data_dir: folder.join("data"),
        www: folder.join("www"),
        hash_memory_kib: 8,
        hash_passes: 1,
        login_burst: 100_000,
        login_free_tries: 100_000,
        register_burst: 100_000,
        account_delay_max: std::time::Duration::ZERO,
        ..Flags::defaults()
    }
}

pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let www = folder.path().join("www");
    fs::create_dir_all(www.join("js")).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    for (name, content) in [
        ("index.html", "<!doctype html><title>chat</title>"),
        (
            "login.html",
            "<!doctype html><title>login</title><p id=\"error\"></p><p id=\"oidc\"></p><a href=\"/register\">new</a>",
        ),
        (
            "login-name.html",
            "<!doctype html><title>name</title><p id=\"error\"></p><a href=\"/login\">back</a>",
        ),
        (
            "login-code.html",
            "<!doctype html><title>code</title><label id=\"code-label\">Code</label><p id=\"code-hint\"></p>\
             <p id=\"error\"></p><a href=\"/login\">back</a>",
        ),
        (
            "register.html",
            "<!doctype html><title>register</title><p id=\"error\"></p><p id=\"oidc\"></p><a href=\"/login\">in</a>",
        ),
        ("reset.html", "<!doctype html><title>reset</title>"),
        ("account.html", "<!doctype html><title>account</title>"),
        ("admin.html", "<!doctype html><title>admin</title>"),
        ("js/app.js", "export const answer = 42;\n"),
        ("style.css", "body { color: black }\n"),
        ("icon.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("app.webmanifest", "{}"),
        ("digits.txt", "0123456789"),
        (".hidden", "secret"),
    ] {
        fs::write(www.join(name), content).unwrap();
    }
    fs::write(folder.path().join("outside.txt"), "secret").unwrap();
    folder
}

pub(crate) async fn start(flags: Flags) -> AuthServer {
    AuthServer::bind(Config::try_from(flags).unwrap()).await.unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Flags)) -> Self {
        let folder = folder();
        let mut flags = flags(folder.path());
        change(&mut flags);
        Self { server: start(flags.clone()).await, folder, flags }
    }

    /// Restarts it with a database in which everyone signed in so many seconds earlier.
    pub(crate) async fn age_sign_ins(&mut self, seconds: i64) {
        self.change_database(|db| {
            db.execute("UPDATE sessions SET auth_time = auth_time - ?", [seconds]).unwrap();
        })
        .await;
    }

    /// Restarts it with a database that is changed in between.
    pub(crate) async fn change_database(&mut self, change: impl FnOnce(&rusqlite::Connection)) {
        // Two servers may not have one folder: the first goes before the other comes.
        let elsewhere = folder();
        let placeholder = start(flags(elsewhere.path())).await;
        std::mem::replace(&mut self.server, placeholder).shutdown().await;
        change(&rusqlite::Connection::open(self.database()).unwrap());
        let again = start(self.flags.clone()).await;
        std::mem::replace(&mut self.server, again).shutdown().await;
    }

    /// The same visitor at the server as it is now.
    pub(crate) fn again(&self, visitor: &Visitor) -> Visitor {
        let moved = self.visitor();
        *moved.cookies.lock().unwrap() = visitor.cookies.lock().unwrap().clone();
        moved
    }

    /// Restarts it with a public origin.
    pub(crate) async fn tell_origin(&mut self, origin: &str) {
        self.flags.public_origin = Some(origin.to_owned());
        self.change_database(|_| {}).await;
    }

    /// A visitor who calls the server `localhost`, and the origin of the pages that it sees there.
    pub(crate) fn local_visitor(&self) -> (Visitor, String) {
        let base = format!("http://localhost:{}", self.server.addr().port());
        (Visitor { base: base.clone(), ..self.visitor() }, base)
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::of(&self.server)
    }

    /// A visitor who has just made an account.
    pub(crate) async fn member(&self, name: &str) -> Visitor {
        let visitor = self.visitor();
        let answer = visitor.register(name, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        visitor
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data/auth.db")
    }
}

/// A client with cookies of its own, that follows no redirect.
pub(crate) struct Visitor {
    client: reqwest::Client,
    base: String,
    pub(crate) cookies: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn cookie_lines(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
    }
}

impl Visitor {
    pub(crate) fn of(server: &AuthServer) -> Self {
        Self::at(server.addr())
    }

    /// A visitor of the server at an address.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, base: format!("http://{addr}"), cookies: Mutex::default() }
    }

    /// Sends a request as it is, and keeps the cookies of its answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        let cookies = self.cookie_header();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        let mut cookies = self.cookies.lock().unwrap();
        for line in answer.cookie_lines() {
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(cookies);
        answer
    }

    pub(crate) fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    pub(crate) fn cookie(&self, name: &str) -> String {
        self.cookies.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_with(path, body, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(Method::POST, path, &all, Some(body.to_string())).await
    }

    pub(crate) async fn post_form(&self, path: &str, body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &form, Some(body.to_owned())).await
    }

    pub(crate) async fn register(&self, name: &str, password: &str) -> Answer {
        self.post("/register", json!({"username": name, "password": password})).await
    }

    pub(crate) async fn login(&self, name: &str, password: &str) -> Answer {
        self.post("/login", json!({"username": name, "password": password})).await
    }

    /// Whether the proxy would let this visitor in.
    pub(crate) async fn is_signed_in(&self) -> bool {
        let verified = self.get("/auth/verify").await.status;
        let me = self.get("/me").await.status;
        assert_eq!(verified, me, "both ask for the same session");
        verified == 200
    }

    /// The same cookies in another browser.
    pub(crate) fn copy(&self) -> Self {
        let cookies = self.cookies.lock().unwrap().clone();
        Self { client: self.client.clone(), base: self.base.clone(), cookies: Mutex::new(cookies) }
    }
}
