//! A stand-in for the proxy and its login.

use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Opens one that knows a password, and two that aren't enough; its address.
pub(crate) async fn door() -> String {
    let log_in = async |Json(login): Json<Value>| {
        if login["password"] == "right" {
            let account = json!({
                "status": "success", "username": "Alice", "user_id": "u", "roles": [], "created_at": "",
            });
            return ([("set-cookie", "session=s; Path=/")], Json(account)).into_response();
        }
        let factors = match login["password"].as_str() {
            Some("right, with a code") => json!(["totp", "recovery_code"]),
            Some("right, with a passkey") => json!(["passkey"]),
            _ => {
                let problem =
                    json!({ "status": "error", "code": "wrong_credentials", "message": "wrong" });
                return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
            }
        };
        let needed = json!({
            "status": "error", "code": "second_factor_needed", "message": "more", "factors": factors, "expires_in": 300,
        });
        (StatusCode::FORBIDDEN, [("set-cookie", "half=h; Path=/")], Json(needed)).into_response()
    };
    let show = async |headers: HeaderMap, Json(shown): Json<Value>| {
        let half = headers.get("cookie").is_some_and(|cookie| cookie == "half=h");
        if half && shown["code"] == "123456" {
            let account = json!({
                "status": "success", "username": "Alice", "user_id": "u", "roles": [], "created_at": "",
            });
            return ([("set-cookie", "session=s; Path=/")], Json(account)).into_response();
        }
        let problem = json!({ "status": "error", "code": "wrong_code", "message": "not this one" });
        (StatusCode::UNAUTHORIZED, Json(problem)).into_response()
    };
    let gone = async || Json(json!({ "status": "success" }));
    let stranger = async || {
        let problem = json!({ "status": "error", "code": "unauthenticated", "message": "sign in" });
        (StatusCode::UNAUTHORIZED, Json(problem))
    };
    let router = Router::new()
        .route("/login", post(log_in))
        .route("/login/code", post(show))
        .route("/logout", post(gone))
        .fallback(stranger);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
