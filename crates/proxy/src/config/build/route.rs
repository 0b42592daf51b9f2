//! What one route says.

use std::ops::Range;

use http::{HeaderName, StatusCode};
use toml::Spanned;

use super::edits::Way;
use super::template::redirect_to;
use super::words::{auth_rule, content_type, method};
use super::{Builder, DEFAULT_IDENTITY};
use crate::config::Auth;
use crate::config::values;
use crate::config::written::{RedirectSection, RespondSection, RouteSection, Text};
use crate::route::{
    Action, AuthRule, Fixed, Forward, Methods, OwnAnswer, PathRewrite, Redirect, Route,
};

impl Builder<'_> {
    /// `None` if its path can't be read; whatever else is wrong is noted.
    pub(super) fn route(
        &mut self,
        mut section: RouteSection,
        auth: Option<&Auth>,
        reference: &mut impl FnMut(&Text, &mut Self) -> usize,
    ) -> Option<Route> {
        let path_at = section.path.span();
        let path = self.read(&section.path, values::route_path);
        let rule = self.auth_rule(section.auth.take(), auth);
        let methods = section.methods.take().map(|list| self.list(list, "method", method));
        let max_body =
            section.max_body.take().map(|amount| self.amount(Some(amount), 0, 0..=u64::MAX));
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
            methods: methods.map(Methods::new),
            max_body,
            response_headers,
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
                section.request_headers.as_ref().map(|key| (key.span(), "request_headers")),
            ];
            for (at, key) in useless.into_iter().flatten() {
                let problem = format!("{key} is for routes with an upstream");
                self.error(at, problem, format!("remove {key} or {first}"));
            }
        }
        if let Some(redirect) = section.redirect {
            return Some(Action::Answer(OwnAnswer::Redirect(self.redirect(redirect, path)?)));
        }
        if let Some(respond) = section.respond {
            return Some(Action::Answer(OwnAnswer::Fixed(self.fixed(respond.into_inner()))));
        }
        let upstream = reference(&section.upstream?, self);
        let rewrite = self.path_rewrite(section.strip_prefix, section.rewrite, path);
        Some(Action::Forward(Forward {
            upstream,
            response_timeout: self.some_duration(section.response_timeout),
            body_idle_timeout: self.some_duration(section.body_idle_timeout),
            path: rewrite,
            request_headers: self.edits(section.request_headers, Way::Request, identity),
        }))
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
