//! Certificates, and clients that look at them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Client, soon};

/// A CA whose certificates are written to a folder that is removed in the end.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: Certificate,
    dir: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), root, dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `FILE.crt` and `FILE.key` for these names.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.sign(file, &CertificateParams::new(names).unwrap())
    }

    /// The same for one name, good until `end`.
    pub(crate) fn issue_until(&self, file: &str, name: &str, end: SystemTime) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = end.into();
        self.sign(file, &params);
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.file(&format!("{file}.crt")), certificate.pem()).unwrap();
        certificate.der().clone()
    }

    /// A `[[tls.certificates]]` section.
    pub(crate) fn section(&self, file: &str, names: &[&str]) -> String {
        let (cert, key) = (self.file(&format!("{file}.crt")), self.file(&format!("{file}.key")));
        format!("[[tls.certificates]]\nnames = {names:?}\ncert = {cert:?}\nkey = {key:?}\n")
    }

    /// What clients of this CA trust.
    pub(crate) fn trust(&self) -> Trust {
        Trust::in_root(self.root.der().clone())
    }
}

/// A client's trust, and the sessions that it remembers.
pub(crate) struct Trust(ClientConfig);

impl Trust {
    fn in_root(root: CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(config)
    }

    /// Trusts the root of a PEM text.
    pub(crate) fn in_pem(pem: &[u8]) -> Self {
        Self::in_root(CertificateDer::from_pem_slice(pem).unwrap())
    }

    /// Trusts the root in a file.
    pub(crate) fn in_file(file: &Path) -> Self {
        Self::in_pem(&std::fs::read(file).unwrap())
    }

    /// Offers these protocols.
    pub(crate) fn alpn(mut self, protocols: &[&str]) -> Self {
        self.0.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) async fn try_connect(
        &self,
        addr: SocketAddr,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = soon("connect", TcpStream::connect(addr)).await?;
        self.try_on(stream, name).await
    }

    /// A handshake on a connection that is there already.
    pub(crate) async fn try_on(
        &self,
        stream: TcpStream,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        // A configuration is cloned, but the sessions that it remembers are shared.
        let connector = TlsConnector::from(Arc::new(self.0.clone()));
        soon("a handshake", connector.connect(name, stream)).await
    }

    pub(crate) async fn connect(
        &self,
        addr: SocketAddr,
        name: &str,
    ) -> Client<TlsStream<TcpStream>> {
        Client::on(self.try_connect(addr, name).await.unwrap())
    }

    /// The certificate that is shown for a name.
    pub(crate) async fn shown(&self, addr: SocketAddr, name: &str) -> CertificateDer<'static> {
        let stream = self.try_connect(addr, name).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}
