//! WebSockets over HTTP/2 (RFC 8441): the request of a stream becomes a handshake of HTTP/1.1, and the
//! stream the client's end of the tunnel.

use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::task::Poll;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};

use super::OpenStream;
use crate::body::ProxyBody;
use crate::forward::{self, Visit};
use crate::guard::OutOfStep;

/// Proves that the server has understood the handshake (RFC 6455 §1.3).
const PROOF: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request asks for a WebSocket.
pub(super) fn is_asked_for(request: &Request<Incoming>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    *request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

/// Answers it; when the server agrees, a task of its own moves the bytes from then on.
pub(super) async fn open(
    visit: Rc<Visit>,
    stream: Rc<OpenStream>,
    mut request: Request<Incoming>,
) -> Result<Response<ProxyBody>, OutOfStep> {
    let handed_over = hyper::upgrade::on(&mut request);
    let accept = shake(&mut request);
    let mut response = forward::handle(visit.clone(), request).await?;
    let headers = response.headers_mut();
    let proven = headers.remove(SEC_WEBSOCKET_ACCEPT).is_some_and(|told| told == accept);
    headers.remove(CONNECTION);
    headers.remove(UPGRADE);
    let tunnel = visit.tunnel.borrow_mut().take();
    match tunnel {
        Some(tunnel) if proven => {
            *response.status_mut() = StatusCode::OK;
            tokio::task::spawn_local(async move {
                let watch = &stream.watch;
                // Who is late is this task from now on.
                std::future::poll_fn(|cx| {
                    watch.set_task(cx.waker());
                    Poll::Ready(())
                })
                .await;
                if let Ok(client) = handed_over.await {
                    tunnel.run_over(TokioIo::new(client), watch).await;
                }
            });
        }
        // The success of another kind of request would look like an open WebSocket.
        Some(_) => return Ok(refused()),
        None if response.status().is_success() => return Ok(refused()),
        None => {}
    }
    Ok(response)
}

fn refused() -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::empty(None));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

/// Makes a handshake of HTTP/1.1 of a request; gives the proof that the server owes.
fn shake(request: &mut Request<Incoming>) -> String {
    let random = || RandomState::new().hash_one(0).to_ne_bytes();
    let key = STANDARD.encode([random(), random()].concat());
    let accept = STANDARD.encode(Sha1::new().chain_update(&key).chain_update(PROOF).finalize());
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    request.extensions_mut().remove::<Protocol>();
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    super::join_crumbs(headers);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    // Another one stays beside it: two are refused.
    let same = |host: &HeaderValue, authority: &str| {
        host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
    };
    if let Some(authority) = authority
        && !headers.get(HOST).is_some_and(|host| same(host, &authority))
        && let Ok(host) = HeaderValue::try_from(authority)
    {
        headers.append(HOST, host);
    }
    accept
}
