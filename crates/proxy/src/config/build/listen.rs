//! Where clients connect.

use std::net::SocketAddr;

use toml::Spanned;

use super::words::{listen_address, tls_kind};
use super::{Builder, SECOND};
use crate::config::values;
use crate::config::written::{
    CertificateSection, ListenEntry, ListenSection, RedirectToHttps, Text, TlsSection,
};
use crate::config::{Certificate, Listen, Redirect, Tls, TlsKind};

impl Builder<'_> {
    /// The entries of `listen`; `trusted`: whether there is any proxy to believe.
    pub(super) fn listen(
        &mut self,
        list: Option<Spanned<Vec<Spanned<ListenEntry>>>>,
        trusted: bool,
    ) -> Vec<Listen> {
        let Some(list) = list else {
            return vec![Listen::plain(SocketAddr::from(([0, 0, 0, 0], 8080)))];
        };
        let at = list.span();
        let list = list.into_inner();
        if list.is_empty() {
            self.error(at, "the list is empty", "name at least one address");
        }
        let mut all: Vec<Listen> = Vec::new();
        for entry in list {
            let at = entry.span();
            let listen = match entry.into_inner() {
                ListenEntry::Address(text) => {
                    self.read(&Spanned::new(at.clone(), text), listen_address).map(Listen::plain)
                }
                ListenEntry::Section(section) => self.listener(*section, trusted),
            };
            let Some(listen) = listen else { continue };
            if all.iter().any(|known| known.address == listen.address) {
                let problem = format!("\"{}\" is there twice", listen.address);
                self.error(at, problem, "remove one");
            } else {
                all.push(listen);
            }
        }
        all
    }

    fn listener(&mut self, section: ListenSection, trusted: bool) -> Option<Listen> {
        let address = self.read(&section.address, listen_address)?;
        let mut listen = Listen::plain(address);
        listen.tls = section.tls.and_then(|text| self.read(&text, tls_kind));
        if let Some(redirect) = section.redirect_to_https {
            listen.redirect_to_https = match *redirect.get_ref() {
                RedirectToHttps::Flag(false) => None,
                RedirectToHttps::Flag(true) => Some(Redirect::Listener),
                RedirectToHttps::Port(port) => Some(Redirect::Port(port)),
            };
            if listen.redirect_to_https.is_some() && listen.tls.is_some() {
                let problem = "this is https already";
                self.error(redirect.span(), problem, "redirect from a listener without tls");
            }
        }
        if let Some(flag) = section.proxy_protocol {
            listen.proxy_protocol = *flag.get_ref();
            if listen.proxy_protocol && !trusted {
                self.error(
                    flag.span(),
                    "nobody may connect there: a PROXY header is believed from trusted_proxies only, and there are none",
                    "name the proxies in front of this one in trusted_proxies, such as [\"10.0.0.0/8\"]",
                );
            }
        }
        Some(listen)
    }

    /// `[tls]`, and whether it fits to what `listen` asks for.
    pub(super) fn tls(&mut self, section: Option<TlsSection>, listen: &[Listen]) -> Tls {
        let section = section.unwrap_or_default();
        let mut tls = Tls {
            dir: section.dir.map_or_else(|| "data/proxy".into(), |dir| dir.into_inner().into()),
            local_names: Vec::new(),
            handshake_timeout: self.duration(section.handshake_timeout, 10 * SECOND),
            certificates: Vec::new(),
        };
        for name in section.local_names {
            tls.local_names.extend(self.read(&name, local_name));
        }
        for certificate in section.certificates {
            let at = certificate.span();
            let certificate = self.certificate(certificate.into_inner());
            if certificate.names.is_empty() && !tls.certificates.is_empty() {
                let remedy = "say in names which hosts it is for; only the first one needs none";
                self.error(at, "this certificate would never be shown", remedy);
            }
            tls.certificates.push(certificate);
        }
        let shown = |kind| listen.iter().any(|one: &Listen| one.tls == Some(kind));
        if shown(TlsKind::Certificates) && tls.certificates.is_empty() {
            let problem = "a listener has tls = \"certificates\", and there are none";
            self.error(0..0, problem, "add [[tls.certificates]] with cert and key");
        }
        if !shown(TlsKind::Certificates) && !tls.certificates.is_empty() {
            let remedy = "give an entry of listen tls = \"certificates\", or remove them";
            self.warn(0..0, "no listener shows the certificates", remedy);
        }
        let leads_nowhere =
            listen.iter().any(|one| one.redirect_to_https == Some(Redirect::Listener))
                && listen.iter().all(|one| one.tls.is_none());
        if leads_nowhere {
            let problem = "redirect_to_https leads nowhere: no listener has tls";
            self.error(0..0, problem, "add one, or write the port where https is served");
        }
        tls
    }

    fn certificate(&mut self, section: CertificateSection) -> Certificate {
        let mut names = Vec::new();
        for name in section.names {
            names.extend(self.read(&name, certificate_name));
        }
        Certificate { names, cert: self.file(section.cert), key: self.file(section.key) }
    }

    fn file(&mut self, path: Text) -> std::path::PathBuf {
        if path.get_ref().is_empty() {
            self.error(path.span(), "the value is empty", "write the path of a PEM file");
        }
        path.into_inner().into()
    }
}

/// A host that a certificate is shown for.
fn certificate_name(text: &str) -> Result<String, values::Complaint> {
    if text == "*" {
        return Err((
            "the first certificate is for every other host already".to_owned(),
            "write \"example.org\" or \"*.example.org\"".to_owned(),
        ));
    }
    values::host_pattern(text)
}

/// A name or address for the local CA; IPv6 with or without brackets.
fn local_name(text: &str) -> Result<String, values::Complaint> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let name = values::host_pattern(text)?;
    if name.contains('*') {
        return Err((format!("\"{text}\" is not one name"), "write each name out".to_owned()));
    }
    Ok(name.trim_matches(['[', ']']).to_owned())
}
