//! `/health`, `/ready` and `/metrics` on an address of their own, so that operations stay off the public port.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::{Problem, Shutdown};

/// What the admin address shows; made by the program.
pub trait Probe: Send + Sync + 'static {
    /// The metrics, in the Prometheus text format 0.0.4.
    fn metrics(&self) -> String;

    /// Whether what the program depends on is there; the text says what is missing.
    ///
    /// # Errors
    /// The reason why it isn't ready.
    fn ready(&self) -> Result<(), String>;
}

/// Answers admin requests until `shutdown`.
pub async fn serve(listener: TcpListener, probe: Arc<dyn Probe>, shutdown: Shutdown) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: let others close theirs.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let probe = probe.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let probe = probe.clone();
                async move { Ok::<_, Infallible>(answer(request.uri().path(), &*probe)) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "admin connection ended");
            }
        });
    }
}

fn answer(path: &str, probe: &dyn Probe) -> Response<Full<Bytes>> {
    match path {
        "/health" => json(StatusCode::OK, r#"{"status":"success"}"#),
        "/ready" => match probe.ready() {
            Ok(()) => json(StatusCode::OK, r#"{"status":"success"}"#),
            Err(reason) => {
                Problem::unavailable("not_ready", reason, 1).into_response_with(Full::new)
            }
        },
        "/metrics" => {
            let mut response = Response::new(Full::new(Bytes::from(probe.metrics())));
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            );
            response
        }
        _ => Problem::not_found("not_found", "the admin address has /health, /ready and /metrics")
            .into_response_with(Full::new),
    }
}

fn json(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sick;
    impl Probe for Sick {
        fn metrics(&self) -> String {
            "up 1\n".into()
        }
        fn ready(&self) -> Result<(), String> {
            Err("the database is away".into())
        }
    }

    #[test]
    fn alive_but_not_ready_is_told_apart() {
        assert_eq!(answer("/health", &Sick).status(), StatusCode::OK);
        assert_eq!(answer("/ready", &Sick).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer("/metrics", &Sick).status(), StatusCode::OK);
        assert_eq!(answer("/else", &Sick).status(), StatusCode::NOT_FOUND);
    }
}
