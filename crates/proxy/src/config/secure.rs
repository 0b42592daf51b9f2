//! TLS towards the servers of an upstream.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// How connections to the servers of an upstream are secured.
#[derive(Debug, Clone)]
pub struct Secure {
    /// What their certificates are for, if that isn't the host of their address.
    pub server_name: Option<ServerName<'static>>,
    /// Who vouches for them.
    pub trust: Trust,
    /// For HTTP/1.1.
    client: Arc<ClientConfig>,
    /// For HTTP/2.
    client2: Arc<ClientConfig>,
}

/// Who vouches for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that the system trusts.
    System,
    /// These and nobody else.
    These(Vec<CertificateDer<'static>>),
    /// Nobody: whoever answers is believed.
    Anyone,
}

impl PartialEq for Secure {
    fn eq(&self, other: &Self) -> bool {
        // The rest is made of these.
        (&self.server_name, &self.trust) == (&other.server_name, &other.trust)
    }
}

impl Eq for Secure {}

impl Secure {
    /// Prepares connections.
    ///
    /// # Errors
    /// When a certificate can't be used, or the system trusts nobody.
    pub fn new(
        server_name: Option<ServerName<'static>>,
        trust: Trust,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let mut roots = RootCertStore::empty();
        let builder = match &trust {
            Trust::System => {
                // Some may be unreadable or too old; what matters is that there are others.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(Error::General("the system has no trusted certificates".into()));
                }
                builder.with_root_certificates(roots)
            }
            Trust::These(certificates) => {
                for certificate in certificates {
                    roots.add(certificate.clone())?;
                }
                builder.with_root_certificates(roots)
            }
            Trust::Anyone => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
            }
        };
        let mut client = builder.with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut client2 = client.clone();
        client2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { server_name, trust, client: Arc::new(client), client2: Arc::new(client2) })
    }

    /// The settings of a connection that speaks HTTP/2, or HTTP/1.1.
    pub(crate) fn client(&self, http2: bool) -> Arc<ClientConfig> {
        if http2 { self.client2.clone() } else { self.client.clone() }
    }
}

/// Believes every certificate; signatures still have to fit it.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
