//! Signing in, against a stand-in for the proxy: its sign-in, and who it knows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use peer::config::Login;
use peer::peer::StartError;
use peer::tracker::{Server, SignInError, Tracker};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::people::id;

/// What the stand-in knows.
#[derive(Default)]
struct Door {
    /// Sessions that were given; a session is good when it is the newest.
    given: AtomicUsize,
}

fn problem(status: u16, code: &str) -> Response {
    let body = json!({ "status": "error", "code": code, "message": format!("words for {code}") });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

async fn log_in(State(door): State<Arc<Door>>, Json(login): Json<Value>) -> Response {
    match login["password"].as_str() {
        Some("right") => {
            let number = door.given.fetch_add(1, Ordering::SeqCst) + 1;
            let cookie = format!("session=s{number}; HttpOnly; Path=/");
            let account = json!({
                "status": "success", "username": "Alice", "user_id": "u", "roles": [], "created_at": "",
            });
            ([("set-cookie", cookie)], Json(account)).into_response()
        }
        Some("again") => {
            ([("retry-after", "7")], problem(429, "too_many_requests")).into_response()
        }
        _ => problem(401, "wrong_credentials"),
    }
}

async fn me(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    let good = format!("session=s{}", door.given.load(Ordering::SeqCst));
    match headers.get("cookie").and_then(|cookie| cookie.to_str().ok()) {
        Some(cookie) if cookie == good => {
            Json(json!({ "status": "success", "peer_id": "Alice", "guest": false, "roles": [] }))
                .into_response()
        }
        _ => problem(401, "unauthenticated"),
    }
}

async fn door() -> (String, Arc<Door>) {
    let door = Arc::new(Door::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/login", post(log_in))
        .route("/chat/me", get(me))
        .with_state(door.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, door)
}

async fn sign_in(url: &str, password: Option<&str>, folder: &Path) -> Result<Tracker, SignInError> {
    let server: Server = url.parse().unwrap();
    let login = Login::Account { user: id("alice"), password: password.map(str::to_owned) };
    Tracker::sign_in(server, &login, folder.to_owned()).await
}

#[tokio::test]
async fn the_session_is_kept_for_its_owner_alone_and_used_again() {
    let (url, door) = door().await;
    let folder = tempfile::tempdir().unwrap();
    let tracker = sign_in(&url, Some("right"), folder.path()).await.unwrap();
    assert_eq!(tracker.id().as_str(), "Alice", "as the account is spelled");
    let mode = fs::metadata(folder.path().join("session")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    sign_in(&url, None, folder.path()).await.unwrap();
    sign_in(&url, Some("right"), folder.path()).await.unwrap();
    assert_eq!(door.given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_session_that_is_over_is_renewed_with_the_password_and_told_of_without() {
    let (url, door) = door().await;
    let folder = tempfile::tempdir().unwrap();
    let tracker = sign_in(&url, Some("right"), folder.path()).await.unwrap();
    door.given.fetch_add(1, Ordering::SeqCst);
    let Err(SignInError::Refused(words)) = sign_in(&url, None, folder.path()).await else {
        panic!("the session is over");
    };
    assert!(words.contains("peer login"), "{words}");
    tracker.me().await.unwrap();
    assert_eq!(door.given.load(Ordering::SeqCst), 3);
    sign_in(&url, None, folder.path()).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_said_in_clear_words() {
    let (url, _) = door().await;
    let folder = tempfile::tempdir().unwrap();
    for (password, said) in [
        (Some("wrong"), "words for wrong_credentials"),
        (Some("again"), "try again later (in 7 s)"),
        (None, "peer login"),
    ] {
        let Err(SignInError::Refused(words)) = sign_in(&url, password, folder.path()).await else {
            panic!("{password:?} passed");
        };
        assert!(words.contains(said), "{words}");
        assert!(!folder.path().join("session").exists());
    }
}

#[tokio::test]
async fn an_absent_server_stops_only_those_who_never_signed_in() {
    let (url, _) = door().await;
    let folder = tempfile::tempdir().unwrap();
    sign_in(&url, Some("right"), folder.path()).await.unwrap();
    // The same server, as far as the kept session knows, and nobody there.
    let away = "http://127.0.0.1:1";
    let kept = fs::read_to_string(folder.path().join("session")).unwrap().replace(&url, away);
    fs::write(folder.path().join("session"), kept).unwrap();
    let tracker = sign_in(away, None, folder.path()).await.unwrap();
    assert_eq!(tracker.id().as_str(), "Alice");
    let new = tempfile::tempdir().unwrap();
    let outcome = sign_in(away, Some("right"), new.path()).await;
    assert!(matches!(outcome, Err(SignInError::Unreachable(_))));
}

#[tokio::test]
async fn a_server_that_is_none_of_ours_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async || "hello");
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let Err(SignInError::Unreachable(words)) = sign_in(&url, Some("right"), folder.path()).await
    else {
        panic!("it passed");
    };
    assert!(words.contains(&url) && words.contains("hybrid chat"), "{words}");
    let login = Login::Account { user: id("alice"), password: None };
    let config = peer::Config::new("localhost:80".to_owned(), login, folder.path().to_owned());
    assert!(matches!(peer::Peer::start(config).await, Err(StartError::Local(_))));
}
