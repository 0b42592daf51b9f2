//! The call to backend-auth itself: a request made anew, with a handful of headers.

use std::net::IpAddr;
use std::rc::Rc;

use http::header::{
    AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE,
};
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri};

use super::{Credential, Decision, Gate, Outcome, Undecided, Verdict};
use crate::body::RequestBody;
use crate::error::REQUEST_ID;
use crate::headers::Client;
use crate::link::SendError;
use crate::pool::Lease;
use crate::site::Site;
use crate::upstream::{Tried, Upstream};

/// How much of a decision's body is read, so that its connection can be used again.
const BODY: usize = 64 * 1024;

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl Gate {
    /// The headers of the call: these and no others. `address`: where the request comes from.
    pub(super) fn head(
        &self,
        credential: Credential,
        parts: &Parts,
        client: &Client,
        address: HeaderValue,
        id: &HeaderValue,
    ) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(10);
        if let Some(cookie) = credential.cookie {
            headers.insert(COOKIE, cookie);
        }
        if let Some(authorization) = credential.authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(origin) = parts.headers.get(ORIGIN) {
            headers.insert(ORIGIN, origin.clone());
        }
        if let Some(host) = parts.headers.get(HOST) {
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
        let uri = parts.uri.path_and_query().map_or("/", |uri| uri.as_str());
        if let Ok(uri) = HeaderValue::from_str(uri) {
            headers.insert(X_FORWARDED_URI, uri);
        }
        if let Ok(method) = HeaderValue::from_str(parts.method.as_str()) {
            headers.insert(X_FORWARDED_METHOD, method);
        }
        let scheme = client.told_scheme(&parts.headers);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
        headers.insert(X_FORWARDED_FOR, address);
        headers.insert(REQUEST_ID, id.clone());
        headers
    }

    /// Asks, and reads the answer as a decision.
    pub(super) async fn call(&self, site: &Site, headers: HeaderMap) -> Outcome {
        let Some(upstream) = site.upstreams.get(self.config.upstream) else {
            return Err(Undecided::Unavailable);
        };
        let (response, mut lease) = self.exchange(upstream, headers).await.map_err(|reason| {
            tracing::warn!(
                upstream = &*upstream.config.name,
                reason,
                "backend-auth can't be asked"
            );
            Undecided::Unavailable
        })?;
        let (mut head, ()) = response.into_parts();
        read_out(&mut lease).await;
        drop(lease);
        let set_cookie = head.headers.get_all(SET_COOKIE).iter().cloned().collect();
        let verdict = match head.status {
            status if status.is_success() => {
                match head.headers.remove(&self.config.identity_header) {
                    Some(identity) if !identity.is_empty() => Verdict::Pass(identity),
                    _ => {
                        tracing::error!("backend-auth said yes without an identity");
                        return Err(Undecided::WithoutIdentity);
                    }
                }
            }
            StatusCode::UNAUTHORIZED => Verdict::Unauthenticated,
            StatusCode::FORBIDDEN => Verdict::Forbidden,
            status => {
                tracing::warn!(%status, "backend-auth gave no decision");
                return Err(Undecided::Unavailable);
            }
        };
        Ok(Rc::new(Decision { verdict, set_cookie }))
    }

    /// Sends the call; once more if a connection from the pool turns out to be dead.
    async fn exchange(
        &self,
        upstream: &Upstream,
        headers: HeaderMap,
    ) -> Result<(http::Response<()>, Lease), &'static str> {
        let uri: Uri = self.config.path.parse().map_err(|_| "the path is no path")?;
        let key = upstream.key(&headers, || {
            let client = headers.get(X_FORWARDED_FOR).and_then(|client| client.to_str().ok());
            client.and_then(|ip| ip.parse().ok()).unwrap_or(IpAddr::from([0, 0, 0, 0]))
        });
        let mut tried = Tried::new(key);
        loop {
            let mut lease =
                upstream.acquire(&mut tried).await.map_err(|failure| failure.class())?;
            let mut request = Request::new(RequestBody::Empty);
            *request.method_mut() = Method::GET;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            if let Ok(host) = HeaderValue::from_str(&lease.endpoint().host) {
                request.headers_mut().insert(HOST, host);
            }
            let reused = lease.is_reused();
            let never = |_: &mut std::task::Context<'_>| std::task::Poll::<()>::Pending;
            match lease.send(&mut Some(request), never).await {
                Ok(response) => {
                    upstream.judge_status(lease.endpoint(), response.status());
                    return Ok((response, lease));
                }
                Err(_) if reused => {}
                Err(SendError::Unsent) => {
                    upstream.judge(lease.endpoint(), false);
                    tried.note(&lease.endpoint().addr);
                }
                Err(SendError::Broken { .. } | SendError::Stopped(())) => {
                    upstream.judge(lease.endpoint(), false);
                    return Err("the connection broke off");
                }
            }
        }
    }
}

async fn read_out(lease: &mut Lease) {
    let mut read = 0;
    while read < BODY && !lease.is_over() {
        match std::future::poll_fn(|cx| lease.poll_data(cx)).await {
            Some(Ok(data)) => read += data.len(),
            Some(Err(_)) | None => return,
        }
    }
}
