//! Who calls, and as which peer it may act.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use http::{HeaderMap, Method};
use service::Problem;
use wire::PeerId;
use wire::identity::{IDENTITY_HEADER, SCOPE_READ, SCOPE_WRITE};

use crate::answer::problem;
use crate::identity::Account;
use crate::peers::Registration;
use crate::store::SignIn;
use crate::tracker::Tracker;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whoever made a call.
#[derive(Debug, Clone)]
pub struct Caller {
    account: Option<Arc<Account>>,
    ip: IpAddr,
}

impl FromRequestParts<Tracker> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, tracker: &Tracker) -> Result<Self, Problem> {
        let account = tracker.identity.identify(&head.headers).await?;
        let ip = forwarded_for(&head.headers).unwrap_or_else(|| socket(head));
        let caller = Self { account, ip };
        caller.may(scope_of(&head.method, head.uri.path()))?;
        caller.welcome(tracker).await?;
        Ok(caller)
    }
}

impl Caller {
    /// Its account; `None` for a guest.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_deref()
    }

    /// Finds the peer that the caller acts as (the account's own where none is named), and notes that
    /// it was heard from.
    ///
    /// # Errors
    /// 404 when the peer never registered, 403 when it is someone else's, 400 when a guest names none,
    /// 429 when it calls too often.
    pub fn acting_as(
        &self,
        tracker: &Tracker,
        peer_id: Option<&PeerId>,
    ) -> Result<Registration, Problem> {
        let registration = self.may_act_as(tracker, peer_id)?;
        let now = Instant::now();
        tracker.presence.heard(&registration.peer, now);
        tracker
            .rates
            .take(&registration.peer, now)
            .map_err(|wait| Problem::too_many_requests("this peer makes too many calls", wait))?;
        Ok(registration)
    }

    /// As [`Self::acting_as`], where a guest may also stay unnamed.
    ///
    /// # Errors
    /// As [`Self::acting_as`].
    pub fn acting_as_or_guest(
        &self,
        tracker: &Tracker,
        peer_id: Option<&PeerId>,
    ) -> Result<Option<Registration>, Problem> {
        if self.account.is_none() && peer_id.is_none() {
            return Ok(None);
        }
        self.acting_as(tracker, peer_id).map(Some)
    }

    /// Finds the peer that the caller acts as, and counts no call.
    ///
    /// # Errors
    /// As [`Self::acting_as`], but for 429.
    pub fn may_act_as(
        &self,
        tracker: &Tracker,
        peer_id: Option<&PeerId>,
    ) -> Result<Registration, Problem> {
        let own = self.account.as_deref().map(|account| &account.name);
        let Some(id) = peer_id.or(own) else {
            return Err(Problem::bad_request(
                "peer_id_required",
                "field `peer_id`: needed from a caller without an identity",
            ));
        };
        let Some(registration) = tracker.peers.get(id) else {
            return Err(not_registered(id));
        };
        let account = self.account.as_deref().map(|account| &account.sub);
        if registration.owner.as_ref() == account {
            return Ok(registration);
        }
        let message = match (&registration.owner, account) {
            (Some(_), None) => format!("{id} belongs to an account: sign in as its owner"),
            (Some(_), Some(_)) => format!("{id} belongs to another account"),
            (None, _) => format!("{id} is a guest's: register it with POST /submit-info to own it"),
        };
        Err(Problem::forbidden("not_your_peer", message))
    }

    /// Whether the caller's identity has this scope; a guest has no identity that could lack it.
    ///
    /// # Errors
    /// 403 `insufficient_scope` (RFC 6750 §3.1).
    pub(crate) fn may(&self, scope: &'static str) -> Result<(), Problem> {
        let Some(account) = self.account() else { return Ok(()) };
        let has = match scope {
            SCOPE_READ => account.scopes.read,
            _ => account.scopes.write,
        };
        if has {
            return Ok(());
        }
        Err(Problem::insufficient_scope(scope, format!("this needs the scope {scope}")))
    }

    /// Whether the account's session isn't known to be over.
    ///
    /// # Errors
    /// 401 when it is.
    pub fn is_still_signed_in(&self, tracker: &Tracker) -> Result<(), Problem> {
        self.account().map_or(Ok(()), |account| tracker.identity.check_session(account))
    }

    /// Notes that an account was heard from; the first time, it becomes a known peer.
    async fn welcome(&self, tracker: &Tracker) -> Result<(), Problem> {
        let Some(account) = &self.account else { return Ok(()) };
        if let Some(known) = tracker.peers.get(&account.name)
            && known.owner.as_ref() == Some(&account.sub)
        {
            tracker.presence.heard(&known.peer, Instant::now());
            return Ok(());
        }
        let sign_in =
            SignIn { account: account.sub.clone(), name: account.name.clone(), ip: self.ip };
        let signed_in = tracker.store.write(sign_in).await.map_err(problem)?;
        tracker.presence.heard(&signed_in.registration.peer, Instant::now());
        tracing::info!(peer = %account.name, "an account came by for the first time");
        Ok(())
    }

    pub(crate) fn sub(&self) -> Option<Arc<str>> {
        self.account.as_ref().map(|account| account.sub.clone())
    }
}

/// Calls that look and change nothing, although they are no `GET`: their fields are in a body.
const QUESTIONS: [&str; 4] = ["/get-messages", "/connect-peer", "/chat/direct/status", "/hello"];

/// The scope that a call asks for. What isn't known to only look, changes.
fn scope_of(method: &Method, path: &str) -> &'static str {
    if method.is_safe() || QUESTIONS.contains(&path) { SCOPE_READ } else { SCOPE_WRITE }
}

/// Where a call came from, for backend-auth, which counts failed sign-ins by address.
#[derive(Debug, Clone)]
pub struct Origin(String);

impl FromRequestParts<Tracker> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &Tracker) -> Result<Self, Infallible> {
        let noted =
            head.headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        let mut chain: Vec<String> = noted.map(str::to_owned).collect();
        chain.push(socket(head).to_string());
        Ok(Self(chain.join(", ")))
    }
}

impl Origin {
    /// The addresses that others noted, and the one that the call came from, last.
    pub(crate) fn forwarded_for(&self) -> &str {
        &self.0
    }
}

fn socket(head: &Parts) -> IpAddr {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip())
}

/// 404 `peer_not_registered`
pub(crate) fn not_registered(id: &PeerId) -> Problem {
    Problem::not_found(
        "peer_not_registered",
        format!("peer {id} has not registered: POST /submit-info does it"),
    )
}

/// Behind the proxy, which alone sends an identity this way, the client's address is the last one that
/// the proxy noted. It is told to other peers as a claim, and decides nothing.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(IDENTITY_HEADER)?;
    let noted = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    noted.rsplit(',').next()?.trim().parse().ok()
}
