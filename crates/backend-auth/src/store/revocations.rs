//! Which sessions ended before their time, numbered, for those who hold something open on their account: the
//! tracker's live streams, and tokens that it verifies without asking.

use rusqlite::{Connection, params};

/// Seconds that a revocation is kept. Whoever asks after longer than that is told to begin anew.
pub const KEPT: i64 = 7 * 86_400;
/// Revocations in one answer.
const PAGE: usize = 1000;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where this page ends: the `since` of the next question.
    pub cursor: String,
    /// Nothing is known of the time before: whoever asked must take everything for revoked.
    pub reset: bool,
    /// Public ids of sessions that ended, oldest first.
    pub sids: Vec<String>,
    /// There are more.
    pub more: bool,
}

/// Notes that a session ended.
///
/// # Errors
/// What SQLite says.
pub fn add(db: &Connection, sid: &str, now: i64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO revocations (sid, at) VALUES (?, ?)")?
        .execute(params![sid, now])?;
    Ok(())
}

/// What ended since a cursor; without one, what ended since `recent`.
///
/// # Errors
/// What SQLite says.
pub fn since(db: &Connection, cursor: Option<&str>, recent: i64) -> rusqlite::Result<Page> {
    let epoch: String =
        db.query_row("SELECT epoch FROM revocations_epoch", [], |row| row.get(0))?;
    let newest: i64 = db
        .prepare_cached(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revocations'",
        )?
        .query_row([], |row| row.get(0))?;
    // Rows go from the old end only, so all after this one are there.
    let forgotten: i64 = db
        .prepare_cached("SELECT coalesce(min(n) - 1, ?) FROM revocations")?
        .query_row([newest], |row| row.get(0))?;
    let at = |n: i64| format!("{epoch}:{n}");
    let from = match cursor {
        None => db
            .prepare_cached("SELECT coalesce(max(n), ?2) FROM revocations WHERE at < ?1")?
            .query_row(params![recent, forgotten], |row| row.get(0))?,
        Some(text) => {
            let known = text
                .split_once(':')
                .filter(|(of, _)| *of == epoch)
                .and_then(|(_, n)| n.parse::<i64>().ok())
                .filter(|n| (forgotten..=newest).contains(n));
            match known {
                Some(n) => n,
                None => {
                    return Ok(Page {
                        cursor: at(newest),
                        reset: true,
                        sids: Vec::new(),
                        more: false,
                    });
                }
            }
        }
    };
    let mut statement =
        db.prepare_cached("SELECT n, sid FROM revocations WHERE n > ? ORDER BY n LIMIT ?")?;
    let rows: Vec<(i64, String)> = statement
        .query_map(params![from, PAGE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let last = rows.last().map_or(from, |(n, _)| *n);
    Ok(Page {
        cursor: at(last),
        reset: false,
        more: last < newest && rows.len() == PAGE,
        sids: rows.into_iter().map(|(_, sid)| sid).collect(),
    })
}

/// Forgets what is older than [`KEPT`].
///
/// # Errors
/// What SQLite says.
pub fn sweep(db: &Connection, now: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM revocations WHERE at < ?")?.execute([now - KEPT])?;
    Ok(())
}

/// Begins a new count: after a restore, old cursors mean other things than they say.
///
/// # Errors
/// What SQLite says.
pub fn begin_anew(db: &Connection) -> rusqlite::Result<()> {
    db.execute("UPDATE revocations_epoch SET epoch = lower(hex(randomblob(8)))", [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_revocation_is_told_once_and_in_order() {
        let db = crate::store::in_memory();
        add(&db, "old", 10).unwrap();
        add(&db, "a", 100).unwrap();
        let first = since(&db, None, 50).unwrap();
        assert_eq!(
            (first.sids.as_slice(), first.reset, first.more),
            (["a".to_owned()].as_slice(), false, false)
        );
        assert!(since(&db, Some(&first.cursor), 50).unwrap().sids.is_empty());
        add(&db, "b", 101).unwrap();
        let next = since(&db, Some(&first.cursor), 50).unwrap();
        assert_eq!((next.sids, next.reset), (vec!["b".to_owned()], false));
    }

    #[test]
    fn a_long_list_comes_in_pages() {
        let db = crate::store::in_memory();
        let start = since(&db, None, 0).unwrap().cursor;
        for number in 0..PAGE + 1 {
            add(&db, &number.to_string(), 1).unwrap();
        }
        let first = since(&db, Some(&start), 0).unwrap();
        assert_eq!((first.sids.len(), first.more), (PAGE, true));
        let rest = since(&db, Some(&first.cursor), 0).unwrap();
        assert_eq!((rest.sids, rest.more), (vec![PAGE.to_string()], false));
    }

    #[test]
    fn who_asks_too_late_or_of_another_time_begins_anew() {
        let db = crate::store::in_memory();
        let start = since(&db, None, 0).unwrap().cursor;
        add(&db, "a", 1).unwrap();
        add(&db, "b", KEPT + 2).unwrap();
        sweep(&db, KEPT + 2).unwrap();
        assert!(since(&db, Some(&start), 0).unwrap().reset, "a was forgotten");
        let now = since(&db, None, 0).unwrap().cursor;
        sweep(&db, 3 * KEPT).unwrap();
        let quiet = since(&db, Some(&now), 0).unwrap();
        assert!(!quiet.reset && quiet.sids.is_empty(), "nothing was missed");
        for odd in ["", "x", "other:1", &now.replace(':', ":9"), &now.replace(':', ":-")] {
            assert!(since(&db, Some(odd), 0).unwrap().reset, "{odd:?}");
        }
        begin_anew(&db).unwrap();
        assert!(since(&db, Some(&now), 0).unwrap().reset);
    }
}
