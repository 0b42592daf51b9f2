//! Signing in from the command line.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::program::{peer, ran};
use crate::support::town;

/// A stand-in for the proxy that knows one password.
async fn door() -> String {
    let log_in = async |Json(login): Json<Value>| {
        if login["password"] == "right" {
            let account = json!({
                "status": "success", "username": "Alice", "user_id": "u", "roles": [], "created_at": "",
            });
            return ([("set-cookie", "session=s; Path=/")], Json(account)).into_response();
        }
        let problem = json!({ "status": "error", "code": "wrong_credentials", "message": "wrong" });
        (StatusCode::UNAUTHORIZED, Json(problem)).into_response()
    };
    let gone = async || Json(json!({ "status": "success" }));
    let stranger = async || {
        let problem = json!({ "status": "error", "code": "unauthenticated", "message": "sign in" });
        (StatusCode::UNAUTHORIZED, Json(problem))
    };
    let router =
        Router::new().route("/login", post(log_in)).route("/logout", post(gone)).fallback(stranger);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_kept_and_forgotten_and_a_wrong_password_has_code_4() {
    let (town, url) = (town().await, door().await);
    let home = town.home("alice");
    let with = |password: &str, args: &[&str]| {
        let mut command = peer(&home);
        command.args(["--server", &url]).args(args);
        if !password.is_empty() {
            command.env("CHAT_PASSWORD", password);
        }
        command
    };
    let named = ["--user", "alice", "login"];
    ran(&mut with("wrong", &named)).await.exits(4);
    let missing = ran(&mut with("", &named)).await.exits(4);
    assert!(missing.err.contains("CHAT_PASSWORD"), "{missing:?}");
    let ran_in = ran(&mut with("right", &named)).await.exits(0);
    assert!(ran_in.out.contains("signed in as Alice"), "{ran_in:?}");
    // The name need not be said again.
    let out = ran(&mut with("", &["logout"])).await.exits(0);
    assert!(out.out.contains("signed out"), "{out:?}");
    ran(&mut with("", &["logout"])).await.exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_may_not_come_in_is_told_so_with_code_4() {
    let (town, url) = (town().await, door().await);
    let mut guest = peer(&town.home("ann"));
    let ran =
        ran(guest.args(["--server", &url, "--guest", "ann", "send", "bob", "hi"])).await.exits(4);
    assert!(ran.err.contains("asks for an account"), "{ran:?}");
}
