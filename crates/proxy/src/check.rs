//! What `proxy check` says. Files that are named in the configuration are opened, but nothing is made or bound.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::config::{Config, ConfigError, Loaded, Trust};
use crate::front::tls::Keyring;
use crate::front::validity;

/// The outcome of reading a configuration, as text for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One line for each error or warning, and a last one with the outcome.
    pub text: String,
    /// Whether the configuration may be served.
    pub ok: bool,
}

/// Puts the outcome of [`Config::load`](crate::config::Config::load) for `file` into words.
#[must_use]
pub fn report(file: &str, outcome: &Result<Loaded, ConfigError>) -> Report {
    let mut text = String::new();
    match outcome {
        Ok(Loaded { config, warnings }) => {
            for warning in warnings {
                let _ = writeln!(text, "warning: {warning}");
            }
            let (remarks, faults) = Keyring::examine(config);
            for remark in remarks {
                let _ = writeln!(text, "warning: {remark}");
            }
            for authority in old_authorities(config) {
                let _ = writeln!(text, "warning: {authority}");
            }
            if !faults.is_empty() {
                for fault in faults {
                    let _ = writeln!(text, "error: {fault}");
                }
                return Report { text, ok: false };
            }
            let listen: Vec<String> =
                config.server.listen.iter().map(|listen| listen.address.to_string()).collect();
            let _ = writeln!(
                text,
                "{file}: ok: {}, {}, {}; listens on {}; {}",
                counted(config.routes.host_count(), "host"),
                counted(config.routes.len(), "route"),
                counted(config.upstreams.len(), "upstream"),
                listen.join(", "),
                match &config.auth {
                    Some(auth) =>
                        format!("sessions are checked by {}", config.upstreams[auth.upstream].name),
                    None => "no sessions are checked".to_owned(),
                },
            );
            Report { text, ok: true }
        }
        Err(error) => {
            for line in error.to_string().lines() {
                let _ = writeln!(text, "error: {line}");
            }
            Report { text, ok: false }
        }
    }
}

/// Authorities of upstreams that vouch for nobody any more, or soon.
fn old_authorities(config: &Config) -> Vec<String> {
    let mut told = Vec::new();
    for upstream in &config.upstreams {
        let Some(Trust::These(authorities)) = upstream.tls.as_ref().map(|tls| &tls.trust) else {
            continue;
        };
        let remarks = authorities.iter().filter_map(|one| validity::remark(one, Timestamp::now()));
        told.extend(
            remarks
                .map(|remark| format!("upstream {}: a certificate in ca: {remark}", upstream.name)),
        );
    }
    told
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_file_is_one_line_with_counts() {
        let text = include_str!("../../../proxy.conf");
        let report = report("proxy.conf", &Config::parse(text, "proxy.conf"));
        assert!(report.ok);
        let counts = "proxy.conf: ok: 1 host, 11 routes, 2 upstreams; listens on ";
        assert!(report.text.starts_with(counts), "{}", report.text);
        assert!(report.text.ends_with("sessions are checked by backend-auth\n"), "{}", report.text);
    }

    #[test]
    fn each_error_is_a_line_that_names_file_and_place() {
        let text = "[server]\nkeep_alive = \"0s\"\nworkers = -1\n";
        let report = report("p.conf", &Config::parse(text, "p.conf"));
        assert!(!report.ok);
        let places: Vec<&str> = report.text.lines().map(|line| &line[..20]).collect();
        assert_eq!(places, ["error: p.conf:2:14: ", "error: p.conf:3:11: "]);
    }
}
