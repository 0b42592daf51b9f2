//! The audit log's table: added to, searched, and shortened at its old end. Triggers refuse everything else.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::audit::Entry;

/// What is looked for; fields that are left out don't matter.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The event.
    pub event: Option<String>,
    /// The result; `failure` is everything but success.
    pub result: Option<String>,
    /// An account's name or id, as who did it or to whom.
    pub who: Option<String>,
    /// The address.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// Any part of names, detail, address or User-Agent.
    pub text: Option<String>,
    /// Not older than this.
    pub from: Option<i64>,
    /// Older than this.
    pub to: Option<i64>,
    /// Before the entry of this number.
    pub before: Option<i64>,
    /// Entries at most.
    pub limit: usize,
}

/// An entry as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its number.
    pub n: i64,
    /// Seconds since 1970.
    pub at: i64,
    /// What.
    pub event: String,
    /// How it ended.
    pub result: String,
    /// Who: an account's id.
    pub actor: Option<String>,
    /// Its name.
    pub actor_name: String,
    /// To whom: an account's id.
    pub target: Option<String>,
    /// Its name.
    pub target_name: String,
    /// What else.
    pub detail: String,
    /// From where.
    pub ip: String,
    /// With what.
    pub user_agent: String,
    /// In which request.
    pub request_id: String,
}

/// Adds an entry.
///
/// # Errors
/// What SQLite says.
pub fn insert(db: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO audit (at, event, result, actor, actor_name, target, target_name, detail, ip, user_agent, request_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        entry.at,
        entry.event,
        entry.result,
        entry.actor,
        entry.actor_name,
        entry.target,
        entry.target_name,
        entry.detail,
        entry.ip,
        entry.user_agent,
        entry.request_id,
    ])?;
    Ok(())
}

/// The newest entries that fit, newest first.
///
/// # Errors
/// What SQLite says.
pub fn search(db: &Connection, search: &Search) -> rusqlite::Result<Vec<Stored>> {
    let mut conditions = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    let text = |text: &String| Value::Text(text.clone());
    if let Some(event) = &search.event {
        and("event = ?", text(event));
    }
    match search.result.as_deref() {
        Some("failure") => and("result <> ?", Value::Text("success".into())),
        Some(result) => and("result = ?", Value::Text(result.into())),
        None => {}
    }
    if let Some(who) = &search.who {
        and(
            "(lower(actor_name) = lower(?) OR lower(target_name) = lower(?) OR actor = ? OR target = ?)",
            text(who),
        );
    }
    if let Some(ip) = &search.ip {
        and("ip = ?", text(ip));
    }
    if let Some(id) = &search.request_id {
        and("request_id = ?", text(id));
    }
    if let Some(part) = &search.text {
        and(
            "instr(lower(actor_name || ' ' || target_name || ' ' || detail || ' ' || ip || ' ' || user_agent), lower(?)) > 0",
            text(part),
        );
    }
    if let Some(from) = search.from {
        and("at >= ?", Value::Integer(from));
    }
    if let Some(to) = search.to {
        and("at < ?", Value::Integer(to));
    }
    if let Some(before) = search.before {
        and("n < ?", Value::Integer(before));
    }
    let mut sql = "SELECT n, at, event, result, actor, actor_name, target, target_name, detail, ip, user_agent, request_id
         FROM audit"
        .to_owned();
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    sql.push_str(&format!(" ORDER BY n DESC LIMIT {}", search.limit));
    db.prepare_cached(&sql)?.query_map(params_from_iter(values), read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        n: row.get(0)?,
        at: row.get(1)?,
        event: row.get(2)?,
        result: row.get(3)?,
        actor: row.get(4)?,
        actor_name: row.get(5)?,
        target: row.get(6)?,
        target_name: row.get(7)?,
        detail: row.get(8)?,
        ip: row.get(9)?,
        user_agent: row.get(10)?,
        request_id: row.get(11)?,
    })
}

/// Forgets entries from before a time and, of those that aren't successes, the oldest beyond `failures`: whoever guesses
/// at passwords can fill the table with his own traces, but can't push those of others out. How many went.
///
/// # Errors
/// What SQLite says.
pub fn sweep(db: &Connection, before: i64, failures: usize) -> rusqlite::Result<usize> {
    db.execute("UPDATE audit_gate SET open = 1", [])?;
    let old = db.prepare_cached("DELETE FROM audit WHERE at < ?")?.execute([before])?;
    let many = db
        .prepare_cached(
            "DELETE FROM audit WHERE result <> 'success' AND n <=
                 (SELECT n FROM audit WHERE result <> 'success' ORDER BY n DESC LIMIT 1 OFFSET ?)",
        )?
        .execute([failures])?;
    db.execute("UPDATE audit_gate SET open = 0", [])?;
    Ok(old + many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64, event: &'static str, name: &str, result: &'static str) -> Entry {
        Entry { at, ..Entry::on_host(event) }.by_name(name).result(result)
    }

    fn filled() -> Connection {
        let db = crate::store::in_memory();
        for (at, event, name, result) in [
            (1, "login", "Alice", "success"),
            (2, "login", "bob", "refused"),
            (3, "role", "alice", "success"),
            (4, "login", "bob", "refused"),
            (5, "login", "bob", "throttled"),
        ] {
            insert(&db, &entry(at, event, name, result)).unwrap();
        }
        db
    }

    fn found(db: &Connection, wanted: Search) -> Vec<i64> {
        let found = search(db, &Search { limit: 100, ..wanted }).unwrap();
        found.into_iter().map(|entry| entry.at).collect()
    }

    #[test]
    fn every_field_narrows_the_search_and_pages_go_back_in_time() {
        let db = filled();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(&db, Search::default()), [5, 4, 3, 2, 1]);
        assert_eq!(found(&db, Search { event: some("login"), ..Search::default() }), [5, 4, 2, 1]);
        assert_eq!(found(&db, Search { result: some("failure"), ..Search::default() }), [5, 4, 2]);
        assert_eq!(found(&db, Search { result: some("refused"), ..Search::default() }), [4, 2]);
        assert_eq!(found(&db, Search { who: some("ALICE"), ..Search::default() }), [3, 1]);
        assert_eq!(found(&db, Search { text: some("LIC"), ..Search::default() }), [3, 1]);
        assert_eq!(
            found(
                &db,
                Search { ip: some("host"), from: Some(2), to: Some(4), ..Search::default() }
            ),
            [3, 2]
        );
        assert_eq!(found(&db, Search { before: Some(3), ..Search::default() }), [2, 1]);
        assert_eq!(search(&db, &Search { limit: 2, ..Search::default() }).unwrap().len(), 2);
        assert!(found(&db, Search { who: some("' OR 1=1 --"), ..Search::default() }).is_empty());
    }

    #[test]
    fn nothing_is_rewritten_or_taken_out() {
        let db = filled();
        for sql in [
            "UPDATE audit SET actor_name = 'eve'",
            "DELETE FROM audit WHERE n = 2",
            "DELETE FROM audit",
        ] {
            let text = db.execute(sql, []).unwrap_err().to_string();
            assert!(text.contains("append-only"), "{text}");
        }
        assert_eq!(found(&db, Search::default()).len(), 5);
    }

    #[test]
    fn old_entries_go_and_a_flood_of_failures_pushes_no_success_out() {
        let db = filled();
        assert_eq!(sweep(&db, 2, 100).unwrap(), 1);
        assert_eq!(sweep(&db, 2, 1).unwrap(), 2);
        assert_eq!(found(&db, Search::default()), [5, 3]);
        assert!(db.execute("DELETE FROM audit", []).is_err(), "the gate is shut again");
    }
}
