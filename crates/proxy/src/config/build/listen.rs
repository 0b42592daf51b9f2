//! Where clients connect.

use std::net::SocketAddr;

use toml::Spanned;

use super::Builder;
use super::words::listen_address;
use crate::config::Listen;
use crate::config::written::{ListenEntry, ListenSection};

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
}
