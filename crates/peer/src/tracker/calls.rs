//! [`Tracker`]: who this peer is to the server, and each call that it makes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use wire::chat::{
    AckMailbox, Acked, AskDelivery, Channels, Deliveries, DirectRef, GetMailbox, JoinChannel,
    ListChannels, ListMembers, Mailbox, MarkRead, Me, Members, Membership, Peers, ReadMarker,
    Scope,
};
use wire::device::{Devices, ListDevices, RegisterDevice};
use wire::signal::{AskIce, Ice, SendSignal, Signalled};
use wire::tracker::{
    AddList, Added, BroadcastPeer, Broadcasted, GetMessages, Messages, SubmitInfo, Submitted,
};
use wire::{ChannelName, MessageId, PeerId};

use super::door::{Entry, HalfWay, log_in};
use super::http::{Call, CallError, Http};
use super::server::Server;
use super::session::Session;
use crate::config::Login;

/// Why signing in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The name or the password is wrong, the session is over, or guests may not come in.
    #[error("{0}")]
    Refused(String),
    /// The password is right, and the account asks for a second factor.
    #[error("{0}")]
    SecondFactor(Box<HalfWay>),
    /// The server doesn't answer, or not as one of ours.
    #[error("{0}")]
    Unreachable(String),
    /// The session can't be kept.
    #[error("the session can't be kept in {folder}: {source}")]
    Keep {
        /// The data folder.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The server, and who this peer is to it. Cheap to clone.
#[derive(Clone)]
pub struct Tracker(Arc<Inner>);

struct Inner {
    http: Http,
    me: PeerId,
    guest: bool,
    password: Option<String>,
    folder: PathBuf,
    // A std lock: held for a copy.
    session: Mutex<Option<Session>>,
    /// Of several calls that find the session over, one signs in again.
    renewing: tokio::sync::Mutex<()>,
}

/// The parts of an answer that nobody reads.
#[derive(Deserialize)]
struct Ignored {}

impl Tracker {
    /// Signs in: with the session that the folder keeps if it is one of this account's, else with the password, and keeps
    /// what came of it. A guest needs neither.
    ///
    /// An absent server is an error only for an account without a kept session.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(
        server: Server,
        login: &Login,
        folder: PathBuf,
    ) -> Result<Self, SignInError> {
        let http = Http::new(server);
        let (user, password) = match login {
            Login::Guest { name } => {
                let tracker = Self::new(http, name.clone(), true, None, folder, None);
                return tracker.greet().await.map(|()| tracker);
            }
            Login::Account { user, password } => (user, password.clone()),
        };
        let kept = Session::load(&folder).filter(|session| {
            session.server == http.server().to_string() && same(&session.user, user)
        });
        if let Some(session) = kept {
            let me = session.user.clone();
            let tracker = Self::new(http, me, false, password, folder, Some(session));
            return match tracker.me().await {
                Ok(_) => Ok(tracker),
                Err(error) if error.is_unauthenticated() && tracker.0.password.is_none() => {
                    Err(SignInError::Refused(format!(
                        "the session of {user} is over: sign in again with `peer login`"
                    )))
                }
                Err(error) => match sign_in_error(error) {
                    // The session may still be good: that shows when the server is back.
                    SignInError::Unreachable(_) => Ok(tracker),
                    refused => Err(refused),
                },
            };
        }
        match password {
            Some(password) => Self::enter(http, user, password, folder).await,
            None => Err(SignInError::Refused(format!(
                "{user} is not signed in at {}: sign in with `peer login`, or give the password",
                http.server()
            ))),
        }
    }

    /// A guest finds out whether it may come in, under this name. An absent server may say so later.
    async fn greet(&self) -> Result<(), SignInError> {
        let of = Some(self.0.me.clone());
        let asked: Result<Devices, _> =
            self.get("/chat/devices", &ListDevices { peer_id: of.clone(), of }).await;
        match asked {
            Err(error) if error.is_unauthenticated() => Err(SignInError::Refused(format!(
                "{} asks for an account: use --user; guests are let in by a tracker that is asked itself",
                self.server()
            ))),
            Err(CallError::Refused { status: 403, message, .. }) => {
                Err(SignInError::Refused(message))
            }
            // Not registered yet; busy; away.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Signs in with the password, and keeps the session in place of one that was kept before.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in_anew(
        server: Server,
        user: &PeerId,
        password: String,
        folder: PathBuf,
    ) -> Result<Self, SignInError> {
        Self::enter(Http::new(server), user, password, folder).await
    }

    async fn enter(
        http: Http,
        user: &PeerId,
        password: String,
        folder: PathBuf,
    ) -> Result<Self, SignInError> {
        match log_in(&http, user, &password).await.map_err(sign_in_error)? {
            Entry::In(session) => Self::entered(http, password, folder, session),
            Entry::HalfWay { cookie, factors } => {
                Err(SignInError::SecondFactor(Box::new(HalfWay {
                    http,
                    user: user.clone(),
                    password,
                    folder,
                    cookie,
                    factors,
                })))
            }
        }
    }

    pub(super) fn entered(
        http: Http,
        password: String,
        folder: PathBuf,
        session: Session,
    ) -> Result<Self, SignInError> {
        keep(&session, &folder)?;
        let me = session.user.clone();
        Ok(Self::new(http, me, false, Some(password), folder, Some(session)))
    }

    /// With a session as it was kept.
    pub fn of_session(server: Server, session: Session, folder: PathBuf) -> Self {
        let me = session.user.clone();
        Self::new(Http::new(server), me, false, None, folder, Some(session))
    }

    fn new(
        http: Http,
        me: PeerId,
        guest: bool,
        password: Option<String>,
        folder: PathBuf,
        session: Option<Session>,
    ) -> Self {
        let session = Mutex::new(session);
        let renewing = tokio::sync::Mutex::default();
        Self(Arc::new(Inner { http, me, guest, password, folder, session, renewing }))
    }

    /// Who this peer is: the account's name as it was registered, or the guest's.
    pub fn id(&self) -> &PeerId {
        &self.0.me
    }

    /// Whether it comes without an account.
    pub fn is_guest(&self) -> bool {
        self.0.guest
    }

    /// The server.
    pub fn server(&self) -> &Server {
        self.0.http.server()
    }

    /// The network may have changed: the next calls use new connections.
    pub fn forget_connections(&self) {
        self.0.http.forget_connections();
    }

    /// The session's `Cookie` header; none for a guest.
    pub fn cookie(&self) -> Option<String> {
        self.session().as_ref().map(|session| session.cookie.clone())
    }

    /// Signs in again after the server did not know `used` any more, unless another call has done so meanwhile.
    ///
    /// # Errors
    /// [`CallError`]: `refused` itself when there is no password to do it with.
    pub async fn renew(&self, used: Option<&str>, refused: CallError) -> Result<(), CallError> {
        let Some(password) = &self.0.password else { return Err(refused) };
        let _alone = self.0.renewing.lock().await;
        if self.cookie().as_deref() != used {
            return Ok(());
        }
        let session = match log_in(&self.0.http, &self.0.me, password).await? {
            Entry::In(session) => session,
            // Nobody is asked for a code in the middle of something else.
            Entry::HalfWay { .. } => return Err(refused),
        };
        if let Err(error) = session.keep(&self.0.folder) {
            tracing::warn!(%error, "the new session can't be kept for the next start");
        }
        *self.session() = Some(session);
        Ok(())
    }

    /// Ends the session, here and at the server.
    ///
    /// # Errors
    /// [`CallError`] when the server could not be told; here it is forgotten anyway.
    pub async fn log_out(&self) -> Result<(), CallError> {
        let cookie = self.cookie();
        *self.session() = None;
        if let Err(error) = Session::forget(&self.0.folder) {
            tracing::warn!(%error, "the kept session can't be removed");
        }
        let body = Some("{}".into());
        let call = Call { method: Method::POST, path: "/logout", body, cookie };
        self.0.http.call::<Ignored>(&call).await.map(drop)
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, CallError> {
        let query = serde_urlencoded::to_string(query).map_err(unsendable)?;
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        self.call(Method::GET, &path, None).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(unsendable)?;
        self.call(Method::POST, path, Some(body.into())).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<bytes::Bytes>,
    ) -> Result<T, CallError> {
        let cookie = self.cookie();
        let mut call = Call { method, path, body, cookie };
        match self.0.http.call(&call).await {
            Err(refused) if refused.is_unauthenticated() && !self.0.guest => {
                self.renew(call.cookie.as_deref(), refused).await?;
                call.cookie = self.cookie();
                self.0.http.call(&call).await.map(|(answer, _)| answer)
            }
            outcome => outcome.map(|(answer, _)| answer),
        }
    }
}

/// The calls. Each is told in `docs/p2p.md` or in the tracker's `/chat/openapi.json`.
#[expect(clippy::missing_errors_doc, reason = "all of them: CallError")]
impl Tracker {
    /// As whom the tracker sees this peer.
    pub async fn me(&self) -> Result<Me, CallError> {
        self.get("/chat/me", &()).await
    }

    /// Tells the UDP address.
    pub async fn submit_info(&self, ip: String, port: u16) -> Result<Submitted, CallError> {
        self.post("/submit-info", &SubmitInfo { peer_id: self.0.me.clone(), ip, port }).await
    }

    /// Whether the tracker knows this peer.
    pub async fn is_registered(&self) -> Result<bool, CallError> {
        match self.devices(&self.0.me).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == "peer_not_registered" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Registers this device.
    pub async fn register_device(&self, device: &RegisterDevice) -> Result<(), CallError> {
        self.post::<Ignored>("/chat/devices", device).await.map(drop)
    }

    /// A peer's devices.
    pub async fn devices(&self, of: &PeerId) -> Result<Devices, CallError> {
        // A guest that only looks may not be registered yet.
        let peer_id = self.own().filter(|_| !self.0.guest);
        self.get("/chat/devices", &ListDevices { peer_id, of: Some(of.clone()) }).await
    }

    /// The servers that help to find a way.
    pub async fn ice(&self) -> Result<Ice, CallError> {
        self.get("/chat/ice", &AskIce { peer_id: self.own() }).await
    }

    /// Hands a signal on.
    pub async fn signal(&self, signal: &SendSignal) -> Result<Signalled, CallError> {
        self.post("/chat/signal", signal).await
    }

    /// The own channels, or all visible ones.
    pub async fn channels(&self, scope: Scope) -> Result<Channels, CallError> {
        self.get("/chat/channels", &ListChannels { peer_id: self.own(), scope }).await
    }

    /// Joins a channel, which comes into being with its first member.
    pub async fn join(&self, channel: &ChannelName) -> Result<Added, CallError> {
        let add = AddList { peer_id: self.0.me.clone(), channel: channel.clone() };
        self.post("/add-list", &add).await
    }

    /// Leaves a channel.
    pub async fn leave(&self, channel: &ChannelName) -> Result<Membership, CallError> {
        let leave = JoinChannel { peer_id: self.own(), channel: channel.clone(), member: None };
        self.post("/chat/channels/leave", &leave).await
    }

    /// A channel's members.
    pub async fn members(&self, channel: &ChannelName) -> Result<Members, CallError> {
        let list = ListMembers { channel: channel.clone(), peer_id: self.own() };
        self.get("/chat/members", &list).await
    }

    /// All known peers.
    pub async fn peers(&self) -> Result<Peers, CallError> {
        self.get("/chat/peers", &()).await
    }

    /// A page of a channel's history.
    pub async fn history(&self, page: &GetMessages) -> Result<Messages, CallError> {
        self.get("/chat/messages", &GetMessages { peer_id: self.own(), ..page.clone() }).await
    }

    /// Moves the read marker.
    pub async fn mark_read(
        &self,
        channel: &ChannelName,
        seq: u64,
    ) -> Result<ReadMarker, CallError> {
        let mark = MarkRead { peer_id: self.own(), channel: channel.clone(), seq };
        self.post("/chat/read", &mark).await
    }

    /// Writes to a channel.
    pub async fn broadcast(
        &self,
        channel: &ChannelName,
        message: &str,
        id: &MessageId,
    ) -> Result<Broadcasted, CallError> {
        let broadcast = BroadcastPeer {
            peer_id: self.0.me.clone(),
            channel: channel.clone(),
            message: message.to_owned(),
            id: Some(id.clone()),
        };
        self.post("/broadcast-peer", &broadcast).await
    }

    /// What waits in the mailbox.
    pub async fn mailbox(&self, limit: u32) -> Result<Mailbox, CallError> {
        let page = GetMailbox { peer_id: self.own(), limit: Some(limit) };
        self.get("/chat/mailbox", &page).await
    }

    /// Acknowledges messages of the mailbox.
    pub async fn ack(&self, messages: Vec<DirectRef>) -> Result<Acked, CallError> {
        self.post("/chat/mailbox/ack", &AckMailbox { peer_id: self.own(), messages }).await
    }

    /// How far own messages have come in the mailbox.
    pub async fn statuses(&self, ids: Vec<MessageId>) -> Result<Deliveries, CallError> {
        self.post("/chat/direct/status", &AskDelivery { peer_id: self.own(), ids }).await
    }

    fn own(&self) -> Option<PeerId> {
        Some(self.0.me.clone())
    }
}

pub(super) fn sign_in_error(error: CallError) -> SignInError {
    match error {
        CallError::Refused { status: 429, message, retry_after, .. } => {
            let wait =
                retry_after.map_or(String::new(), |wait| format!(" (in {} s)", wait.as_secs()));
            SignInError::Refused(format!(
                "too many tries to sign in, try again later{wait}: {message}"
            ))
        }
        CallError::Refused { status: 500.., message, .. } => SignInError::Unreachable(message),
        CallError::Refused { message, .. } => SignInError::Refused(message),
        CallError::Unreachable(reason) => SignInError::Unreachable(reason),
    }
}

fn keep(session: &Session, folder: &std::path::Path) -> Result<(), SignInError> {
    session
        .keep(folder)
        .map_err(|source| SignInError::Keep { folder: folder.display().to_string(), source })
}

fn unsendable(error: impl std::fmt::Display) -> CallError {
    CallError::Unreachable(error.to_string())
}

/// Spellings that differ in case are the same peer.
fn same(one: &PeerId, other: &PeerId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}
