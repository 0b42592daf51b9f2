//! A provider of OpenID Connect on loopback: discovery, a page that lets everybody in at once, the exchange of codes (client authentication, PKCE, each
//! code once), keys that change. It keeps the rules, but for those that a test tells it to break.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Form, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use backend_auth::Flags;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

use crate::authenticator::ORIGIN;
use crate::support::{Answer, Visitor, World};

/// What the provider calls us.
pub(crate) const CLIENT: &str = "hybrid-chat";
/// By what it knows us: with signs that are encoded on the way.
pub(crate) const SECRET: &str = "our+client secret:100%";
/// Where it sends browsers back to.
const REDIRECT: &str = "http://localhost:8080/auth/oidc/callback";

/// How an ID token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// As it should be, with the newest key.
    Es256,
    /// Not at all.
    Nothing,
    /// With HMAC, keyed with the public key as it is published.
    PublicKeyAsSecret,
    /// With a key that isn't published, under the id of one that is.
    AnotherKey,
}

/// How it answers everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// 503.
    Down,
    /// Never.
    Silent,
    /// With more than anyone wants to read.
    Verbose,
    /// With a redirect to where the right answer is.
    Elsewhere,
}

type Change = Box<dyn Fn(&mut Value) + Send>;

/// What the provider knows, what it did, and how it is to behave.
pub(crate) struct Desk {
    issuer: String,
    /// Who is signed in to it.
    pub(crate) subject: String,
    /// What that person is called.
    pub(crate) username: Value,
    /// Whether it knows us by a secret, or we are a public client.
    pub(crate) secret: Option<&'static str>,
    /// What it says of itself besides what it has to.
    pub(crate) about: Value,
    /// `iss` of its answers.
    pub(crate) names: Option<String>,
    /// What it says instead of giving a code.
    pub(crate) denies: Option<&'static str>,
    pub(crate) mood: Mood,
    /// Paths that the mood is about; all of them when empty.
    pub(crate) moody: &'static str,
    pub(crate) sign: Sign,
    /// What it changes in a token's claims before it signs them.
    pub(crate) claims: Option<Change>,
    keys: Vec<(String, SigningKey)>,
    codes: HashMap<String, HashMap<String, String>>,
    /// Requests, by path.
    pub(crate) asked: HashMap<String, usize>,
    /// Queries of its page: `state`, `nonce`, …
    pub(crate) visits: Vec<HashMap<String, String>>,
    /// Exchanges: the form, and `authorization`.
    pub(crate) exchanges: Vec<HashMap<String, String>>,
    /// What it told no one else.
    pub(crate) secrets: Vec<String>,
}

type Shared = State<Arc<Mutex<Desk>>>;

/// The provider.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    desk: Arc<Mutex<Desk>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A listener that speaks TLS.
struct Secure {
    listener: tokio::net::TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, peer)) = self.listener.accept().await else { continue };
            // Whoever doesn't believe the certificate goes away.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/staff", listener.local_addr().unwrap());
        Self::serve(listener, issuer)
    }

    /// One that is reached over https; with the certificate (PEM) that vouches for it.
    pub(crate) async fn start_secure() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = Secure { listener, tls: Arc::new(config).into() };
        let issuer = format!("https://localhost:{port}/realms/staff");
        (Self::serve(listener, issuer), made.cert.pem())
    }

    fn serve<L>(listener: L, issuer: String) -> Self
    where
        L: axum::serve::Listener,
        L::Addr: std::fmt::Debug,
    {
        let mut desk = Desk {
            issuer: issuer.clone(),
            subject: "248289761001".to_owned(),
            username: json!("ada"),
            secret: Some(SECRET),
            about: json!({}),
            names: None,
            denies: None,
            mood: Mood::Well,
            moody: "",
            sign: Sign::Es256,
            claims: None,
            keys: Vec::new(),
            codes: HashMap::new(),
            asked: HashMap::new(),
            visits: Vec::new(),
            exchanges: Vec::new(),
            secrets: Vec::new(),
        };
        desk.rotate();
        let desk = Arc::new(Mutex::new(desk));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/keys", get(keys));
        let routes = Router::new()
            .nest("/realms/staff", routes)
            .layer(middleware::from_fn_with_state(desk.clone(), mood))
            .with_state(desk.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { issuer, desk, serving }
    }

    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }

    /// Flags of a server that lets people in by it.
    pub(crate) fn flags(&self, flags: &mut Flags) {
        flags.public_origin = Some(ORIGIN.to_owned());
        flags.oidc.oidc_issuer = Some(self.issuer.clone());
        flags.oidc.oidc_client_id = Some(CLIENT.to_owned());
        flags.oidc.oidc_client_secret = Some(SECRET.parse().unwrap());
        flags.oidc.oidc_name = Some("Staff".to_owned());
        flags.oidc.oidc_pause = std::time::Duration::ZERO;
        // Long for a loopback, so that no busy machine makes a test fail.
        flags.oidc.oidc_timeout = std::time::Duration::from_secs(20);
    }

    /// A server that lets people in by it.
    pub(crate) async fn world(&self) -> World {
        self.world_with(|_| {}).await
    }

    pub(crate) async fn world_with(&self, change: impl FnOnce(&mut Flags)) -> World {
        World::with(|flags| {
            self.flags(flags);
            change(flags);
        })
        .await
    }

    /// Someone else sits before it.
    pub(crate) fn is_visited_by(&self, subject: &str, username: &str) {
        let mut desk = self.desk();
        desk.subject = subject.to_owned();
        desk.username = json!(username);
    }

    /// At its page, for a browser that believes its certificate: where it sends it, on our site.
    pub(crate) fn let_in(&self, page: &str) -> String {
        let uri: http::Uri = page.parse().unwrap();
        let Query(asked) = Query::try_from_uri(&uri).unwrap();
        let back = self.desk().authorize(asked).unwrap();
        back.strip_prefix(ORIGIN).unwrap().to_owned()
    }

    /// How often a path of it was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.desk().asked.get(&format!("/realms/staff{path}")).copied().unwrap_or_default()
    }
}

impl Desk {
    /// Signs with another key from now on, and publishes no other.
    pub(crate) fn rotate(&mut self) {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).unwrap();
        secret[0] = 1;
        let id = format!("key-{}", random());
        self.keys = vec![(id, SigningKey::from_slice(&secret).unwrap())];
    }

    /// Its page lets everybody in at once: where it sends the browser, or what is wrong with the question.
    fn authorize(&mut self, asked: HashMap<String, String>) -> Result<String, &'static str> {
        let wanted = [
            ("client_id", CLIENT),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("code_challenge_method", "S256"),
        ];
        // Never to an address that it doesn't know (RFC 6749 §4.1.2.1).
        if let Some((name, _)) =
            wanted.iter().find(|(name, value)| asked.get(*name).is_none_or(|told| told != value))
        {
            return Err(name);
        }
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{asked:?}");
        let mut answer = vec![("state", asked["state"].clone())];
        match self.denies {
            Some(error) => answer.push(("error", error.to_owned())),
            None => {
                let code = random();
                answer.push(("code", code.clone()));
                self.codes.insert(code.clone(), asked.clone());
                self.secrets.push(code);
            }
        }
        answer.extend(self.names.clone().map(|issuer| ("iss", issuer)));
        self.visits.push(asked);
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let query: Vec<String> =
            answer.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        Ok(format!("{REDIRECT}?{}", query.join("&")))
    }

    fn published(&self) -> Value {
        let keys = self.keys.iter().map(|(id, key)| {
            let point = key.verifying_key().to_encoded_point(false);
            let [x, y] = [point.x(), point.y()].map(|part| URL_SAFE_NO_PAD.encode(part.unwrap()));
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": x, "y": y})
        });
        json!({"keys": keys.collect::<Vec<_>>()})
    }

    fn sign(&self, claims: &Value) -> String {
        let (id, key) = self.keys.last().unwrap();
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let body = |head: Value| format!("{}.{}", encoded(&head), encoded(claims));
        match self.sign {
            Sign::Es256 | Sign::AnotherKey => {
                let body = body(json!({"alg": "ES256", "kid": id}));
                let stranger = SigningKey::from_slice(&[7; 32]).unwrap();
                let key = if self.sign == Sign::Es256 { key } else { &stranger };
                let signature: Signature = key.sign(body.as_bytes());
                format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
            }
            Sign::Nothing => format!("{}.", body(json!({"alg": "none", "kid": id}))),
            Sign::PublicKeyAsSecret => {
                let body = body(json!({"alg": "HS256", "kid": id}));
                let public = key.verifying_key().to_encoded_point(false);
                let secret = EncodingKey::from_secret(public.as_bytes());
                let signature =
                    jsonwebtoken::crypto::sign(body.as_bytes(), &secret, Algorithm::HS256);
                format!("{body}.{}", signature.unwrap())
            }
        }
    }
}

fn random() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn mood(State(desk): Shared, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mood = {
        let mut desk = desk.lock().unwrap();
        *desk.asked.entry(path.clone()).or_default() += 1;
        if path.ends_with(desk.moody) && !path.ends_with("/there") { desk.mood } else { Mood::Well }
    };
    match mood {
        Mood::Well => next.run(request).await,
        Mood::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Silent => std::future::pending().await,
        Mood::Verbose => vec![b' '; 2 << 20].into_response(),
        Mood::Elsewhere => {
            let there = format!("{path}?there");
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, there)]).into_response()
        }
    }
}

async fn discover(State(desk): Shared) -> Json<Value> {
    let issuer = desk.lock().unwrap().issuer.clone();
    let mut told = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    for (name, value) in desk.lock().unwrap().about.as_object().unwrap() {
        told[name] = value.clone();
    }
    Json(told)
}

async fn keys(State(desk): Shared) -> Json<Value> {
    Json(desk.lock().unwrap().published())
}

async fn authorize(State(desk): Shared, Query(asked): Query<HashMap<String, String>>) -> Response {
    match desk.lock().unwrap().authorize(asked) {
        Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        Err(wrong) => (StatusCode::BAD_REQUEST, wrong).into_response(),
    }
}

async fn token(
    State(desk): Shared,
    headers: HeaderMap,
    Form(mut form): Form<HashMap<String, String>>,
) -> Response {
    let mut desk = desk.lock().unwrap();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        form.insert("authorization".to_owned(), value.to_str().unwrap().to_owned());
    }
    desk.exchanges.push(form.clone());
    let refused = |error| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    if !knows(desk.secret, &form) {
        return refused("invalid_client");
    }
    // Once, whatever comes of it.
    let Some(asked) = form.get("code").and_then(|code| desk.codes.remove(code)) else {
        return refused("invalid_grant");
    };
    let verifier = form.get("code_verifier").cloned().unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let fits = form.get("grant_type").is_some_and(|kind| kind == "authorization_code")
        && form.get("redirect_uri") == asked.get("redirect_uri")
        && (43..=128).contains(&verifier.len())
        && asked.get("code_challenge") == Some(&challenge);
    if !fits {
        return refused("invalid_grant");
    }
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": desk.issuer, "sub": desk.subject, "aud": CLIENT, "iat": now, "exp": now + 300,
        "auth_time": now, "nonce": asked["nonce"], "preferred_username": desk.username,
    });
    if let Some(change) = &desk.claims {
        change(&mut claims);
    }
    let (id_token, access_token) = (desk.sign(&claims), random());
    desk.secrets.extend([id_token.clone(), access_token.clone(), verifier]);
    let answer =
        json!({"token_type": "Bearer", "access_token": access_token, "id_token": id_token});
    Json(answer).into_response()
}

/// Whether the form or its header shows the secret, in the form that RFC 6749 §2.3.1 gives it; or, without a secret, names the client.
fn knows(secret: Option<&str>, form: &HashMap<String, String>) -> bool {
    let Some(secret) = secret else {
        return form.get("client_id").is_some_and(|id| id == CLIENT)
            && !form.contains_key("authorization");
    };
    if let Some(value) = form.get("authorization") {
        let pair = STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap();
        let pair = String::from_utf8(pair).unwrap();
        let (id, shown) = pair.split_once(':').unwrap();
        let plain = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        return (plain(id), plain(shown)) == (CLIENT.to_owned(), secret.to_owned());
    }
    form.get("client_secret").is_some_and(|shown| shown == secret)
}

/// Sends a browser off to the provider: the address of its page.
pub(crate) async fn go(visitor: &Visitor, path: &str) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").to_owned()
}

/// At the provider's page: where it sends the browser back to, on our site.
pub(crate) async fn there(page: &str) -> String {
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(page).send().await.unwrap();
    assert_eq!(answer.status(), 302, "{page}");
    let back = answer.headers()["location"].to_str().unwrap();
    back.strip_prefix(ORIGIN).unwrap().to_owned()
}

/// The whole way, from a path that leads to the provider to our answer after it.
pub(crate) async fn pass(visitor: &Visitor, path: &str) -> Answer {
    visitor.get(&there(&go(visitor, path).await).await).await
}

/// Signs in.
pub(crate) async fn sign_in(visitor: &Visitor) -> Answer {
    pass(visitor, "/auth/oidc/login").await
}

/// Links the account of someone who is signed in.
pub(crate) async fn link(visitor: &Visitor) -> Answer {
    let begun = visitor.post("/auth/oidc/link", json!({})).await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    let page = begun.json()["location"].as_str().unwrap().to_owned();
    visitor.get(&there(&page).await).await
}

/// Where an answer sends the browser.
#[track_caller]
pub(crate) fn assert_leads(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{}", answer.text);
}

/// An address at which nobody is.
pub(crate) async fn nobody() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
