//! What holds for each call that the OpenAPI document names, so that a new one can't be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Visitor, World};

/// The paths of the calls with this method.
async fn calls(visitor: &Visitor, method: &str) -> Vec<String> {
    let document = visitor.get("/auth/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let found: Vec<String> = paths
        .iter()
        .filter(|(_, calls)| calls[method].is_object())
        .map(|(path, _)| path.clone())
        .collect();
    assert!(found.len() > 10, "{method}: {found:?}");
    found
}

/// All that is stored, but when something was last used, and the audit log.
fn stored(world: &World) -> BTreeMap<String, Vec<String>> {
    let db = rusqlite::Connection::open(world.database()).unwrap();
    let mut tables = db
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'audit'")
        .unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > 5, "{tables:?}");
    let rows = |table: &str| {
        let mut all = db.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let names: Vec<String> = all.column_names().map(str::to_owned).collect();
        let mut rows = all.query([]).unwrap();
        let mut texts = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let fields = names.iter().enumerate().filter(|(_, name)| *name != "last_seen");
            let fields = fields.map(|(at, name)| format!("{name}={:?}", row.get_ref(at).unwrap()));
            texts.push(fields.collect::<Vec<_>>().join(" "));
        }
        texts
    };
    tables.iter().map(|table| (table.clone(), rows(table))).collect()
}

#[tokio::test]
async fn rule_28_no_call_that_changes_something_is_taken_from_another_site() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let before = stored(&world);
    for path in calls(&alice, "post").await {
        for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let body = json!({"username": "mallory", "password": PASSWORD});
            let answer = alice.post_with(&path, body, &[foreign]).await;
            let told = (answer.status.as_u16(), answer.code());
            assert_eq!(told, (403, "cross_site".into()), "{path} {foreign:?}");
            assert!(answer.cookie_lines().is_empty(), "{path}");
        }
    }
    assert_eq!(stored(&world), before);
    assert!(alice.is_signed_in().await);
}

#[tokio::test]
async fn rule_30_no_get_changes_anything() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let before = stored(&world);
    for path in calls(&alice, "get").await {
        let answer = alice.get(&path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text);
    }
    for path in calls(&alice, "post").await {
        let answer = alice.get(&path).await;
        // Some have a page, or a list, of the same name.
        assert!([200, 303, 400, 404, 405].contains(&answer.status.as_u16()), "{path}");
    }
    assert_eq!(stored(&world), before);
    assert!(alice.is_signed_in().await);
}

#[tokio::test]
async fn rule_46_no_call_takes_a_body_of_a_megabyte() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let before = stored(&world);
    let document = alice.get("/auth/openapi.json").await.json();
    let mut too_large = 0;
    for path in calls(&alice, "post").await {
        if document["paths"][&path]["post"]["requestBody"].is_null() {
            continue;
        }
        let huge = "x".repeat(1024 * 1024);
        for (kind, body) in [
            ("application/json", json!({"username": "alice", "password": huge}).to_string()),
            ("application/x-www-form-urlencoded", format!("username=alice&password={huge}")),
        ] {
            let kind = [("content-type", kind)];
            let answer = alice.copy().send(Method::POST, &path, &kind, Some(body)).await;
            match answer.status.as_u16() {
                413 => too_large += 1,
                303 => assert!(answer.header("location").contains("error="), "{path}: {answer:?}"),
                // Refused for something else before the body is looked at.
                other => assert!([401, 404, 409, 415].contains(&other), "{path}: {answer:?}"),
            }
        }
    }
    assert!(too_large > 15, "{too_large}");
    assert_eq!(stored(&world), before);
}

/// Beside their call, these addresses have a page.
const WITH_A_PAGE: [&str; 5] = ["/register", "/login", "/login/code", "/login/name", "/reset"];

#[tokio::test]
async fn the_document_names_each_route_and_each_of_its_methods() {
    let world = World::new().await;
    let visitor = world.visitor();
    let document = visitor.get("/auth/openapi.json").await.json();
    let documented = document["paths"].as_object().unwrap();
    let routed: BTreeSet<&str> = backend_auth::router::paths().collect();
    assert_eq!(documented.keys().map(String::as_str).collect::<BTreeSet<_>>(), routed);
    for path in routed {
        let answer = visitor.copy().send(Method::TRACE, path, &[], None).await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed: BTreeSet<_> =
            answer.header("allow").split(',').map(|method| method.trim().to_lowercase()).collect();
        let mut named: BTreeSet<_> =
            documented[path].as_object().unwrap().keys().cloned().collect();
        if WITH_A_PAGE.contains(&path) {
            named.insert("get".to_owned());
        }
        // Comes with every GET.
        if named.contains("get") {
            named.insert("head".to_owned());
        }
        assert_eq!(allowed, named, "{path}");
    }
}

#[tokio::test]
async fn the_document_names_each_call_once_and_each_answers() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    for method in ["get", "post"] {
        for path in calls(&alice, method).await {
            let answer = match method {
                "get" => world.visitor().get(&path).await,
                _ => world.visitor().post(&path, json!({})).await,
            };
            let told = serde_json::from_str::<Value>(&answer.text).unwrap_or_default();
            assert_ne!(told["code"], "method_not_allowed", "{method} {path}");
            assert_ne!(told["code"], "not_found", "{method} {path}");
        }
    }
}
