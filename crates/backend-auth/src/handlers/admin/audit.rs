//! The audit log, searched and exported.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use service::Problem;
use tokio::sync::mpsc;
use wire::admin::{AuditEntry, AuditPage, SearchAudit};

use super::Auditor;
use crate::App;
use crate::body;
use crate::clock;
use crate::handlers::respond;
use crate::store::audit::{self, Search, Stored};

const PAGE: usize = 100;
const PAGE_MAX: usize = 500;
/// Entries that the export reads at a time.
const EXPORT_PAGE: usize = 500;

/// A page of the audit log, newest first.
#[utoipa::path(get, path = "/auth/admin/audit", tag = "administration", params(SearchAudit),
    responses(
        (status = 200, body = wire::Success<AuditPage>),
        (status = 400, description = "`invalid_query`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `insufficient_scope`")))]
pub async fn search(State(app): State<Arc<App>>, _: Auditor, uri: Uri) -> Response {
    respond(find(&app, &uri).await)
}

async fn find(app: &App, uri: &Uri) -> Result<AuditPage, Problem> {
    let wanted: SearchAudit = body::query(uri)?;
    let limit = body::page(wanted.limit, PAGE, PAGE_MAX)?;
    let search = Search { limit: limit + 1, ..search_of(wanted)? };
    let mut found = app.store.read(move |db| audit::search(db, &search)).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.n);
    Ok(AuditPage { entries: found.into_iter().map(shown).collect(), next })
}

/// All entries that fit, newest first, as a file: JSON lines or CSV (RFC 4180).
#[utoipa::path(get, path = "/auth/admin/audit/export", tag = "administration", params(SearchAudit),
    responses(
        (status = 200, description = "A line an entry", content((String = "application/jsonl"), (String = "text/csv")), headers(("content-disposition" = String, description = "The file's name"))),
        (status = 400, description = "`invalid_query`"),
        (status = 401, description = "`unauthenticated`"),
        (status = 403, description = "`not_an_admin`, `insufficient_scope`")))]
pub async fn export(State(app): State<Arc<App>>, _: Auditor, uri: Uri) -> Response {
    stream(app, &uri).into_response()
}

#[derive(Clone, Copy)]
enum Format {
    JsonLines,
    Csv,
}

fn stream(app: Arc<App>, uri: &Uri) -> Result<Response, Problem> {
    let wanted: SearchAudit = body::query(uri)?;
    let (format, content_type, name) = match wanted.format.as_deref() {
        None | Some("jsonl") => (Format::JsonLines, "application/jsonl", "audit.jsonl"),
        Some("csv") => (Format::Csv, "text/csv; charset=utf-8", "audit.csv"),
        Some(_) => return Err(Problem::bad_request("invalid_query", "format: jsonl or csv")),
    };
    if wanted.limit.is_some() {
        return Err(Problem::bad_request("invalid_query", "limit: an export has no pages"));
    }
    let mut search = Search { limit: EXPORT_PAGE, ..search_of(wanted)? };
    // One page is read ahead; whoever reads slowly makes the reading wait, and whoever leaves ends it.
    let (pages, mut read) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        if let Format::Csv = format
            && pages.send(Ok(Bytes::from_static(CSV_HEAD))).await.is_err()
        {
            return;
        }
        loop {
            let wanted = search.clone();
            let found = match app.store.read(move |db| audit::search(db, &wanted)).await {
                Ok(found) => found,
                Err(error) => {
                    // The answer has begun: it breaks off, so that nobody takes a part for the whole.
                    let _ = pages.send(Err(std::io::Error::other(error))).await;
                    return;
                }
            };
            let Some(last) = found.last().map(|last| last.n) else { return };
            let complete = found.len() < EXPORT_PAGE;
            search.before = Some(last);
            if pages.send(Ok(lines(found, format))).await.is_err() || complete {
                return;
            }
        }
    });
    let body = futures_util::stream::poll_fn(move |context| read.poll_recv(context));
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"{name}\"");
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::try_from(disposition).map_err(|error| Problem::internal(&error))?,
    );
    Ok(response)
}

fn search_of(wanted: SearchAudit) -> Result<Search, Problem> {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let time = |name: &str, text: Option<String>| {
        some(text)
            .map(|text| text.parse::<jiff::Timestamp>().map(|time| time.as_second()))
            .transpose()
            .map_err(|_| {
                Problem::bad_request(
                    "invalid_query",
                    format!("{name}: a time such as 2025-11-05T10:30:00Z"),
                )
            })
    };
    Ok(Search {
        event: some(wanted.event),
        result: some(wanted.result),
        who: some(wanted.who),
        ip: some(wanted.ip),
        request_id: some(wanted.request_id),
        text: some(wanted.q),
        from: time("from", wanted.from)?,
        to: time("to", wanted.to)?,
        before: wanted.before,
        limit: PAGE,
    })
}

fn shown(entry: Stored) -> AuditEntry {
    AuditEntry {
        n: entry.n,
        at: clock::rfc3339(entry.at),
        event: entry.event,
        result: entry.result,
        who: entry.actor_name,
        who_id: entry.actor,
        about: entry.target_name,
        about_id: entry.target,
        detail: entry.detail,
        ip: entry.ip,
        user_agent: entry.user_agent,
        request_id: entry.request_id,
    }
}

const CSV_HEAD: &[u8] =
    b"n,at,event,result,who,who_id,about,about_id,detail,ip,user_agent,request_id\r\n";

fn lines(found: Vec<Stored>, format: Format) -> Bytes {
    let mut text = String::new();
    for entry in found.into_iter().map(shown) {
        match format {
            Format::JsonLines => {
                // Plain fields always serialise.
                text.push_str(&serde_json::to_string(&entry).unwrap_or_default());
                text.push('\n');
            }
            Format::Csv => csv(&mut text, &entry),
        }
    }
    Bytes::from(text)
}

fn csv(text: &mut String, entry: &AuditEntry) {
    let number = entry.n.to_string();
    let fields = [
        number.as_str(),
        &entry.at,
        &entry.event,
        &entry.result,
        &entry.who,
        entry.who_id.as_deref().unwrap_or_default(),
        &entry.about,
        entry.about_id.as_deref().unwrap_or_default(),
        &entry.detail,
        &entry.ip,
        &entry.user_agent,
        &entry.request_id,
    ];
    for (at, field) in fields.into_iter().enumerate() {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        // A spreadsheet would take these for the start of a formula, and a User-Agent says what it likes.
        if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            text.push('\'');
        }
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_needs_it_and_is_no_formula() {
        let stored = Stored {
            n: 7,
            at: 0,
            event: "login".into(),
            result: "refused".into(),
            actor: None,
            actor_name: "a,\"b\"".into(),
            target: None,
            target_name: String::new(),
            detail: String::new(),
            ip: "192.0.2.1".into(),
            user_agent: "=HYPERLINK(\"x\")\n".into(),
            request_id: "-1".into(),
        };
        let text = String::from_utf8(lines(vec![stored], Format::Csv).to_vec()).unwrap();
        assert_eq!(
            text,
            "\"7\",\"1970-01-01T00:00:00Z\",\"login\",\"refused\",\"a,\"\"b\"\"\",\"\",\"\",\"\",\"\",\"192.0.2.1\",\"'=HYPERLINK(\"\"x\"\")\n\",\"'-1\"\r\n"
        );
    }
}
