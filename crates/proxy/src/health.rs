//! Active health checks: asks every server of an upstream now and then, and takes the sick ones out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use http::{Request, Uri};

use crate::body::RequestBody;
use crate::config::Health;
use crate::link::{Link, Manner, SendError};
use crate::pool::own_host;
use crate::resolve::{Addr, Directory, Known};

/// Between questions while a server of the upstream is out or about to be, if the interval isn't shorter anyway.
const WHILE_SICK: Duration = Duration::from_millis(500);

/// Checks for ever, all servers of the upstream at once.
pub(crate) async fn watch(
    upstream: Arc<str>,
    check: Health,
    manner: Manner,
    directory: Arc<Directory>,
) {
    let Ok(uri) = check.path.parse::<Uri>() else {
        tracing::error!(upstream = &*upstream, path = check.path, "the health path is no path");
        return;
    };
    // Answers that contradict what is known of a server, in a row.
    let streaks: Rc<RefCell<HashMap<Addr, u32>>> = Rc::default();
    loop {
        let asked: Vec<_> = directory
            .known()
            .iter()
            .cloned()
            .map(|known| {
                let (uri, check, upstream) = (uri.clone(), check.clone(), upstream.clone());
                let (streaks, manner) = (streaks.clone(), manner.clone());
                tokio::task::spawn_local(async move {
                    let outcome =
                        tokio::time::timeout(check.timeout, ask(&known, &manner, uri)).await;
                    let outcome = outcome.unwrap_or_else(|_| Err("no answer in time".into()));
                    judge(&upstream, &check, &known, &mut streaks.borrow_mut(), outcome);
                })
            })
            .collect();
        for one in asked {
            let _ = one.await;
        }
        // A restarted server is back in a moment, and until the next question nobody gets through to it.
        let known = directory.known();
        streaks.borrow_mut().retain(|addr, _| known.iter().any(|known| known.addr == *addr));
        let sick = known.iter().any(|known| !known.is_healthy()) || !streaks.borrow().is_empty();
        let pause = if sick { check.interval.min(WHILE_SICK) } else { check.interval };
        tokio::time::sleep(pause).await;
    }
}

/// Changes what is known of a server once enough answers in a row say so.
fn judge(
    upstream: &str,
    check: &Health,
    known: &Known,
    streaks: &mut HashMap<Addr, u32>,
    outcome: Result<(), String>,
) {
    let well = outcome.is_ok();
    if well == known.is_healthy() {
        streaks.remove(&known.addr);
        return;
    }
    let streak = streaks.entry(known.addr.clone()).or_default();
    *streak += 1;
    if *streak < if well { check.healthy_after } else { check.unhealthy_after } {
        return;
    }
    streaks.remove(&known.addr);
    let changed = known.set_healthy(well);
    match outcome {
        Ok(()) if changed => tracing::info!(upstream, addr = %known.addr, "healthy again"),
        Err(reason) if changed => {
            tracing::warn!(upstream, addr = %known.addr, reason, "unhealthy: taken out");
        }
        _ => {}
    }
}

async fn ask(known: &Known, manner: &Manner, uri: Uri) -> Result<(), String> {
    let mut link = Link::open_once(known, manner).await.map_err(|error| error.to_string())?;
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&own_host(known, manner.secure.as_ref())) {
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
