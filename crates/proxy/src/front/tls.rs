//! TLS towards clients.
//!
//! Certificates are looked up anew at each handshake, so those in files are followed while the proxy runs.
//! What resumes a session is one key that lives as long as the process, whatever is reloaded meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::CipherSuite;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ProducesTickets};
use tokio_rustls::server::TlsStream;

use super::certificates::{CertificateError, Remark, Shelf, Table, examine, stamps};
use super::local_ca::{LocalCa, Vouched};
use crate::config::{self, Config, TlsKind};
use crate::follow::Stamp;
use crate::lock::lock;

/// How often the machine's addresses are looked at again, in calls of [`Keyring::refresh`].
const LOOK_AROUND: u32 = 30;

/// All that is needed to speak TLS; belongs to a configuration.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    certificates: Option<Files>,
    local: Option<Local>,
    /// Makes and opens session tickets.
    ticketer: Option<Arc<dyn ProducesTickets>>,
}

#[derive(Debug)]
struct Files {
    tls: Arc<Tls>,
    wanted: Vec<config::Certificate>,
    stamps: Mutex<Vec<Option<Stamp>>>,
}

#[derive(Debug)]
struct Local {
    tls: Arc<Tls>,
    ca: LocalCa,
    names: Vec<String>,
    vouched: Mutex<(Vouched, u32)>,
}

/// How TLS is spoken at a listener.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    shelf: Arc<Shelf>,
    pub(crate) handshake: Duration,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

/// A connection's TLS, as its requests see it.
pub(crate) struct Secure {
    table: Arc<Table>,
    /// The place of the certificate that was shown.
    shown: usize,
}

impl Secure {
    /// Whether requests for this host belong to a connection where another certificate is shown.
    pub(crate) fn is_misdirected(&self, host: &str) -> bool {
        self.table.find(host) != self.shown
    }
}

/// Why there is no TLS on a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The client speaks plain HTTP.
    #[error("the client speaks plain HTTP")]
    Plain(TcpStream),
    /// The handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] std::io::Error),
}

impl Keyring {
    /// Gets ready what the listeners of a configuration need.
    pub(crate) fn open(config: &Config, before: Option<&Self>) -> Result<Self, CertificateError> {
        let wants = |kind| config.server.listen.iter().any(|listen| listen.tls == Some(kind));
        if !wants(TlsKind::Certificates) && !wants(TlsKind::Local) {
            return Ok(Self::default());
        }
        let provider = Arc::new(provider());
        let known = before.and_then(|before| before.ticketer.clone());
        let ticketer = match known {
            Some(ticketer) => ticketer,
            None => aws_lc_rs::Ticketer::new()
                .map_err(|error| CertificateError::new("session tickets".as_ref(), error))?,
        };
        let tls = |table: Table| Tls::new(table, &config.tls, &provider, &ticketer);
        let mut keyring = Self { ticketer: Some(ticketer.clone()), ..Self::default() };
        if wants(TlsKind::Certificates) {
            let wanted = config.tls.certificates.clone();
            let stamps = Mutex::new(stamps(&wanted));
            let tls = tls(Table::load(&wanted, &provider)?)?;
            keyring.certificates = Some(Files { tls, wanted, stamps });
        }
        if wants(TlsKind::Local) {
            let mut names: Vec<String> = config.routes.host_names().collect();
            names.extend(config.tls.local_names.iter().cloned());
            let ca = LocalCa::open(&config.tls.dir, &names)?;
            let (key, vouched) = ca.vouch(&names, &provider)?;
            keyring.local = Some(Local {
                tls: tls(Table::of_one(key))?,
                ca,
                names,
                vouched: Mutex::new((vouched, 0)),
            });
        }
        Ok(keyring)
    }

    /// Reads what [`open`](Self::open) would need, and makes nothing: what is odd, and what would fail.
    pub(crate) fn examine(config: &Config) -> (Vec<Remark>, Vec<CertificateError>) {
        let wants = |kind| config.server.listen.iter().any(|listen| listen.tls == Some(kind));
        let shown = if wants(TlsKind::Certificates) { &*config.tls.certificates } else { &[] };
        let mut found = examine(shown);
        if wants(TlsKind::Local)
            && let Err(fault) = LocalCa::read(&config.tls.dir)
        {
            found.1.push(fault);
        }
        found
    }

    /// How TLS of this kind is spoken.
    pub(crate) fn tls(&self, kind: TlsKind) -> Option<&Arc<Tls>> {
        match kind {
            TlsKind::Certificates => self.certificates.as_ref().map(|files| &files.tls),
            TlsKind::Local => self.local.as_ref().map(|local| &local.tls),
        }
    }

    /// The certificate of the local CA, as PEM.
    pub(crate) fn ca(&self) -> Option<Bytes> {
        self.local.as_ref().map(|local| local.ca.pem().clone())
    }

    /// What tells the local CA from any other.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.local.as_ref().map(|local| local.ca.fingerprint())
    }

    /// Shows other certificates if their files have changed, or if it is time; to be called every second.
    pub(crate) fn refresh(&self) {
        if let Some(files) = &self.certificates {
            files.refresh();
        }
        if let Some(local) = &self.local {
            local.refresh();
        }
    }
}

/// The ciphers of this program: those of the library, AES-128 first. It is as safe as AES-256 for any purpose of
/// today, and its handshake hashes with SHA-256, which processors have instructions for: that saves a fifth
/// of it.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    provider
}

impl Files {
    fn refresh(&self) {
        let stamps = stamps(&self.wanted);
        let mut known = lock(&self.stamps);
        if *known == stamps {
            return;
        }
        match Table::load(&self.wanted, &aws_lc_rs::default_provider()) {
            Ok(table) => {
                self.tls.shelf.replace(table);
                tracing::info!("the certificates were read again");
            }
            // Perhaps the other file of two is still to come.
            Err(error) => tracing::error!("the certificates shown stay as they are: {error}"),
        }
        *known = stamps;
    }
}

impl Local {
    fn refresh(&self) {
        let mut vouched = lock(&self.vouched);
        let (known, calls) = &mut *vouched;
        *calls += 1;
        let look = *calls >= LOOK_AROUND;
        if look {
            *calls = 0;
        }
        if !look || known.is_good_for(&self.ca.wanted(&self.names)) {
            return;
        }
        match self.ca.vouch(&self.names, &aws_lc_rs::default_provider()) {
            Ok((key, anew)) => {
                self.tls.shelf.replace(Table::of_one(key));
                *known = anew;
                tracing::info!("the local CA made another certificate");
            }
            Err(error) => tracing::error!("the local CA can make no other certificate: {error}"),
        }
    }
}

impl Tls {
    fn new(
        table: Table,
        settings: &config::Tls,
        provider: &Arc<CryptoProvider>,
        ticketer: &Arc<dyn ProducesTickets>,
    ) -> Result<Arc<Self>, CertificateError> {
        let shelf = Shelf::new(table);
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| CertificateError::new("TLS".as_ref(), error))?
            .with_no_client_auth()
            .with_cert_resolver(shelf.clone());
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Tickets hold the session themselves: nothing is stored, and nothing is lost by a reload.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = ticketer.clone();
        server.ignore_client_order = true;
        // A browser that comes back over HTTP/2 needs one, and each costs.
        server.send_tls13_tickets = 1;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Ok(Arc::new(Self { acceptor, shelf, handshake: settings.handshake_timeout }))
    }

    /// Does the handshake.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(Box<TlsStream<TcpStream>>, Secure), Refusal> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        // A TLS record of a handshake begins with 22, a request with a letter.
        if first[0].is_ascii_uppercase() {
            return Err(Refusal::Plain(stream));
        }
        let _ = stream.set_nodelay(true);
        let stream = self.acceptor.accept(stream).await?;
        let table = self.shelf.table();
        let shown = stream.get_ref().1.server_name().map_or(0, |name| table.find(name));
        Ok((Box::new(stream), Secure { table, shown }))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// Writes a certificate and its key; gives what is shown of it.
    fn issue(dir: &std::path::Path) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.join("key"), key.serialize_pem()).unwrap();
        std::fs::write(dir.join("cert"), certificate.pem()).unwrap();
        certificate.der().to_vec()
    }

    #[test]
    fn bad_files_leave_what_is_shown_and_good_ones_replace_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = issue(dir.path());
        let text = format!(
            "[server]\nlisten = [{{ address = \"127.0.0.1:0\", tls = \"certificates\" }}]\n\
             [[tls.certificates]]\ncert = {:?}\nkey = {:?}\n\
             [upstreams.a]\nservers = [\"127.0.0.1:1\"]\n\
             [[hosts]]\nnames = [\"*\"]\nroutes = [{{ path = \"/*\", upstream = \"a\" }}]\n",
            dir.path().join("cert"),
            dir.path().join("key"),
        );
        let config = Config::parse(&text, "proxy.conf").unwrap().config;
        let keyring = Keyring::open(&config, None).unwrap();
        let shown = || {
            keyring.refresh();
            let table = keyring.tls(TlsKind::Certificates).unwrap().shelf.table();
            table.certificate("a.test").unwrap().to_vec()
        };
        assert_eq!(shown(), first);
        let key = std::fs::read(dir.path().join("key")).unwrap();
        std::fs::write(dir.path().join("key"), "no key").unwrap();
        assert_eq!(shown(), first);
        std::fs::remove_file(dir.path().join("key")).unwrap();
        assert_eq!(shown(), first);
        let second = issue(dir.path());
        assert_eq!(shown(), second);
        // The key of another certificate.
        std::fs::write(dir.path().join("key"), [&key[..], b"\n"].concat()).unwrap();
        assert_eq!(shown(), second);
    }
}
