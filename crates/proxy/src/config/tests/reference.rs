//! docs/proxy-conf.md, docs/proxy-conf.schema.json and the parser say the same.
//!
//! The schema is made from the page: `UPDATE_SCHEMA=1 cargo nextest run -p proxy schema` writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{COMMITTED, File, parse};

const PAGE: &str = include_str!("../../../../../docs/proxy-conf.md");
const SCHEMA: &str = include_str!("../../../../../docs/proxy-conf.schema.json");

/// A table of the page.
struct Section {
    name: &'static str,
    /// How the line begins that introduces its table.
    mark: &'static str,
    /// A file with such a section; `@` is the place of one more key.
    text: &'static str,
}

const fn section(name: &'static str, mark: &'static str, text: &'static str) -> Section {
    Section { name, mark, text }
}

const SECTIONS: &[Section] = &[
    section("server", "## `[server]`", "[server]\n@\n"),
    section(
        "listen",
        "An entry of `listen`",
        "[server]\nlisten = [{ address = \"127.0.0.1:1\", @ }]\n",
    ),
    section("tls", "## `[tls]`", "[tls]\n@\n"),
    section(
        "certificate",
        "`[[tls.certificates]]`",
        "[[tls.certificates]]\ncert = \"c\"\nkey = \"k\"\n@\n",
    ),
    section("auth", "## `[auth]`", "[auth]\nupstream = \"web\"\n@\n"),
    section("tracing", "## `[tracing]`", "[tracing]\n@\n"),
    section(
        "upstream",
        "## `[upstreams.NAME]`",
        "[upstreams.web]\nservers = [\"127.0.0.1:1\"]\n@\n",
    ),
    section(
        "member",
        "A server in `servers",
        "[upstreams.web]\nservers = [{ address = \"127.0.0.1:1\", @ }]\n",
    ),
    section(
        "health",
        "`health = ",
        "[upstreams.web]\nservers = [\"127.0.0.1:1\"]\nhealth = { path = \"/\", @ }\n",
    ),
    section(
        "upstream_tls",
        "`tls = { ... }` of an upstream",
        "[upstreams.web]\nservers = [\"127.0.0.1:1\"]\ntls = { @ }\n",
    ),
    section("eject", "`eject = ", "[upstreams.web]\nservers = [\"127.0.0.1:1\"]\neject = { @ }\n"),
    section("host", "## `[[hosts]]`", "[[hosts]]\nnames = [\"*\"]\n@\n"),
    section(
        "route",
        "`[[hosts.routes]]`",
        "[[hosts]]\nnames = [\"*\"]\n[[hosts.routes]]\npath = \"/*\"\nupstream = \"web\"\n@\n",
    ),
    section(
        "share",
        "`upstream = [",
        "[[hosts]]\nnames = [\"*\"]\nroutes = [{ path = \"/*\", upstream = [{ name = \"web\", weight = 1, @ }] }]\n",
    ),
    section(
        "rate_limit",
        "`rate_limit = ",
        "[[hosts]]\nnames = [\"*\"]\nroutes = [{ path = \"/*\", upstream = \"web\", rate_limit = { requests = 9, per = \"1m\", @ } }]\n",
    ),
    section(
        "edits",
        "`request_headers = ",
        "[[hosts]]\nnames = [\"*\"]\nroutes = [{ path = \"/*\", upstream = \"web\", request_headers = { @ } }]\n",
    ),
    section(
        "redirect",
        "`redirect = ",
        "[[hosts]]\nnames = [\"*\"]\nroutes = [{ path = \"/*\", redirect = { to = \"https://a.org/\", @ } }]\n",
    ),
    section(
        "respond",
        "`respond = ",
        "[[hosts]]\nnames = [\"*\"]\nroutes = [{ path = \"/*\", respond = { status = 200, @ } }]\n",
    ),
];

/// What kind of value a key has whose default does not tell.
fn kind(section: &str, key: &str) -> Option<Value> {
    let table = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": ["integer", "string"] });
    let texts = || list(text());
    let headers = || json!({ "type": "object", "additionalProperties": text() });
    // A list of words for the editor; a variable may stand for one.
    let words = |words: &[&str]| json!({ "anyOf": [{ "enum": words }, { "pattern": "\\$\\{", "type": "string" }] });
    Some(match (section, key) {
        ("server", "listen") => list(json!({ "anyOf": [text(), table("listen")] })),
        ("server", "access_log_format") => words(&["text", "json", "combined"]),
        ("server", "workers" | "max_body") => number(),
        ("tracing", "export") => text(),
        ("listen", "tls") => words(&["certificates", "local"]),
        ("listen", "redirect_to_https") => json!({ "type": ["boolean", "integer"] }),
        ("tls", "certificates") => list(table("certificate")),
        ("upstream", "servers") => list(json!({ "anyOf": [text(), table("member")] })),
        ("upstream", "policy") => {
            words(&["round_robin", "least_connections", "random_two", "hash"])
        }
        ("upstream", "health" | "eject") => table(key),
        ("upstream", "tls") => json!({ "anyOf": [{ "type": "boolean" }, table("upstream_tls")] }),
        ("upstream_tls", "server_name" | "ca") => text(),
        ("eject", "statuses") => list(number()),
        ("host", "routes") => list(table("route")),
        ("route", "upstream") => json!({ "anyOf": [text(), list(table("share"))] }),
        ("route", "auth") => words(&["required", "optional", "none"]),
        ("route", "request_headers" | "response_headers") => table("edits"),
        ("route", "redirect" | "respond" | "rate_limit") => table(key),
        ("route", "max_body" | "min_rate") | ("share", "weight") | ("respond", "status") => {
            number()
        }
        ("rate_limit", "requests" | "burst") => number(),
        ("edits", "set" | "add") => headers(),
        ("certificate" | "host", "names") | ("route", "methods") | ("edits", "remove") => texts(),
        (
            "server" | "listen" | "certificate" | "auth" | "member" | "health" | "route" | "share"
            | "rate_limit" | "redirect" | "respond",
            "address"
            | "cert"
            | "key"
            | "upstream"
            | "path"
            | "request_body_timeout"
            | "reload_timeout"
            | "strip_prefix"
            | "rewrite"
            | "request_body_idle_timeout"
            | "response_timeout"
            | "body_idle_timeout"
            | "split_by"
            | "name"
            | "per"
            | "to"
            | "body",
        ) => text(),
        _ => return None,
    })
}

/// A row of a table.
struct Row {
    key: &'static str,
    default: &'static str,
    meaning: &'static str,
}

impl Row {
    /// The default, where it is a value and not a word about it.
    fn value(&self) -> Option<toml::Value> {
        let code =
            self.default.strip_prefix('`')?.strip_suffix('`').filter(|code| !code.contains('`'))?;
        let table: toml::Table = toml::from_str(&format!("it = {code}")).ok()?;
        table.get("it").cloned()
    }
}

/// The tables of the page, by section.
fn tables() -> BTreeMap<&'static str, Vec<Row>> {
    let mut tables = BTreeMap::<&str, Vec<Row>>::new();
    let mut current = None;
    for line in PAGE.lines() {
        if let Some(found) = SECTIONS.iter().find(|section| line.starts_with(section.mark)) {
            current = Some(found.name);
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let name = current.unwrap_or_else(|| panic!("{line}: SECTIONS doesn't know this table"));
        let (key, rest) = row.split_once("` | ").unwrap_or_else(|| panic!("{line}"));
        // A `\|` is part of a cell.
        let rest = rest.strip_suffix(" |").unwrap_or_else(|| panic!("{line}"));
        let (default, meaning) = rest.split_once(" | ").unwrap_or_else(|| panic!("{line}"));
        tables.entry(name).or_default().push(Row { key, default, meaning });
    }
    tables
}

/// The keys that the parser knows in a section, as it lists them itself.
fn keys_of(section: &str) -> BTreeSet<String> {
    let error = toml::from_str::<File>(section).map(|_| ()).unwrap_err();
    let (_, list) =
        error.message().split_once(", expected").unwrap_or_else(|| panic!("{section}: {error}"));
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_is_in_the_reference_and_the_reference_has_no_other() {
    let tables = tables();
    let top: BTreeSet<String> =
        ["server", "tls", "auth", "tracing", "upstreams", "hosts"].map(str::to_owned).into();
    assert_eq!(keys_of("zz = 1"), top);
    for Section { name, text, .. } in SECTIONS {
        let rows = tables.get(name).unwrap_or_else(|| panic!("the page has no table for {name}"));
        let documented: BTreeSet<String> = rows.iter().map(|row| row.key.to_owned()).collect();
        assert_eq!(documented.len(), rows.len(), "{name}: a key is there twice");
        assert_eq!(keys_of(&text.replace('@', "zz = 1")), documented, "{name}");
    }
}

/// A whole file with a key in a section; without one if it is empty.
fn file(section: &Section, key: &str) -> String {
    let mut text = match key {
        "" => section.text.replace(", @", "").replace('@', ""),
        _ => section.text.replace('@', key),
    };
    if key.starts_with("hash_by ") {
        // It means something with this policy only.
        text += "policy = \"hash\"\n";
    }
    if !text.contains("[upstreams.web]") {
        text += "[upstreams.web]\nservers = [\"127.0.0.1:1\"]\n";
    }
    if !text.contains("[[hosts]]") {
        text += "[[hosts]]\nnames = [\"*\"]\nroutes = [{ path = \"/*\", upstream = \"web\" }]\n";
    }
    text
}

#[test]
fn a_key_that_is_left_out_means_what_the_reference_says() {
    let tables = tables();
    let mut checked = 0;
    for section in SECTIONS {
        for row in &tables[section.name] {
            let Some(value) = row.value() else { continue };
            let debug = |text: &str| match parse(text) {
                Ok(loaded) => format!("{:?}", loaded.config),
                Err(error) => panic!("{}.{}: {error}\n{text}", section.name, row.key),
            };
            let written = file(section, &format!("{} = {value}", row.key));
            let omitted = match row.key {
                "hash_by" => written.replace(&format!("hash_by = {value}"), ""),
                _ => file(section, ""),
            };
            assert_eq!(debug(&written), debug(&omitted), "{}.{}", section.name, row.key);
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}

/// The examples of the page, which are one file together.
fn examples() -> String {
    PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Sorts the keys of a table of proxy.conf by the section that they belong to.
fn sort(section: &'static str, value: &toml::Value, used: &mut BTreeMap<&str, BTreeSet<String>>) {
    if let toml::Value::Array(entries) = value {
        entries.iter().for_each(|entry| sort(section, entry, used));
    }
    // What may be a table or a word has no keys as a word.
    let toml::Value::Table(table) = value else { return };
    for (key, value) in table {
        used.entry(section).or_default().insert(key.clone());
        let inner = match (section, key.as_str()) {
            ("server", "listen") => "listen",
            ("tls", "certificates") => "certificate",
            ("upstream", "servers") => "member",
            ("upstream", "health") => "health",
            ("upstream", "tls") => "upstream_tls",
            ("upstream", "eject") => "eject",
            ("host", "routes") => "route",
            ("route", "upstream") => "share",
            ("route", "rate_limit") => "rate_limit",
            ("route", "request_headers" | "response_headers") => "edits",
            ("route", "redirect") => "redirect",
            ("route", "respond") => "respond",
            _ => continue,
        };
        sort(inner, value, used);
    }
}

#[test]
fn the_examples_are_a_good_file_with_every_key() {
    let folder = tempfile::tempdir().unwrap();
    // The only file that is read with the text.
    let ca = folder.path().join("internal.pem");
    let key = rcgen::KeyPair::generate().unwrap();
    let root = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    std::fs::write(&ca, root.pem()).unwrap();
    let text = examples().replace("/etc/chat/internal.pem", ca.to_str().unwrap());
    parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut used = BTreeMap::new();
    for (name, value) in &toml::from_str::<toml::Table>(&text).unwrap() {
        match name.as_str() {
            "server" => sort("server", value, &mut used),
            "tls" => sort("tls", value, &mut used),
            "auth" => sort("auth", value, &mut used),
            "tracing" => sort("tracing", value, &mut used),
            "upstreams" => {
                let upstreams = value.as_table().unwrap().values();
                upstreams.for_each(|upstream| sort("upstream", upstream, &mut used));
            }
            "hosts" => sort("host", value, &mut used),
            other => panic!("{other}"),
        }
    }
    for (section, rows) in tables() {
        let known: BTreeSet<String> = rows.iter().map(|row| row.key.to_owned()).collect();
        assert_eq!(used.remove(section), Some(known), "{section}: example and table");
    }
    // Each section shows what it is about.
    for section in PAGE.split("\n## `[").skip(1) {
        assert!(section.contains("```toml\n["), "{section}");
    }
}

/// The schema that the page describes.
fn schema() -> Value {
    let tables = tables();
    let mut definitions = Map::new();
    for Section { name, .. } in SECTIONS {
        let rows = &tables[name];
        let mut properties = Map::new();
        for row in rows {
            let default = row.value().and_then(|value| serde_json::to_value(value).ok());
            let usual = default.as_ref().and_then(|default| match default {
                Value::String(_) => Some(json!({ "type": "string" })),
                Value::Bool(_) => Some(json!({ "type": "boolean" })),
                Value::Number(_) => Some(json!({ "type": ["integer", "string"] })),
                Value::Array(_) => Some(json!({ "type": "array", "items": { "type": "string" } })),
                _ => None,
            });
            let mut property = kind(name, row.key)
                .or(usual)
                .unwrap_or_else(|| panic!("kind() has to tell what {name}.{} is", row.key));
            property["description"] = row.meaning.replace("\\|", "|").into();
            if let Some(default) = default {
                property["default"] = default;
            }
            properties.insert(row.key.to_owned(), property);
        }
        let required: Vec<&str> =
            rows.iter().filter(|row| row.default == "required").map(|row| row.key).collect();
        definitions.insert(
            (*name).to_owned(),
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": properties,
                "required": required,
            }),
        );
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "proxy.conf of hybrid chat",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "server": { "$ref": "#/$defs/server" },
            "tls": { "$ref": "#/$defs/tls" },
            "auth": { "$ref": "#/$defs/auth" },
            "tracing": { "$ref": "#/$defs/tracing" },
            "upstreams": { "type": "object", "additionalProperties": { "$ref": "#/$defs/upstream" } },
            "hosts": { "type": "array", "items": { "$ref": "#/$defs/host" } },
        },
        "$defs": definitions,
    })
}

#[test]
fn the_schema_for_editors_is_that_of_the_reference() {
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proxy-conf.schema.json");
        std::fs::write(path, &text).unwrap();
    } else {
        assert!(
            text == SCHEMA,
            "docs/proxy-conf.md has changed: UPDATE_SCHEMA=1 cargo nextest run -p proxy schema"
        );
    }
}

#[test]
fn the_schema_takes_what_the_parser_takes_and_refuses_what_is_misspelt() {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("proxy.conf", schema()).unwrap();
    let index = compiler.compile("proxy.conf", &mut schemas).unwrap();
    let fits = |text: &str| {
        let value: Value = toml::from_str(text).unwrap();
        schemas.validate(&value, index).map_err(|error| error.to_string())
    };
    fits(COMMITTED).unwrap();
    fits(&examples()).unwrap();
    let tables = tables();
    for section in SECTIONS {
        for row in &tables[section.name] {
            if let Some(value) = row.value() {
                let text = file(section, &format!("{} = {value}", row.key));
                fits(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            }
        }
        let text = file(section, "zz = 1");
        assert!(fits(&text).is_err(), "{text}");
    }
    for text in
        ["[server]\nlisten = 5\n", "[upstreams.a]\n", "[[hosts]]\nnames = \"*\"\n", "zz = 1\n"]
    {
        assert!(fits(text).is_err(), "{text}");
    }
}
