//! Active health checks: asks every server of an upstream now and then, and takes the sick ones out.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use http::{Request, Uri};

use crate::body::RequestBody;
use crate::config::Health;
use crate::link::{Link, SendError};
use crate::resolve::{Directory, Known};

/// Between questions while a server of the upstream is out, if the interval isn't shorter anyway.
const WHILE_SICK: Duration = Duration::from_millis(500);

/// Checks for ever, all servers of the upstream at once.
pub(crate) async fn watch(upstream: Arc<str>, check: Health, directory: Arc<Directory>) {
    let Ok(uri) = check.path.parse::<Uri>() else {
        tracing::error!(upstream = &*upstream, path = check.path, "the health path is no path");
        return;
    };
    loop {
        let asked: Vec<_> = directory
            .known()
            .iter()
            .cloned()
            .map(|known| {
                let (uri, limit, upstream) = (uri.clone(), check.timeout, upstream.clone());
                tokio::task::spawn_local(async move {
                    let outcome = tokio::time::timeout(limit, ask(&known, uri)).await;
                    judge(
                        &upstream,
                        &known,
                        outcome.unwrap_or_else(|_| Err("no answer in time".into())),
                    );
                })
            })
            .collect();
        for one in asked {
            let _ = one.await;
        }
        // A restarted server is back in a moment, and until the next question nobody gets through to it.
        let sick = directory.known().iter().any(|known| !known.is_healthy());
        let pause = if sick { check.interval.min(WHILE_SICK) } else { check.interval };
        tokio::time::sleep(pause).await;
    }
}

fn judge(upstream: &str, known: &Known, outcome: Result<(), String>) {
    let changed = known.set_healthy(outcome.is_ok());
    match outcome {
        Ok(()) if changed => tracing::info!(upstream, addr = %known.addr, "healthy again"),
        Err(reason) if changed => {
            tracing::warn!(upstream, addr = %known.addr, reason, "unhealthy: taken out");
        }
        _ => {}
    }
}

async fn ask(known: &Known, uri: Uri) -> Result<(), String> {
    let mut link = Link::open(known.addr).await.map_err(|error| error.to_string())?;
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&known.addr.to_string()) {
        headers.insert(HOST, host);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static("hybrid-chat-proxy health"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let never = |_: &mut std::task::Context<'_>| std::task::Poll::<()>::Pending;
    match link.send(&mut Some(request), never).await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("it answered {}", response.status())),
        Err(SendError::Broken { error, .. }) => Err(error.to_string()),
        Err(SendError::Unsent | SendError::Stopped(())) => Err("it closed the connection".into()),
    }
}
