//! Hosts and their routes.

use toml::Spanned;

use super::words::auth_rule;
use super::{Builder, SECOND};
use crate::config::values;
use crate::config::written::{HostSection, RouteSection, Text};
use crate::config::{Auth, Upstream};
use crate::routes::{AuthRule, Route, Routes};

impl Builder<'_> {
    pub(super) fn host(
        &mut self,
        section: Spanned<HostSection>,
        routes: &mut Routes,
        upstreams: &[Upstream],
        auth: Option<&Auth>,
        reference: &mut impl FnMut(&Text, &mut Self) -> usize,
    ) {
        let names_at = section.get_ref().names.span();
        let section = section.into_inner();
        let host = routes.add_host();
        if section.names.get_ref().is_empty() {
            self.error(
                names_at.clone(),
                "the list is empty",
                "name at least one host, or \"*\" for every host",
            );
        }
        for text in section.names.into_inner() {
            if let Some(name) = self.read(&text, values::host_pattern)
                && routes.name_host(host, &name).is_err()
            {
                let problem = format!("the host \"{name}\" is named twice");
                self.error(text.span(), problem, "put all its routes under one [[hosts]]");
            }
        }
        if section.routes.is_empty() {
            self.warn(
                names_at,
                "this host has no route, so it answers 404",
                "add [[hosts.routes]], or remove the host",
            );
        }
        let mut seen: Vec<(String, usize)> = Vec::new();
        for written in section.routes {
            let path_at = written.get_ref().path.span();
            let upstream = reference(&written.get_ref().upstream, self);
            let Some(route) = self.route(written.into_inner(), upstream, upstreams, auth) else {
                continue;
            };
            if routes.add_route(host, route.clone()).is_err() {
                let (line, _) = seen
                    .iter()
                    .find(|(path, _)| **path == *route.path)
                    .map_or((0, 0), |(_, at)| self.document.line_and_column(*at));
                let problem =
                    format!("the path \"{}\" has a route already, in line {line}", route.path);
                self.error(path_at.clone(), problem, "remove one of the two");
            }
            seen.push((route.path.to_string(), path_at.start));
        }
    }

    fn route(
        &mut self,
        section: RouteSection,
        upstream: usize,
        upstreams: &[Upstream],
        auth: Option<&Auth>,
    ) -> Option<Route> {
        let path = self.read(&section.path, values::route_path);
        let rule = match section.auth {
            None if auth.is_some() => AuthRule::Required,
            None => AuthRule::None,
            Some(text) => {
                let rule = self.read(&text, auth_rule).unwrap_or_default();
                if rule != AuthRule::None && auth.is_none() {
                    let problem =
                        format!("\"{}\" needs an [auth] section and there is none", text.get_ref());
                    self.error(
                        text.span(),
                        problem,
                        "add [auth] with upstream = \"...\", or write auth = \"none\"",
                    );
                }
                rule
            }
        };
        let max_body = section.max_body.map(|amount| self.amount(Some(amount), 0, 0..=u64::MAX));
        let defaults = upstreams.get(upstream);
        let response = defaults.map_or(60 * SECOND, |upstream| upstream.response_timeout);
        let idle = defaults.map_or(300 * SECOND, |upstream| upstream.body_idle_timeout);
        let response_timeout = self.duration(section.response_timeout, response);
        let body_idle_timeout = self.duration(section.body_idle_timeout, idle);
        Some(Route {
            index: 0,
            path: path?.into(),
            upstream,
            auth: rule,
            max_body,
            response_timeout,
            body_idle_timeout,
        })
    }
}
