//! Which certificate is shown for which name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::validity;
use crate::config;
use crate::follow::Stamp;
use crate::target::normal_host;

/// Why a certificate can't be shown.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct CertificateError {
    file: PathBuf,
    problem: String,
}

impl CertificateError {
    pub(super) fn new(file: &Path, problem: impl ToString) -> Self {
        Self { file: file.to_owned(), problem: problem.to_string() }
    }
}

/// A certificate that can be shown, but about which there is something to say.
#[derive(Debug)]
pub(crate) struct Remark {
    file: PathBuf,
    text: String,
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.text)
    }
}

/// Reads all certificates, as if to show them: what is odd about them, and each one that can't be shown.
pub(crate) fn examine(
    certificates: &[config::Certificate],
) -> (Vec<Remark>, Vec<CertificateError>) {
    let provider = aws_lc_rs::default_provider();
    let (mut remarks, mut faults) = (Vec::new(), Vec::new());
    for certificate in certificates {
        match read(certificate, &provider) {
            Ok(key) => remarks.extend(remark(certificate, &key)),
            Err(fault) => faults.push(fault),
        }
    }
    (remarks, faults)
}

/// What is odd about a certificate.
fn remark(certificate: &config::Certificate, key: &CertifiedKey) -> Option<Remark> {
    let text = validity::remark(key.cert.first()?, Timestamp::now())?;
    Some(Remark { file: certificate.cert.clone(), text })
}

/// Certificates and their names.
#[derive(Debug, Default)]
pub(crate) struct Table {
    keys: Vec<Arc<CertifiedKey>>,
    /// Names, and `*.` names without their star.
    names: HashMap<String, usize>,
}

impl Table {
    /// Reads all certificates of `[[tls.certificates]]`.
    pub(super) fn load(
        certificates: &[config::Certificate],
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let mut table = Self::default();
        for certificate in certificates {
            let key = read(certificate, provider)?;
            if let Some(remark) = remark(certificate, &key) {
                tracing::warn!("{remark}");
            }
            for name in &certificate.names {
                let name = name.strip_prefix('*').unwrap_or(name);
                table.names.entry(name.to_owned()).or_insert(table.keys.len());
            }
            table.keys.push(Arc::new(key));
        }
        Ok(table)
    }

    /// One certificate for every name.
    pub(super) fn of_one(key: CertifiedKey) -> Self {
        Self { keys: vec![Arc::new(key)], names: HashMap::new() }
    }

    /// The certificate that is shown for a host.
    #[cfg(test)]
    pub(super) fn certificate(&self, host: &str) -> Option<&CertificateDer<'static>> {
        self.keys.get(self.find(host))?.cert.first()
    }

    /// The place of the certificate for a host; the first one is for all that have none of their own.
    pub(crate) fn find(&self, host: &str) -> usize {
        if self.names.is_empty() {
            return 0;
        }
        let host = normal_host(host);
        let wild = || host.find('.').and_then(|dot| self.names.get(&host[dot..]));
        self.names.get(&*host).or_else(wild).copied().unwrap_or(0)
    }
}

/// The certificates that are shown at present.
#[derive(Debug, Default)]
pub(crate) struct Shelf(RwLock<Arc<Table>>);

impl Shelf {
    pub(super) fn new(table: Table) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(table))))
    }

    /// What is shown at present.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows others from now on.
    pub(super) fn replace(&self, table: Table) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table();
        let place = hello.server_name().map_or(0, |name| table.find(name));
        table.keys.get(place).cloned()
    }
}

fn read(
    certificate: &config::Certificate,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let fault = |file: &Path, error: pem::Error| match error {
        pem::Error::Io(error) => CertificateError::new(file, error),
        pem::Error::NoItemsFound => {
            CertificateError::new(file, "nothing of the kind is in it; it has to be PEM")
        }
        error => CertificateError::new(file, format!("it is not PEM: {error}")),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&certificate.cert)
        .and_then(Iterator::collect)
        .map_err(|error| fault(&certificate.cert, error))?;
    if chain.is_empty() {
        return Err(fault(&certificate.cert, pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(&certificate.key)
        .map_err(|error| fault(&certificate.key, error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let cert = certificate.cert.display();
        CertificateError::new(&certificate.key, format!("it is no key for {cert}: {error}"))
    })
}

/// What a change of any of the files is noticed by.
pub(super) fn stamps(certificates: &[config::Certificate]) -> Vec<Option<Stamp>> {
    let files = certificates.iter().flat_map(|one| [&one.cert, &one.key]);
    files.map(|path| Stamp::of(path)).collect()
}
