//! A certificate authority of this proxy's own, for machines that no public one vouches for.
//!
//! A browser gives pages cameras, clipboards, keys and much else only in a secure context. On a LAN that
//! takes a CA that its devices are told to trust, once. The CA may vouch for private addresses and for the
//! names that it was made for, and for nothing else (name constraints, RFC 5280 §4.2.1.10), so that
//! trusting it is no danger to any other site. Its key stays in its folder; the certificates it signs live
//! in memory and for 90 days.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use ipnet::IpNet;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use service::file;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificates::CertificateError;

/// Days that a certificate is good for; another one is made a month before its end.
const DAYS: i64 = 90;
const RENEWED_AFTER: Duration = Duration::from_secs(60 * 24 * 3600);
/// Domains that exist inside of networks only (RFC 6761, 6762, 8375; ICANN's `internal`), and `lan`.
const PRIVATE_DOMAINS: [&str; 6] = ["localhost", "local", "lan", "home.arpa", "internal", "test"];
const PRIVATE_NETWORKS: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// The CA.
#[derive(Debug)]
pub(super) struct LocalCa {
    dir: PathBuf,
    key: KeyPair,
    certificate: CertificateDer<'static>,
    pem: Bytes,
    /// Names and addresses that it may vouch for besides the private ones.
    permitted: BTreeSet<String>,
}

/// What the certificate that is shown was made for, and when.
#[derive(Debug)]
pub(super) struct Vouched {
    names: BTreeSet<String>,
    made: SystemTime,
}

impl Vouched {
    /// Whether it still serves for these names.
    pub(super) fn is_good_for(&self, names: &BTreeSet<String>) -> bool {
        let age = SystemTime::now().duration_since(self.made).unwrap_or_default();
        self.names == *names && age < RENEWED_AFTER
    }
}

impl LocalCa {
    /// The CA of a folder; it is made if there is none.
    pub(super) fn open(dir: &Path, names: &[String]) -> Result<Self, CertificateError> {
        let fault = |error: io::Error| CertificateError::new(dir, error);
        if let Some(ca) = Self::read(dir)? {
            return Ok(ca);
        }
        let [key_file, certificate_file, names_file] = files(dir);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fault)?;
        let key = KeyPair::generate().map_err(|error| CertificateError::new(dir, error))?;
        let permitted: BTreeSet<String> = base_names(names);
        let certificate = parameters(&key, &permitted)
            .and_then(|parameters| parameters.self_signed(&key))
            .map_err(|error| CertificateError::new(dir, error))?;
        let lines: String = permitted.iter().map(|name| format!("{name}\n")).collect();
        file::replace(&names_file, lines.as_bytes(), 0o644).map_err(fault)?;
        file::replace(&key_file, key.serialize_pem().as_bytes(), 0o600).map_err(fault)?;
        file::replace(&certificate_file, certificate.pem().as_bytes(), 0o644).map_err(fault)?;
        Self::read(dir)?
            .ok_or_else(|| CertificateError::new(dir, "the CA that was just made is gone"))
    }

    /// The CA of a folder, if there is one.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, CertificateError> {
        let [key_file, certificate_file, names_file] = files(dir);
        if !(key_file.exists() && certificate_file.exists() && names_file.exists()) {
            return Ok(None);
        }
        let remedy = "remove it and the other ca.* files for a new CA";
        let text = |file: &Path| {
            fs::read_to_string(file).map_err(|error| CertificateError::new(file, error))
        };
        let key = KeyPair::from_pem(&text(&key_file)?).map_err(|error| {
            CertificateError::new(&key_file, format!("it is no private key: {error}; {remedy}"))
        })?;
        let pem = text(&certificate_file)?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| {
            let problem = format!("it is no certificate: {error}; {remedy}");
            CertificateError::new(&certificate_file, problem)
        })?;
        let permitted = text(&names_file)?.lines().map(str::to_owned).collect();
        Ok(Some(Self { dir: dir.to_owned(), key, certificate, pem: pem.into(), permitted }))
    }

    /// Its certificate, as PEM.
    pub(super) fn pem(&self) -> &Bytes {
        &self.pem
    }

    /// SHA-256 of its certificate, as browsers show it.
    pub(super) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.certificate);
        let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }

    /// The names and addresses to vouch for: those that are configured, and the machine's own.
    pub(super) fn wanted(&self, names: &[String]) -> BTreeSet<String> {
        let mut wanted = base_names(names);
        for interface in if_addrs::get_if_addrs().unwrap_or_default() {
            let address = interface.ip();
            if is_private(address) {
                wanted.insert(address.to_string());
            }
        }
        wanted
    }

    /// A new certificate.
    pub(super) fn vouch(
        &self,
        names: &[String],
        provider: &CryptoProvider,
    ) -> Result<(CertifiedKey, Vouched), CertificateError> {
        let wanted = self.wanted(names);
        let (may, may_not): (Vec<String>, Vec<String>) =
            wanted.iter().cloned().partition(|name| self.may(name));
        if !may_not.is_empty() {
            tracing::warn!(
                names = may_not.join(", "),
                "the local CA was not made for these names: to use them remove the ca.* files in {}, which makes a new CA that devices have to trust anew",
                self.dir.display()
            );
        }
        let fault = |error: &dyn std::fmt::Display| CertificateError::new(&self.dir, error);
        let key = KeyPair::generate().map_err(|error| fault(&error))?;
        let issuer_parameters =
            parameters(&self.key, &self.permitted).map_err(|error| fault(&error))?;
        let issuer = Issuer::from_params(&issuer_parameters, &self.key);
        let mut parameters = CertificateParams::new(may).map_err(|error| fault(&error))?;
        lasts(&mut parameters, DAYS);
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "hybrid chat");
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&key, &issuer).map_err(|error| fault(&error))?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key =
            CertifiedKey::from_der(chain, private, provider).map_err(|error| fault(&error))?;
        Ok((key, Vouched { names: wanted, made: SystemTime::now() }))
    }

    /// Whether a certificate of its for this name would be accepted.
    fn may(&self, name: &str) -> bool {
        if self.permitted.contains(name) {
            return true;
        }
        match name.parse::<IpAddr>() {
            Ok(address) => is_private(address),
            Err(_) => PRIVATE_DOMAINS.iter().copied().any(|domain| is_below(name, domain)),
        }
    }
}

/// Key, certificate, and the names that it was made for.
fn files(dir: &Path) -> [PathBuf; 3] {
    ["ca.key", "ca.crt", "ca.names"].map(|name| dir.join(name))
}

/// The configured names and what every machine calls itself.
fn base_names(names: &[String]) -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        names.iter().map(|name| name.trim_matches(['[', ']']).to_owned()).collect();
    all.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if let Ok(name) = fs::read_to_string("/proc/sys/kernel/hostname") {
        let name = name.trim().to_ascii_lowercase();
        let fine = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if fine {
            if !name.contains('.') {
                all.insert(format!("{name}.local"));
            }
            all.insert(name);
        }
    }
    all
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_private(address: IpAddr) -> bool {
    networks().any(|network| network.contains(&address))
}

fn networks() -> impl Iterator<Item = IpNet> {
    PRIVATE_NETWORKS.iter().filter_map(|network| network.parse().ok())
}

/// The CA's own certificate.
fn parameters(
    key: &KeyPair,
    permitted: &BTreeSet<String>,
) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    lasts(&mut parameters, 3650);
    // Two CAs of one household should not look the same.
    let mark = Sha256::digest(key.public_key_raw());
    let name = format!("hybrid chat local CA {:02X}{:02X}{:02X}", mark[0], mark[1], mark[2]);
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut subtrees: Vec<GeneralSubtree> = PRIVATE_DOMAINS
        .iter()
        .map(|domain| GeneralSubtree::DnsName((*domain).to_owned()))
        .collect();
    let subnet = |net: IpNet| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(net.network(), net.prefix_len()))
    };
    subtrees.extend(networks().map(subnet));
    for name in permitted {
        match name.parse::<IpAddr>() {
            Ok(address) if is_private(address) => {}
            Ok(address) => subtrees.push(subnet(address.into())),
            Err(_) => subtrees.push(GeneralSubtree::DnsName(name.clone())),
        }
    }
    parameters.name_constraints =
        Some(NameConstraints { permitted_subtrees: subtrees, excluded_subtrees: Vec::new() });
    Ok(parameters)
}

/// Makes a certificate good for so many days, from yesterday on: clocks differ.
fn lasts(parameters: &mut CertificateParams, days: i64) {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let midnight = |days: i64| {
        let date = today.checked_add(days.days()).unwrap_or(today);
        rcgen::date_time_ymd(
            i32::from(date.year()),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    parameters.not_before = midnight(-1);
    parameters.not_after = midnight(days);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    /// Whether a client that trusts the CA takes a certificate of its for this name.
    fn is_accepted(ca: &LocalCa, name: &str) -> bool {
        let issuer_parameters = parameters(&ca.key, &ca.permitted).unwrap();
        let issuer = Issuer::from_params(&issuer_parameters, &ca.key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap()
            .verify_server_cert(
                leaf.der(),
                &[],
                &ServerName::try_from(name.to_owned()).unwrap(),
                &[],
                UnixTime::now(),
            )
            .is_ok()
    }

    #[test]
    fn a_stolen_key_is_good_for_nothing_but_the_names_it_was_made_for() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["chat.example.org".to_owned(), "192.0.2.7".to_owned()];
        let ca = LocalCa::open(&dir.path().join("ca"), &names).unwrap();
        for (name, accepted) in [
            ("localhost", true),
            ("nas.local", true),
            ("a.b.home.arpa", true),
            ("chat.example.org", true),
            ("192.168.1.20", true),
            ("fd00::7", true),
            ("192.0.2.7", true),
            ("example.org", false),
            ("notlocal", false),
            ("192.0.2.8", false),
            ("8.8.8.8", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_accepted(&ca, name), accepted, "{name}");
            assert_eq!(ca.may(name), accepted, "{name}");
        }
    }

    #[test]
    fn another_certificate_is_made_for_other_names_and_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let ca = LocalCa::open(dir.path(), &[]).unwrap();
        let (_, mut vouched) = ca.vouch(&[], &aws_lc_rs::default_provider()).unwrap();
        assert!(vouched.is_good_for(&ca.wanted(&[])));
        assert!(!vouched.is_good_for(&ca.wanted(&["nas.lan".to_owned()])));
        vouched.made -= RENEWED_AFTER;
        assert!(!vouched.is_good_for(&ca.wanted(&[])));
    }
}
