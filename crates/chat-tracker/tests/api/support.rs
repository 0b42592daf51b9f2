//! A running tracker, peers that call it, and a stand-in for backend-auth.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Query;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_tracker::settings::TrackerArgs;
use chat_tracker::{Tracker, run};
use clap::Parser;
use ed25519_dalek::{Signer, SigningKey};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use service::Shutdown;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    tracker: TrackerArgs,
}

/// A tracker on a port of its own, with a folder of its own.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) client: Client,
    tracker: Tracker,
    folder: TempDir,
    flags: Vec<String>,
    shutdown: Shutdown,
    served: JoinHandle<()>,
}

/// A tracker in open mode, without backend-auth.
pub(crate) async fn tracker() -> Running {
    tracker_with(&[]).await
}

/// A tracker with flags.
pub(crate) async fn tracker_with(flags: &[&str]) -> Running {
    let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    start(tempfile::tempdir().unwrap(), flags).await
}

async fn start(folder: TempDir, flags: Vec<String>) -> Running {
    let mut line = vec!["chat-tracker".to_owned()];
    line.extend(["--data-dir".to_owned(), folder.path().display().to_string()]);
    // Port 1 is closed: backend-auth is away unless a test names one. The STUN server takes any free port.
    for (flag, usual) in [("--auth-url", "http://127.0.0.1:1"), ("--stun-port", "0")] {
        if !flags.iter().any(|named| named == flag) {
            line.extend([flag.to_owned(), usual.to_owned()]);
        }
    }
    line.extend(flags.clone());
    let args = Flags::try_parse_from(line).unwrap().tracker;
    let (tracker, writer) = Tracker::open(&args).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let limits = service::http::HttpLimits::default();
    let served = tokio::spawn(run(listener, tracker.clone(), writer, limits, shutdown.clone()));
    Running { addr, client: Client::new(), tracker, folder, flags, shutdown, served }
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Where its files are.
    #[allow(dead_code, reason = "the tests of live streams look there")]
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Stops it gracefully and starts it on the same data.
    pub(crate) async fn restarted(self) -> Self {
        let Self { tracker, folder, flags, shutdown, served, client, .. } = self;
        drop((tracker, client));
        shutdown.cancel();
        served.await.unwrap();
        start(folder, flags).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    /// A good answer to a `POST`.
    pub(crate) async fn ok(&self, path: &str, body: Value) -> Value {
        good(self.post(path, body).await)
    }

    /// A registered guest.
    pub(crate) async fn guest(&self, id: &str) -> Peer<'_> {
        self.ok("/submit-info", json!({ "peer_id": id, "ip": "10.0.0.1", "port": 5000 })).await;
        Peer { tracker: self, id: id.to_owned(), token: None }
    }

    /// An account, by its token.
    pub(crate) fn account(&self, name: &str, token: String) -> Peer<'_> {
        Peer { tracker: self, id: name.to_owned(), token: Some(token) }
    }
}

/// Someone who calls.
pub(crate) struct Peer<'a> {
    tracker: &'a Running,
    pub(crate) id: String,
    token: Option<String>,
}

impl Peer<'_> {
    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.signed(self.tracker.request(Method::POST, path)).json(&body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.signed(self.tracker.request(Method::GET, path))).await
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn joins(&self, channel: &str) {
        let body = json!({ "peer_id": self.id, "channel": channel });
        good(self.post("/add-list", body).await);
    }

    pub(crate) async fn says(&self, channel: &str, message: &str) -> Value {
        let body = json!({ "peer_id": self.id, "channel": channel, "message": message });
        good(self.post("/broadcast-peer", body).await)
    }

    pub(crate) async fn writes(&self, to: &str, message: &str, id: &str) -> Value {
        let body = json!({ "from_peer": self.id, "to_peer": to, "message": message, "id": id });
        good(self.post("/send-peer", body).await)
    }

    pub(crate) async fn reads(&self, channel: &str, seq: u64) -> Value {
        let body = json!({ "peer_id": self.id, "channel": channel, "seq": seq });
        good(self.post("/chat/read", body).await)
    }

    /// The peer's view of one of its channels.
    pub(crate) async fn channel(&self, channel: &str) -> Value {
        let all = good(self.get(&format!("/chat/channels?peer_id={}", self.id)).await);
        let channels = all["channels"].as_array().unwrap();
        channels.iter().find(|each| each["channel"] == channel).cloned().unwrap_or(Value::Null)
    }

    pub(crate) async fn mailbox(&self) -> Value {
        good(self.get(&format!("/chat/mailbox?peer_id={}", self.id)).await)
    }

    pub(crate) async fn acks(&self, from: &str, id: &str) -> Value {
        let body = json!({ "peer_id": self.id, "messages": [{ "from": from, "id": id }] });
        good(self.post("/chat/mailbox/ack", body).await)
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text:?}")))
}

/// The body of a good answer.
pub(crate) fn good((status, body): (StatusCode, Value)) -> Value {
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["status"], "success", "{body}");
    body
}

/// Asserts an error's status and code; its message, for a closer look.
pub(crate) fn refused((status, body): (StatusCode, Value), expected: u16, code: &str) -> String {
    assert_eq!((status.as_u16(), body["code"].as_str()), (expected, Some(code)), "{body}");
    assert_eq!(body["status"], "error", "{body}");
    body["message"].as_str().unwrap().to_owned()
}

/// The same JSON with what differs from run to run replaced by `*`; times are checked on the way.
pub(crate) fn masked(mut value: Value) -> Value {
    fn mask(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(mask),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match name.as_str() {
                        "timestamp" | "last_seen" | "registered_at" => {
                            let time = value.as_str().unwrap();
                            assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
                            *value = json!("*");
                        }
                        "id" => *value = json!("*"),
                        _ => mask(value),
                    }
                }
            }
            _ => {}
        }
    }
    mask(&mut value);
    value
}

/// A stand-in for backend-auth: its key set, its sign-in.
pub(crate) struct FakeAuth {
    pub(crate) addr: SocketAddr,
    pub(crate) asked: Arc<AtomicUsize>,
    keys: Arc<std::sync::Mutex<Vec<u8>>>,
    revoked: Arc<std::sync::Mutex<Revoked>>,
    server: JoinHandle<()>,
}

impl Drop for FakeAuth {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The sessions that ended, under the name of a time that one may ask about; before the first, it doesn't tell.
type Revoked = Option<(String, Vec<String>)>;

/// A stand-in with one key.
pub(crate) async fn auth() -> FakeAuth {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    auth_on(listener).await
}

pub(crate) async fn auth_on(listener: TcpListener) -> FakeAuth {
    let addr = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let keys = Arc::new(std::sync::Mutex::new(vec![1]));
    let (counted, told) = (asked.clone(), keys.clone());
    let jwks = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        let keys: Vec<Value> = told.lock().unwrap().iter().map(|&key| jwk(key)).collect();
        Json(json!({ "keys": keys, "issuer": "hybrid-chat" }))
    };
    let revoked = Arc::new(std::sync::Mutex::new(Revoked::None));
    let (ended, named) = (revoked.clone(), keys.clone());
    let revocations = move |Query(asked): Query<HashMap<String, String>>| async move {
        let Some((time, sids)) = ended.lock().unwrap().clone() else {
            return Err(StatusCode::NOT_FOUND);
        };
        let from = asked.get("since").map(|since| since.strip_prefix(&format!("{time}:")));
        let from = from.map(|count| count.map(|count| count.parse::<usize>().unwrap()));
        let keys: Vec<String> = named.lock().unwrap().iter().map(|key| format!("k{key}")).collect();
        Ok(Json(json!({
            "cursor": format!("{time}:{}", sids.len()), "reset": from == Some(None), "more": false, "keys": keys,
            "sids": sids[from.flatten().unwrap_or(0)..],
        })))
    };
    let router = Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/internal/revocations", get(revocations))
        .route("/login", post(fake_login))
        .route("/token", post(fake_token));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    FakeAuth { addr, asked, keys, revoked, server }
}

async fn fake_login(
    headers: axum::http::HeaderMap,
    Json(body): Json<Value>,
) -> axum::response::Response {
    use axum::response::IntoResponse;
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    // It would stay for days, and put people out.
    assert_eq!(body["brief"], true, "a session for one token");
    let error = |message: &str| Json(json!({ "status": "error", "message": message, "code": "x" }));
    match body["password"].as_str() {
        Some("right") => {
            let cookie = [("set-cookie", "session=abc; HttpOnly; Path=/")];
            (cookie, Json(json!({ "status": "success", "username": body["username"] })))
                .into_response()
        }
        Some("again") => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], error("too many tries"))
                .into_response()
        }
        _ => (StatusCode::UNAUTHORIZED, error("wrong name or password")).into_response(),
    }
}

async fn fake_token(headers: axum::http::HeaderMap) -> Json<Value> {
    assert_eq!(headers["cookie"], "session=abc");
    let token = token(1, &claims("alice"));
    Json(json!({
        "status": "success", "access_token": token, "token_type": "Bearer", "expires_in": 300,
        "username": "alice",
    }))
}

impl FakeAuth {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The numbers of the keys that it tells from now on.
    pub(crate) fn tells(&self, keys: &[u8]) {
        *self.keys.lock().unwrap() = keys.to_vec();
    }

    /// Tells that a session ended.
    #[allow(dead_code, reason = "the tests of live streams do it")]
    pub(crate) fn ends(&self, sid: &str) {
        let mut revoked = self.revoked.lock().unwrap();
        let (_, sids) = revoked.get_or_insert_with(|| ("then".to_owned(), Vec::new()));
        sids.push(sid.to_owned());
    }

    /// Tells of sessions from now on, and nothing of those before.
    #[allow(dead_code, reason = "the tests of live streams do it")]
    pub(crate) fn begins_anew(&self, time: &str) {
        *self.revoked.lock().unwrap() = Some((time.to_owned(), Vec::new()));
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Stops it, so that nobody answers at its address.
    pub(crate) async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }
}

pub(crate) fn signing_key(key: u8) -> SigningKey {
    SigningKey::from_bytes(&[key; 32])
}

fn jwk(key: u8) -> Value {
    let x = URL_SAFE_NO_PAD.encode(signing_key(key).verifying_key());
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": format!("k{key}"), "alg": "EdDSA", "use": "sig" })
}

/// Good claims for an account, whose `sub` is `u-NAME`.
pub(crate) fn claims(name: &str) -> Value {
    let now = jiff::Timestamp::now().as_second();
    json!({
        "iss": "hybrid-chat", "aud": ["chat-tracker"], "sub": format!("u-{name}"), "sid": "s-1",
        "name": name, "roles": ["member"], "scope": "chat:read chat:write", "amr": ["pwd"],
        "auth_time": now, "iat": now, "nbf": now, "exp": now + 300, "jti": "j-1",
    })
}

/// A token signed with one of the keys.
pub(crate) fn token(key: u8, claims: &Value) -> String {
    let header = json!({ "alg": "EdDSA", "typ": "chat-id+jwt", "kid": format!("k{key}") });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = signing_key(key).sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}
