//! Compares an answer with the one that the documentation shows.
//!
//! The rule, as README.md tells its readers: a time stands for any time, a UUID for any UUID, a text
//! that ends in `…` for any text with that beginning. Everything else is to the letter, and no field
//! may be missing or added.

use serde_json::Value;

/// Checks `got` against `shown`.
///
/// # Errors
/// Where they differ, as a path into the JSON.
pub fn compare(shown: &Value, got: &Value) -> Result<(), String> {
    compare_at("$", shown, got)
}

fn compare_at(path: &str, shown: &Value, got: &Value) -> Result<(), String> {
    match (shown, got) {
        (Value::Object(shown), Value::Object(got)) => {
            if let Some(extra) = got.keys().find(|name| !shown.contains_key(*name)) {
                return Err(format!("{path}.{extra} is not documented: {}", got[extra]));
            }
            shown.iter().try_for_each(|(name, shown)| match got.get(name) {
                Some(got) => compare_at(&format!("{path}.{name}"), shown, got),
                None => Err(format!("{path}.{name} is documented but missing")),
            })
        }
        (Value::Array(shown), Value::Array(got)) if shown.len() == got.len() => {
            let mut pairs = shown.iter().zip(got).enumerate();
            pairs
                .try_for_each(|(at, (shown, got))| compare_at(&format!("{path}[{at}]"), shown, got))
        }
        (Value::String(shown), Value::String(got)) if stands_for(shown, got) => Ok(()),
        (shown, got) if shown == got => Ok(()),
        (shown, got) => Err(format!("{path} is documented as {shown}, but is {got}")),
    }
}

fn stands_for(shown: &str, got: &str) -> bool {
    let time = |text: &str| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok();
    let uuid = |text: &str| text.len() == 36 && uuid::Uuid::parse_str(text).is_ok();
    (time(shown) && time(got))
        || (uuid(shown) && uuid(got))
        || shown.strip_suffix('…').is_some_and(|start| got.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_ids_and_cut_texts_are_placeholders_and_nothing_else_is() {
        let shown = json!({
            "at": "2025-11-05T10:30:00.123Z",
            "id": "0199a6c0-0000-7000-8000-000000000000",
            "token": "eyJ…",
            "n": 1
        });
        let mut got = json!({
            "at": "2026-01-01T00:00:00Z",
            "id": "11111111-2222-4333-8444-555555555555",
            "token": "eyJhbGciOi",
            "n": 1
        });
        assert_eq!(compare(&shown, &got), Ok(()));
        got["n"] = json!(2);
        assert!(compare(&shown, &got).unwrap_err().starts_with("$.n"));
    }

    #[test]
    fn a_missing_and_an_added_field_are_told() {
        assert!(compare(&json!({"a": 1}), &json!({})).unwrap_err().contains("missing"));
        assert!(compare(&json!({}), &json!({"a": 1})).unwrap_err().contains("not documented"));
    }
}
