//! One log line for each login, registration, new password, token and invite: who, from where, with what
//! result. Never a password, a token or a code. A name that no account has isn't logged on a failed
//! login: it may be a password typed into the wrong field.

use service::Problem;

use crate::App;
use crate::client::Client;
use crate::handlers::entry::Entered;
use crate::sessions::Session;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As wanted.
    Success,
    /// Wrong name or password.
    Refused,
    /// Too many tries.
    Throttled,
    /// Our fault.
    Error,
}

impl Outcome {
    /// As it is logged and counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Error => "error",
        }
    }
}

/// A login; `username` only if there is such an account.
pub fn login(app: &App, client: &Client, username: Option<&str>, outcome: Outcome) {
    app.metrics.logins.with_label_values(&[outcome.as_str()]).inc();
    let username = username.unwrap_or("(no such account)");
    line("login", client, username, outcome.as_str());
}

/// A registration.
pub fn register(app: &App, client: &Client, username: &str, outcome: &Result<Entered, Problem>) {
    let result = match outcome {
        Ok(_) => "success",
        Err(problem) => problem.code(),
    };
    app.metrics.registrations.with_label_values(&[result]).inc();
    let username: String = match outcome {
        Ok(entered) => entered.account.name.clone(),
        Err(problem) if problem.code() == "invalid_username" => "(invalid)".to_owned(),
        Err(_) => username.chars().take(64).collect(),
    };
    line("register", client, &username, result);
}

/// A logout.
pub fn logout(client: &Client, session: &Session) {
    line("logout", client, &session.account.name, "success");
}

/// A change of password.
pub fn password(client: &Client, session: &Session, outcome: Outcome) {
    line("password", client, &session.account.name, outcome.as_str());
}

/// A token for direct use.
pub fn token(client: &Client, session: &Session) {
    line("token", client, &session.account.name, "success");
}

/// A new invite.
pub fn invite(client: &Client, session: &Session, uses: u32) {
    line("invite", client, &session.account.name, &format!("success, for {uses} accounts"));
}

fn line(event: &str, client: &Client, username: &str, result: &str) {
    tracing::info!(
        target: "audit",
        event,
        result,
        username,
        ip = %client.ip,
        user_agent = client.user_agent,
        request_id = client.request_id,
        "{event} {result}"
    );
}
