//! Asks the provider: one request on one connection, bounded in time and size. It is asked twice or thrice for a sign-in, so that a pool
//! would be idle ballast. A redirect is an answer like any other, and not the one that is wanted.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::Address;

/// Bytes of an answer at most. Key sets of large providers have some 10 KiB.
const ANSWER_BYTES: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    TooLong(Duration),
    /// Nobody is there, or TLS failed.
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    /// It is no HTTP.
    #[error("the exchange broke off: {0}")]
    Http(#[from] hyper::Error),
    /// The body broke off, or has too many bytes.
    #[error("its answer could not be read: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request can't be written.
    #[error("it can't be asked: {0}")]
    Request(#[from] http::Error),
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, at most 256 KiB.
    pub body: Bytes,
}

/// Asks.
pub struct Fetcher {
    authorities: Vec<CertificateDer<'static>>,
    timeout: Duration,
    trust: OnceLock<Arc<ClientConfig>>,
}

impl Fetcher {
    /// Asks with this patience, and believes whom these certificates vouch for, or the system's authorities where there are none.
    pub fn new(authorities: Vec<CertificateDer<'static>>, timeout: Duration) -> Self {
        Self { authorities, timeout, trust: OnceLock::new() }
    }

    /// Gets what is there.
    ///
    /// # Errors
    /// [`FetchError`]
    pub async fn get(&self, address: &Address) -> Result<Answer, FetchError> {
        self.ask(address, Request::builder().method(Method::GET), Bytes::new()).await
    }

    /// Sends a form.
    ///
    /// # Errors
    /// [`FetchError`]
    pub async fn post_form(
        &self,
        address: &Address,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, FetchError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        self.ask(address, request, form.into()).await
    }

    async fn ask(
        &self,
        address: &Address,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, FetchError> {
        let request = request
            .uri(address.target())
            .header(HOST, address.authority())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("hybrid-chat/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))?;
        tokio::time::timeout(self.timeout, self.open(address, request))
            .await
            .map_err(|_| FetchError::TooLong(self.timeout))?
    }

    async fn open(
        &self,
        address: &Address,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, FetchError> {
        let stream = TcpStream::connect((address.host(), address.port())).await?;
        if !address.is_https() {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(address.host().to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let stream = TlsConnector::from(self.trust()?).connect(name, stream).await?;
        exchange(stream, request).await
    }

    /// Read when it is first needed: a server that asks nobody over TLS needs no authorities. `SSL_CERT_FILE` names others than the system's.
    fn trust(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(trust) = self.trust.get() {
            return Ok(trust.clone());
        }
        let mut roots = RootCertStore::empty();
        if self.authorities.is_empty() {
            // Some may be unreadable or too old; what matters is that there are others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        } else {
            roots.add_parsable_certificates(self.authorities.iter().cloned());
        }
        if roots.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there are no certificate authorities: install ca-certificates, or name some in --oidc-ca-file",
            ));
        }
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(self.trust.get_or_init(|| Arc::new(config)).clone())
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with this exchange, also when that is given up: both are halves of one future.
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(FetchError::Body)?;
        Ok(Answer { status: head.status, body: body.to_bytes() })
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answered = &mut answer => answered,
        // What was read before the connection ended may be all that there is to come.
        _ = connection => answer.await,
    }
}
