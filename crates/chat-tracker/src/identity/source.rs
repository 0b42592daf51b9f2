//! Where the keys come from: backend-auth, and between starts a copy on disk.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use wire::identity::KeySet;

use crate::http_client::{BaseUrl, ask};

/// The path of the key set.
const PATH: &str = "/.well-known/jwks.json";
/// The copy's name in the data folder.
const FILE: &str = "jwks.json";

/// How often the keys are asked for, although all is well.
pub(super) const EVERY: Duration = Duration::from_secs(300);
/// After a failure: at first, and at most.
pub(super) const RETRY: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(15));
/// A token with an unknown key leads to one question in so much time, however many such tokens come.
const UNKNOWN_KEY_EVERY: Duration = Duration::from_secs(30);

/// Whether a token that could not be verified is worth a question, after the last one for such a reason.
pub(super) fn may_be_asked(last: Option<Instant>, has_keys: bool, now: Instant) -> bool {
    let every = if has_keys { UNKNOWN_KEY_EVERY } else { RETRY.0 };
    last.is_none_or(|last| now.saturating_duration_since(last) >= every)
}

pub(super) struct Source {
    pub(super) auth_url: BaseUrl,
    pub(super) data_dir: PathBuf,
}

impl Source {
    pub(super) async fn fetch(&self) -> Result<KeySet, String> {
        let request =
            Request::get(PATH).body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
        let answer = ask(&self.auth_url, request).await.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let set: KeySet = serde_json::from_slice(answer.body())
            .map_err(|error| format!("its answer is not a key set: {error}"))?;
        Ok(set)
    }

    /// The last good set of an earlier run: it lets known callers in while backend-auth is away.
    pub(super) fn kept(&self) -> Option<KeySet> {
        let bytes = std::fs::read(self.data_dir.join(FILE)).ok()?;
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "the kept keys can't be read"))
            .ok()
    }

    pub(super) fn keep(&self, set: &KeySet) {
        let written =
            serde_json::to_vec_pretty(set).map_err(std::io::Error::from).and_then(|json| {
                // Renamed into place: a crash leaves the old set or the new one, never half of one.
                let new = self.data_dir.join(format!("{FILE}.new"));
                std::fs::write(&new, json)?;
                std::fs::rename(new, self.data_dir.join(FILE))
            });
        if let Err(error) = written {
            tracing::warn!(%error, "the keys could not be kept on disk");
        }
    }
}
