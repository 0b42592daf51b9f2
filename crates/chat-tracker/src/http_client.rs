//! Asks backend-auth: one request on one connection, bounded in time and size. It is asked rarely (keys
//! every few minutes, and when somebody signs in by curl), so that a pool would be idle ballast.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 256 * 1024;

/// `http://host[:port]`, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    authority: Authority,
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        if uri.scheme() != Some(&Scheme::HTTP) || !matches!(uri.path(), "" | "/") {
            return Err("expected http://HOST:PORT, without a path".to_owned());
        }
        match uri.authority() {
            Some(authority) if !authority.as_str().contains('@') => {
                Ok(Self { authority: authority.clone() })
            }
            _ => Err("expected http://HOST:PORT".to_owned()),
        }
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("it took longer than {} s", PATIENCE.as_secs())]
    TooLong,
    #[error("no connection: {0}")]
    Connect(#[source] std::io::Error),
    #[error("the exchange broke off: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer could not be read: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends a request whose URI is a path.
pub(crate) async fn ask(
    base: &BaseUrl,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, AskError> {
    tokio::time::timeout(PATIENCE, exchange(base, request)).await.map_err(|_| AskError::TooLong)?
}

async fn exchange(
    base: &BaseUrl,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, AskError> {
    // An IPv6 address is in brackets in a URL, and without them for the resolver.
    let host = base.authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = base.authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await.map_err(AskError::Connect)?;
    if let Ok(host) = HeaderValue::from_str(base.authority.as_str()) {
        request.headers_mut().insert(HOST, host);
    }
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(AskError::Body)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    let answer = answer.await;
    driver.abort();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_http_origin_is_taken() {
        assert_eq!("http://auth:9000/".parse::<BaseUrl>().unwrap().to_string(), "http://auth:9000");
        assert!("http://[::1]:9000".parse::<BaseUrl>().is_ok());
        for wrong in ["https://auth:9000", "auth:9000", "http://auth/path", "http://a@b", ""] {
            assert!(wrong.parse::<BaseUrl>().is_err(), "{wrong}");
        }
    }
}
