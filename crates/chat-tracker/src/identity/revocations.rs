//! Sessions that ended before their time: their tokens count no longer, and their live streams end.
//!
//! backend-auth numbers what ends; it is asked every few seconds for what is new, with the cursor of its last answer. When it
//! can't tell what happened since (it was restored from a backup, or wasn't asked for a week), the streams of all accounts
//! end and come back by the front door. The answer also names the keys that count now, so that one that was taken out of
//! service in a hurry doesn't live on here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::Request;
use http_body_util::Full;
use jiff::Timestamp;
use service::Shutdown;
use wire::identity::{DIRECT_LIFETIME, LEEWAY, Revocations};

use super::{Identity, source};
use crate::http_client::ask;
use crate::hub::Hub;

const PATH: &str = "/internal/revocations";

/// Sessions that are over, as long as a token of theirs may still be around.
#[derive(Default)]
pub(super) struct Revoked(
    // A std lock: held for a map operation.
    Mutex<HashMap<Arc<str>, i64>>,
);

impl Revoked {
    pub(super) fn contains(&self, sid: &str) -> bool {
        self.lock().contains_key(sid)
    }

    fn add(&self, sids: &[String], now: i64) {
        let mut revoked = self.lock();
        revoked.retain(|_, until| now < *until);
        let until = now + DIRECT_LIFETIME + 2 * LEEWAY;
        revoked.extend(sids.iter().map(|sid| (sid.as_str().into(), until)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows backend-auth's revocations until `shutdown`.
pub(crate) async fn follow(identity: Identity, hub: Hub, every: Duration, shutdown: Shutdown) {
    let mut cursor = None;
    let mut told = false;
    let mut wait = source::RETRY.0.min(every);
    loop {
        let pause = match step(&identity, &hub, &mut cursor).await {
            Ok(more) => {
                if std::mem::take(&mut told) {
                    tracing::info!("backend-auth tells again which sessions ended");
                }
                wait = source::RETRY.0.min(every);
                if more { Duration::ZERO } else { every }
            }
            Err(reason) => {
                // Without keys there is another complaint already.
                if identity.has_keys() && !std::mem::replace(&mut told, true) {
                    tracing::warn!(
                        reason,
                        "backend-auth doesn't tell which sessions ended, asking again"
                    );
                }
                let pause = wait;
                wait = (wait * 2).min(every);
                pause
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Asks once. Whether there is more to be asked for at once.
async fn step(identity: &Identity, hub: &Hub, cursor: &mut Option<String>) -> Result<bool, String> {
    let answer = fetch(identity, cursor.as_deref()).await?;
    identity.0.revoked.add(&answer.sids, Timestamp::now().as_second());
    if answer.reset {
        tracing::info!(
            "what happened to sessions meanwhile isn't known: all accounts' streams come back"
        );
        hub.end_sessions(|_| true);
    } else if !answer.sids.is_empty() {
        hub.end_sessions(|session| identity.0.revoked.contains(session));
    }
    *cursor = Some(answer.cursor);
    let known = identity.ring().is_some_and(|ring| ring.has_exactly(&answer.keys));
    if !known {
        identity.refresh().await?;
    }
    Ok(answer.more)
}

async fn fetch(identity: &Identity, cursor: Option<&str>) -> Result<Revocations, String> {
    let path = match cursor {
        Some(cursor) => {
            let query = Serializer::new(String::new()).append_pair("since", cursor).finish();
            format!("{PATH}?{query}")
        }
        None => PATH.to_owned(),
    };
    let request = Request::get(path).body(Full::new(Bytes::new())).map_err(|e| e.to_string())?;
    let answer = ask(identity.auth_url(), request).await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answered {}", answer.status()));
    }
    serde_json::from_slice(answer.body()).map_err(|error| format!("its answer is another: {error}"))
}
