//! `${NAME}` and `${NAME:-default}` in string values, so that one file serves several set-ups.
//!
//! As in a shell, an empty variable takes the default. `$${` stands for a literal `${`. Keys and other
//! types of values are left alone.

use toml::de::{DeTable, DeValue};

use super::error::Finding;
use super::locate::Document;

/// Looks a variable up.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Expands every string of a parsed document in place.
pub(super) fn expand(
    table: &mut DeTable<'_>,
    environment: Environment<'_>,
    document: &Document<'_>,
    findings: &mut Vec<Finding>,
) {
    for (_, value) in table.iter_mut() {
        let offset = value.span().start;
        expand_value(value.get_mut(), offset, environment, document, findings);
    }
}

fn expand_value(
    value: &mut DeValue<'_>,
    offset: usize,
    environment: Environment<'_>,
    document: &Document<'_>,
    findings: &mut Vec<Finding>,
) {
    match value {
        DeValue::String(text) if text.contains("${") => match expand_text(text, environment) {
            Ok(expanded) => *text = expanded.into(),
            Err((problem, remedy)) => {
                findings.push(Finding::at(document, offset, problem, remedy));
            }
        },
        DeValue::Array(array) => {
            for item in array.iter_mut() {
                let offset = item.span().start;
                expand_value(item.get_mut(), offset, environment, document, findings);
            }
        }
        DeValue::Table(table) => expand(table, environment, document, findings),
        _ => {}
    }
}

fn expand_text(text: &str, environment: Environment<'_>) -> Result<String, (String, String)> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find('}').ok_or_else(|| {
            ("`${` without `}`".to_owned(), "close it, or write $${ for a literal ${".to_owned())
        })?;
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err((
                format!("`{name}` is not the name of an environment variable"),
                "use ${NAME} or ${NAME:-default}".to_owned(),
            ));
        }
        match environment(name).filter(|value| !value.is_empty()).as_deref().or(default) {
            Some(value) => out.push_str(value),
            None => {
                return Err((
                    format!("the environment variable {name} is not set"),
                    format!("set it, or give a default: ${{{name}:-default}}"),
                ));
            }
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let environment = |name: &str| match name {
            "HOST" => Some("backend".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand_text(text, &environment).map_err(|(problem, _)| problem)
    }

    #[test]
    fn variables_and_defaults_are_put_in() {
        for (text, want) in [
            ("plain", "plain"),
            ("${HOST}:1", "backend:1"),
            ("${HOST:-x}/${NONE:-y}", "backend/y"),
            ("${EMPTY:-y}", "y"),
            ("${NONE:-}", ""),
            ("a$${HOST}b", "a${HOST}b"),
            ("$5 and {x}", "$5 and {x}"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn an_unset_variable_without_default_is_an_error() {
        assert!(expand("${NONE}").unwrap_err().contains("NONE is not set"));
        assert!(expand("${EMPTY}").unwrap_err().contains("EMPTY is not set"));
        assert!(expand("${HOST").is_err());
        assert!(expand("${}").is_err());
        assert!(expand("${a b}").is_err());
    }
}
