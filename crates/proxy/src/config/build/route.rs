//! What one route says.

use std::ops::Range;

use http::{HeaderName, StatusCode};
use toml::Spanned;

use super::edits::Way;
use super::template::redirect_to;
use super::words::{auth_rule, content_type, hash_by, method, rate_by};
use super::{Around, Builder, DEFAULT_IDENTITY, SECOND};
use crate::config::Auth;
use crate::config::values;
use crate::config::written::{
    RateLimitSection, RedirectSection, RespondSection, RouteSection, ShareTable, Shares, Text,
};
use crate::route::{
    Action, AuthRule, Destination, Fixed, Forward, Methods, OwnAnswer, Pace, PathRewrite, Patience,
    RateBy, RateLimit, Redirect, Route, Split,
};

impl Builder<'_> {
    /// `None` if its path can't be read; whatever else is wrong is noted.
    pub(super) fn route(
        &mut self,
        mut section: RouteSection,
        around: Around<'_>,
        reference: &mut impl FnMut(&Text, &mut Self) -> usize,
    ) -> Option<Route> {
        let Around { server, auth } = around;
        let path_at = section.path.span();
        let path = self.read(&section.path, values::route_path);
        let rule = self.auth_rule(section.auth.take(), auth);
        let methods = section.methods.take().map(|list| self.list(list, "method", method));
        let rate_limit = section.rate_limit.take().and_then(|limit| self.rate_limit(limit));
        let max_body = self.some_amount(section.max_body.take()).or(server.max_body);
        let total = self.some_duration(section.request_body_timeout.take());
        let patience = Patience {
            idle: self.duration(section.request_body_idle_timeout.take(), server.body_idle_timeout),
            total: total.or(server.request_body_timeout),
            min_rate: self.amount(section.min_rate.take(), server.min_rate, 0..=u64::MAX),
        };
        let identity = auth.map_or(DEFAULT_IDENTITY, |auth| auth.identity_header.clone());
        let response_headers =
            self.edits(section.response_headers.take(), Way::Response, &identity);
        let action = self.action(
            section,
            path_at,
            path.as_deref().unwrap_or_default(),
            &identity,
            reference,
        )?;
        Some(Route {
            index: 0,
            path: path?.into(),
            action,
            auth: rule,
            methods: methods.map(Methods::new).map(Box::new),
            rate_limit: rate_limit.map(Box::new),
            max_body,
            patience,
            response_headers: response_headers.map(Box::new),
        })
    }

    fn auth_rule(&mut self, written: Option<Text>, auth: Option<&Auth>) -> AuthRule {
        match written {
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
        }
    }

    fn action(
        &mut self,
        section: RouteSection,
        path_at: Range<usize>,
        path: &str,
        identity: &HeaderName,
        reference: &mut impl FnMut(&Text, &mut Self) -> usize,
    ) -> Option<Action> {
        let ways = [
            section.upstream.as_ref().map(|upstream| (upstream.span(), "upstream")),
            section.redirect.as_ref().map(|redirect| (redirect.span(), "redirect")),
            section.respond.as_ref().map(|respond| (respond.span(), "respond")),
        ];
        let mut ways = ways.into_iter().flatten();
        let Some((_, first)) = ways.next() else {
            self.error(
                path_at,
                "the route goes nowhere",
                "add upstream = \"...\", redirect = { to = \"...\" } or respond = { status = ... }",
            );
            return None;
        };
        if let Some((at, second)) = ways.next() {
            let problem = format!("the route has {first} already");
            self.error(at, problem, format!("remove {first} or {second}"));
        }
        if first != "upstream" {
            let useless = [
                section.strip_prefix.as_ref().map(|key| (key.span(), "strip_prefix")),
                section.rewrite.as_ref().map(|key| (key.span(), "rewrite")),
                section.response_timeout.as_ref().map(|key| (key.span(), "response_timeout")),
                section.body_idle_timeout.as_ref().map(|key| (key.span(), "body_idle_timeout")),
                section.split_by.as_ref().map(|key| (key.span(), "split_by")),
                section.request_headers.as_ref().map(|key| (key.span(), "request_headers")),
            ];
            for (at, key) in useless.into_iter().flatten() {
                let problem = format!("{key} is for routes with an upstream");
                self.error(at, problem, format!("remove {key} or {first}"));
            }
        }
        if let Some(redirect) = section.redirect {
            let redirect = OwnAnswer::Redirect(self.redirect(redirect, path)?);
            return Some(Action::Answer(Box::new(redirect)));
        }
        if let Some(respond) = section.respond {
            let fixed = OwnAnswer::Fixed(self.fixed(respond.into_inner()));
            return Some(Action::Answer(Box::new(fixed)));
        }
        let to = self.destination(section.upstream?, section.split_by, reference);
        let rewrite = self.path_rewrite(section.strip_prefix, section.rewrite, path);
        Some(Action::Forward(Forward {
            to: to?,
            response_timeout: self.some_duration(section.response_timeout),
            body_idle_timeout: self.some_duration(section.body_idle_timeout),
            path: rewrite.map(Box::new),
            request_headers: self
                .edits(section.request_headers, Way::Request, identity)
                .map(Box::new),
        }))
    }

    fn destination(
        &mut self,
        shares: Spanned<Shares>,
        by: Option<Text>,
        reference: &mut impl FnMut(&Text, &mut Self) -> usize,
    ) -> Option<Destination> {
        let at = shares.span();
        let by_at = by.as_ref().map(Spanned::span);
        let by = by.and_then(|text| self.read(&text, hash_by));
        let list = match shares.into_inner() {
            Shares::One(name) => {
                if let Some(by_at) = by_at {
                    let remedy =
                        "remove it, or write upstream = [{ name = \"...\", weight = ... }, ...]";
                    self.error(by_at, "split_by is for routes with several upstreams", remedy);
                }
                return Some(Destination::One(reference(&Spanned::new(at, name), self)));
            }
            Shares::Several(list) => list,
        };
        let mut weights: Vec<(usize, u32)> = Vec::new();
        for share in list {
            let ShareTable { name, weight } = share.into_inner();
            let upstream = reference(&name, self);
            let weight = u32::try_from(self.amount(Some(weight), 1, 0..=1_000_000)).unwrap_or(1);
            if weights.iter().any(|(known, _)| *known == upstream) {
                let problem = format!("\"{}\" is there twice", name.get_ref());
                self.error(name.span(), problem, "remove one");
            } else {
                weights.push((upstream, weight));
            }
        }
        let split = Split::new(&weights, by);
        if split.is_none() {
            let remedy = "give at least one upstream a weight above 0";
            self.error(at, "the weights add up to zero, so no request could be served", remedy);
        }
        split.map(Box::new).map(Destination::Split)
    }

    fn rate_limit(&mut self, section: RateLimitSection) -> Option<RateLimit> {
        let requests = self.count(Some(section.requests), 1, 1_000_000);
        let per = self.duration(Some(section.per), SECOND);
        let burst = self.count(section.burst, requests, 1_000_000);
        let by = match section.by {
            Some(text) => self.read(&text, rate_by)?,
            None => RateBy::Client,
        };
        let small = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Some(RateLimit {
            pace: Pace::new(small(requests), per, small(burst)),
            by,
            clients: self.count(section.clients, 65_536, 10_000_000),
        })
    }

    fn path_rewrite(
        &mut self,
        strip: Option<Text>,
        rewrite: Option<Text>,
        path: &str,
    ) -> Option<PathRewrite> {
        let base = path.strip_suffix("/*");
        if let (Some(_), Some(rewrite)) = (&strip, &rewrite) {
            let remedy = "remove one: rewrite = \"/*\" takes the route's own prefix away";
            self.error(rewrite.span(), "the route has strip_prefix already", remedy);
        }
        if let Some(text) = strip {
            let prefix = self.read(&text, values::route_path)?;
            if prefix.ends_with('/') || prefix.ends_with('*') {
                let problem = format!("\"{prefix}\" is not a prefix to strip");
                self.error(
                    text.span(),
                    problem,
                    "write it as \"/api\", without a / or /* at the end",
                );
                return None;
            }
            let below = base.unwrap_or(path).strip_prefix(&prefix);
            if !below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
                let problem = format!("the route's path is not below \"{prefix}\"");
                self.error(text.span(), problem, "strip a prefix of the route's own path");
                return None;
            }
            return Some(PathRewrite::strip(&prefix));
        }
        let text = rewrite?;
        let to = self.read(&text, values::forwarded_path)?;
        match (base, to.strip_suffix("/*")) {
            (Some(base), Some(to)) => Some(PathRewrite::replace(base, to)),
            (None, Some(_)) => {
                let problem = format!("\"{to}\" ends with /*, and the route's path doesn't");
                self.error(text.span(), problem, "write the path without /*");
                None
            }
            (_, None) => Some(PathRewrite::fixed(&to)),
        }
    }

    fn redirect(&mut self, section: Spanned<RedirectSection>, path: &str) -> Option<Redirect> {
        let section = section.into_inner();
        let base = path.strip_suffix("/*").map(str::len);
        let to = self.read(&section.to, |text| redirect_to(text, base));
        let status = match section.status {
            None => StatusCode::PERMANENT_REDIRECT,
            Some(amount) => {
                let at = amount.span();
                let number = self.amount(Some(amount), 308, 300..=399);
                let status = u16::try_from(number).ok();
                match status.filter(|status| [301, 302, 303, 307, 308].contains(status)) {
                    Some(status) => StatusCode::from_u16(status).unwrap_or_default(),
                    None => {
                        let problem = format!("{number} is not the status of a redirect");
                        let remedy = "write 308 or 301 (for good), 307 or 302 (for now), or 303 (to be fetched with GET)";
                        self.error(at, problem, remedy);
                        StatusCode::PERMANENT_REDIRECT
                    }
                }
            }
        };
        Some(Redirect { status, to: to?, base: base.unwrap_or(path.len()) })
    }

    fn fixed(&mut self, section: RespondSection) -> Fixed {
        let at = section.status.span();
        let number = self.amount(Some(section.status), 200, 200..=599);
        let status = u16::try_from(number).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.unwrap_or_default();
        let body = section.body.map(Spanned::into_inner).unwrap_or_default();
        if !body.is_empty() && matches!(number, 204 | 205 | 304) {
            let problem = format!("an answer with status {number} has no body");
            self.error(at, problem, "remove the body");
        }
        let content_type = match section.content_type {
            Some(text) => self.read(&text, content_type),
            None => content_type("text/plain; charset=utf-8").ok(),
        };
        Fixed { status, content_type: content_type.filter(|_| !body.is_empty()), body: body.into() }
    }
}
