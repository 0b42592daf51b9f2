//! Hosts and their routes.

use toml::Spanned;

use super::{Around, Builder};
use crate::config::values;
use crate::config::written::{HostSection, Text};
use crate::routes::Routes;

impl Builder<'_> {
    pub(super) fn host(
        &mut self,
        section: Spanned<HostSection>,
        routes: &mut Routes,
        around: Around<'_>,
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
            let Some(name) = self.read(&text, values::host_pattern) else { continue };
            if routes.name_host(host, &name).is_err() {
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
            let Some(route) = self.route(written.into_inner(), around, reference) else {
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
}
