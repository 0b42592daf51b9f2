//! [`User`]: someone who calls.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::patience;
use crate::stream::EventStream;

/// An open WebSocket.
pub type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A caller with a name, cookies of their own, and a server they talk to.
#[derive(Debug, Clone)]
pub struct User {
    /// The peer id they act as.
    pub name: String,
    client: reqwest::Client,
    jar: Arc<Jar>,
    base: Url,
}

impl User {
    /// A caller of the server at `addr`.
    ///
    /// # Panics
    /// When `addr` isn't one.
    pub fn new(name: &str, addr: &str) -> Self {
        let jar = Arc::new(Jar::default());
        let client = reqwest::Client::builder()
            .cookie_provider(jar.clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let base = Url::parse(&format!("http://{addr}/")).unwrap();
        Self { name: name.to_owned(), client, jar, base }
    }

    /// The same caller, claiming another name.
    #[must_use]
    pub fn acting_as(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// A request, to be completed by the test.
    ///
    /// # Panics
    /// When the path isn't one.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.base.join(path).unwrap())
    }

    /// The `Cookie` header that this user sends; empty without a session.
    pub fn cookie(&self) -> String {
        let header = self.jar.cookies(&self.base);
        header.and_then(|value| value.to_str().ok().map(str::to_owned)).unwrap_or_default()
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path).timeout(patience())).await
    }

    /// `GET`: the JSON of a success, nothing while the server is away.
    pub async fn get_if_up(&self, path: &str) -> Option<Value> {
        let request = self.request(Method::GET, path).timeout(patience());
        Answer::try_to(request).await.ok().filter(|answer| answer.status == 200)?.json().into()
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(&body).timeout(patience())).await
    }

    /// Registers as a peer.
    pub async fn registers(&self) -> Answer {
        let me = json!({"peer_id": self.name, "ip": "127.0.0.1", "port": 5001});
        self.post("/submit-info", me).await
    }

    /// Joins a channel.
    pub async fn joins(&self, channel: &str) -> Answer {
        self.post("/add-list", json!({"peer_id": self.name, "channel": channel})).await
    }

    /// Sends a message to a channel.
    pub async fn says(&self, channel: &str, message: &str) -> Answer {
        let body = json!({"peer_id": self.name, "channel": channel, "message": message});
        self.post("/broadcast-peer", body).await
    }

    /// Sends a message to a channel under an id of one's own.
    pub async fn says_as(&self, channel: &str, message: &str, id: &str) -> Result<Answer, String> {
        let body = json!({"peer_id": self.name, "channel": channel, "message": message, "id": id});
        let request = self.request(Method::POST, "/broadcast-peer").json(&body);
        Answer::try_to(request.timeout(patience())).await
    }

    /// Sends a direct message.
    pub async fn writes(&self, to: &str, message: &str) -> Answer {
        let body = json!({"from_peer": self.name, "to_peer": to, "message": message});
        self.post("/send-peer", body).await
    }

    /// The texts of a channel's newest messages.
    ///
    /// # Panics
    /// When they can't be read.
    pub async fn reads(&self, channel: &str) -> Vec<String> {
        let page = self.get(&format!("/get-messages?channel={channel}")).await.ok();
        let messages = page["messages"].as_array().unwrap();
        messages.iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The whole of a channel's log, paged by `seq`: every message as the tracker tells it.
    ///
    /// # Panics
    /// When it can't be read.
    pub async fn history(&self, channel: &str, mut after: u64) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let path = format!("/chat/messages?channel={channel}&after_seq={after}&limit=200");
            let page = self.get(&path).await.ok();
            let messages = page["messages"].as_array().unwrap();
            let Some(last) = messages.last() else { return all };
            after = last["seq"].as_u64().unwrap();
            all.extend(messages.iter().cloned());
        }
    }

    /// Opens the live stream, from a cursor or from now on.
    ///
    /// # Errors
    /// When it isn't given.
    pub async fn events(&self, cursor: Option<&str>) -> Result<EventStream, String> {
        let path = format!("/chat/events?peer_id={}", self.name);
        let mut request = self.request(Method::GET, &path);
        if let Some(cursor) = cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        EventStream::open(request).await
    }

    /// Opens a WebSocket as a browser does for a page of this server.
    ///
    /// # Panics
    /// When it isn't given.
    pub async fn web_socket(&self, path: &str) -> WebSocket {
        let mut url = self.base.join(path).unwrap();
        url.set_scheme("ws").unwrap();
        let mut request = url.as_str().into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("cookie", self.cookie().parse().unwrap());
        headers.insert("origin", self.base.origin().ascii_serialization().parse().unwrap());
        tokio_tungstenite::connect_async(request).await.unwrap().0
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Sends a request and reads the answer.
    ///
    /// # Panics
    /// When none comes.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::try_to(request).await.unwrap()
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When none comes, or not all of it.
    pub async fn try_to(request: RequestBuilder) -> Result<Self, String> {
        let response: Response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.map_err(|error| format!("{error:?}"))?;
        Ok(Self { status, headers, text })
    }

    /// The body as JSON; `null` when it isn't.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header as text; empty without one.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The JSON of a success.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn ok(&self) -> Value {
        let json = self.json();
        assert!(
            (200..300).contains(&self.status) && json["status"] == "success",
            "expected a success, got {} {}",
            self.status,
            self.text
        );
        json
    }

    /// Checks that it is this error.
    ///
    /// # Panics
    /// When it isn't.
    #[track_caller]
    pub fn fails(&self, status: u16, code: &str) {
        let json = self.json();
        assert!(
            self.status == status && json["status"] == "error" && json["code"] == code,
            "expected {status} {code}, got {} {}",
            self.status,
            self.text
        );
        assert!(json["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.text);
    }
}
