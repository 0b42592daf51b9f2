//! Upstreams and their servers.

use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::words::{certificates, hash_by, policy, protocol};
use super::{Builder, SECOND};
use crate::config::values;
use crate::config::written::{
    Amount, EjectSection, HealthSection, ServerEntry, ServerTable, Text, TlsEntry, TlsTable,
    UpstreamSection,
};
use crate::config::{
    Eject, HashBy, Health, Member, Place, Policy, Protocol, Secure, Trust, Upstream,
};

/// The greatest weight: enough for any relation that is meant.
const HEAVIEST: u64 = 1000;

impl Builder<'_> {
    pub(super) fn upstream(&mut self, name: Arc<str>, section: UpstreamSection) -> Upstream {
        let health = section.health.map(|health| self.health(health));
        let eject = section.eject.map(|eject| self.eject(eject));
        let servers = self.servers(section.servers);
        // One that is wrong is meant all the same.
        let has_tls = section
            .tls
            .as_ref()
            .is_some_and(|entry| !matches!(entry.get_ref(), TlsEntry::Flag(false)));
        let tls = section.tls.and_then(|entry| self.secure(entry, &servers));
        Upstream {
            name,
            servers,
            tls,
            protocol: self.protocol(section.protocol, has_tls),
            max_streams: self.count(section.max_streams, 100, 1000),
            policy: self.policy(section.policy, section.hash_by),
            resolve: self.duration(section.resolve, 5 * SECOND),
            connect_timeout: self.duration(section.connect_timeout, 2 * SECOND),
            response_timeout: self.duration(section.response_timeout, 60 * SECOND),
            body_idle_timeout: self.duration(section.body_idle_timeout, 300 * SECOND),
            idle_timeout: self.duration(section.idle_timeout, 4 * SECOND),
            max_connections: self.count(section.max_connections, 16_384, 10_000_000),
            queue: usize::try_from(self.amount(section.queue, 100, 0..=1_000_000)).unwrap_or(100),
            queue_timeout: self.duration(section.queue_timeout, 5 * SECOND),
            retry_budget: section
                .retry_budget
                .and_then(|text| self.read(&text, values::percent))
                .unwrap_or(20),
            tunnel_idle: self.duration(section.tunnel_idle, 3600 * SECOND),
            health,
            eject,
            slow_start: self.any_duration(section.slow_start, Duration::ZERO),
        }
    }

    fn servers(&mut self, list: Spanned<Vec<Spanned<ServerEntry>>>) -> Vec<Member> {
        let at = list.span();
        let mut members: Vec<Member> = Vec::new();
        let mut complete = true;
        for entry in list.into_inner() {
            let entry_at = entry.span();
            let table = match entry.into_inner() {
                ServerEntry::Table(table) => table,
                ServerEntry::Address(text) => ServerTable {
                    address: Spanned::new(entry_at.clone(), text),
                    weight: None,
                    backup: false,
                },
            };
            let weight = self.amount(table.weight, 1, 1..=HEAVIEST);
            let Some(endpoint) = self.read(&table.address, values::place) else {
                complete = false;
                continue;
            };
            if members.iter().any(|known| known.at == endpoint) {
                let problem = format!("\"{}\" is there twice", table.address.get_ref());
                self.error(table.address.span(), problem, "remove one");
                continue;
            }
            let weight = u32::try_from(weight).unwrap_or(1);
            members.push(Member { at: endpoint, weight, backup: table.backup });
        }
        if members.is_empty() && complete {
            self.error(at, "the list is empty", "name at least one server");
        } else if complete && members.iter().all(|member| member.backup) {
            let remedy = "leave backup out for those that are to be used first";
            self.warn(at, "every server is a backup", remedy);
        }
        members
    }

    fn protocol(&mut self, text: Option<Text>, has_tls: bool) -> Protocol {
        let Some(text) = text else { return Protocol::default() };
        let protocol = self.read(&text, protocol).unwrap_or_default();
        match (protocol, has_tls) {
            (Protocol::Http2, false) => {
                let remedy = "write tls = true too, or \"h2c\" for HTTP/2 without TLS";
                self.error(text.span(), "\"h2\" needs TLS", remedy);
            }
            (Protocol::Http2Clear, true) => {
                self.error(text.span(), "\"h2c\" goes without TLS", "write \"h2\", or remove tls");
            }
            _ => {}
        }
        protocol
    }

    fn secure(&mut self, entry: Spanned<TlsEntry>, servers: &[Member]) -> Option<Secure> {
        let at = entry.span();
        let table = match entry.into_inner() {
            TlsEntry::Flag(false) => return None,
            TlsEntry::Flag(true) => TlsTable { server_name: None, ca: None, insecure: false },
            TlsEntry::Table(table) => table,
        };
        let name = match table.server_name {
            Some(text) => Some(self.read(&text, values::server_name)?),
            None => None,
        };
        let nameless = servers.iter().any(|server| match &server.at {
            Place::Net(at) => values::server_name(&at.host).is_err(),
            Place::Unix(_) => true,
        });
        if name.is_none() && nameless {
            let remedy = "add server_name to tls";
            self.error(at, "a server's address doesn't say what its certificate is for", remedy);
            return None;
        }
        let trust = match table.ca {
            Some(text) if table.insecure => {
                let problem = "insecure makes ca useless";
                self.error(text.span(), problem, "remove one of the two");
                return None;
            }
            Some(text) => Trust::These(self.read(&text, certificates)?),
            None if table.insecure => {
                let problem = "the servers' certificates are not checked, so anyone in between can read along";
                self.warn(at.clone(), problem, "name the authority that signed them with ca");
                Trust::Anyone
            }
            None => Trust::System,
        };
        match Secure::new(name, trust) {
            Ok(secure) => Some(secure),
            Err(error) => {
                self.error(at, format!("TLS can't be used: {error}"), "name an authority with ca");
                None
            }
        }
    }

    fn policy(&mut self, name: Option<Text>, by: Option<Text>) -> Policy {
        let policy = name.and_then(|text| self.read(&text, policy)).unwrap_or_default();
        let Some(text) = by else { return policy };
        let by = self.read(&text, hash_by).unwrap_or(HashBy::Client);
        if !matches!(policy, Policy::Hash(_)) {
            let remedy = "write policy = \"hash\" too, or remove hash_by";
            self.error(text.span(), "hash_by has a meaning only with the policy \"hash\"", remedy);
            return policy;
        }
        Policy::Hash(by)
    }

    fn health(&mut self, section: HealthSection) -> Health {
        let path_at = section.path.span();
        let health = Health {
            path: self.read(&section.path, values::own_path).unwrap_or_default(),
            interval: self.duration(section.interval, 5 * SECOND),
            timeout: self.duration(section.timeout, 2 * SECOND),
            unhealthy_after: self.few(section.unhealthy_after, 1),
            healthy_after: self.few(section.healthy_after, 1),
        };
        if health.timeout > health.interval {
            let remedy = "make the timeout the shorter one";
            self.warn(path_at, "the timeout is longer than the interval between checks", remedy);
        }
        health
    }

    fn eject(&mut self, section: EjectSection) -> Eject {
        let default = Eject::default();
        let at_most = section.at_most.and_then(|text| self.read(&text, values::percent));
        let statuses = section.statuses.map(|list| {
            list.into_iter()
                .filter_map(|status| u16::try_from(self.amount(Some(status), 502, 400..=599)).ok())
                .collect()
        });
        Eject {
            failures: self.few(section.failures, default.failures),
            within: self.duration(section.within, default.within),
            duration: self.duration(section.duration, default.duration),
            at_most: at_most.unwrap_or(default.at_most),
            statuses: statuses.unwrap_or(default.statuses),
        }
    }

    /// A number of times.
    fn few(&mut self, amount: Option<Spanned<Amount>>, default: u32) -> u32 {
        u32::try_from(self.amount(amount, u64::from(default), 1..=1000)).unwrap_or(default)
    }
}
