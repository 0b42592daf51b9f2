//! The program itself: exit codes, signals, log.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::authenticator::ORIGIN;
use crate::provider::{CLIENT, Mood, Provider, SECRET, Sign, go, there};
use crate::support::{OTHER_PASSWORD, PASSWORD, Visitor, folder};

fn program(folder: &Path) -> Command {
    program_with(folder, 8, 1)
}

/// The program, with hashes that cost so much.
pub(crate) fn program_with(folder: &Path, memory_kib: u32, passes: u32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend-auth"));
    command.env_clear().env("SERVER_PORT", "0").current_dir(folder).args([
        "--hash-memory-kib",
        &memory_kib.to_string(),
        "--hash-passes",
        &passes.to_string(),
        "--log-format",
        "json",
    ]);
    command
}

fn refused(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    errors[0].to_owned()
}

#[test]
fn a_mistake_is_one_line_and_code_2() {
    let folder = folder();
    let at = folder.path();
    assert!(refused(program(at).args(["--www", "missing"])).contains("--www missing"));
    assert!(
        refused(program(at).args(["--public-origin", "chat.example.org"]))
            .contains("https://chat.example.org")
    );
    assert!(
        refused(program(at).args(["--data-dir", "www/index.html"]))
            .contains("--data-dir www/index.html")
    );
    assert!(refused(program(at).args(["--trusted-proxies", "all"])).contains("172.16.0.0/12"));
    assert!(refused(program(at).args(["--session-idle", "8d"])).contains("--session-absolute"));
    assert!(refused(program(at).args(["--hash-memory-kib", "1"])).contains("--hash-memory-kib"));
    assert!(refused(program(at).args(["--password-min", "7"])).contains("--password-min 7"));
    let text = refused(program(at).args(["--password-min", "20", "--password-max-bytes", "16"]));
    assert!(text.contains("--password-max-bytes 16"), "{text}");
    assert!(refused(program(at).args(["--registration", "maybe"])).contains("invite"));
    assert!(refused(program(at).args(["--session-idle", "soon"])).contains("24h"));
    let text = refused(program(at).args(["--oidc-issuer", "https://login.example.org"]));
    assert!(text.contains("--public-origin") && text.contains("/auth/oidc/callback"), "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = refused(program(at).args(["--server-port", &port]).env("SERVER_IP", "127.0.0.1"));
    assert!(text.contains(&port) && text.contains("in use"), "{text}");
}

pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stderr: BufReader<std::process::ChildStderr>,
    pub(crate) port: u16,
}

fn run(folder: &Path) -> Running {
    run_with(&mut program(folder))
}

pub(crate) fn run_with(program: &mut Command) -> Running {
    let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
    let addr: std::net::SocketAddr = started["addr"].as_str().unwrap().parse().unwrap();
    Running { child, stderr, port: addr.port() }
}

fn terminate(running: &Running) {
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
}

#[test]
fn it_says_where_it_listens_answers_health_and_ends_on_sigterm() {
    let folder = folder();
    let mut running = run(folder.path());
    let port = running.port.to_string();
    let health = |port: &str| {
        Command::new(env!("CARGO_BIN_EXE_backend-auth"))
            .args(["health", "--server-port", port])
            .output()
            .unwrap()
    };
    assert!(health(&port).status.success());
    terminate(&running);
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    running.stderr.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("SIGTERM") && rest.contains("--public-origin"), "{rest}");
    assert_eq!(health(&port).status.code(), Some(1));
}

#[tokio::test]
async fn every_event_is_one_log_line_without_a_secret() {
    let folder = folder();
    let provider = Provider::start().await;
    let mut running = run_with(program(folder.path()).envs([
        ("PUBLIC_ORIGIN", ORIGIN),
        ("OIDC_ISSUER", &provider.issuer),
        ("OIDC_CLIENT_ID", CLIENT),
        ("OIDC_CLIENT_SECRET", SECRET),
        ("LOG_LEVEL", "trace"),
    ]));
    let base = format!("http://127.0.0.1:{}", running.port);
    let client = reqwest::Client::builder().cookie_store(true).build().unwrap();
    let mut secrets =
        vec![PASSWORD.to_owned(), OTHER_PASSWORD.to_owned(), "mypasswordasaname".to_owned()];
    for (path, body) in [
        ("register", json!({"username": "alice", "password": PASSWORD})),
        ("login", json!({"username": "alice", "password": OTHER_PASSWORD})),
        ("login", json!({"username": "mypasswordasaname", "password": "x"})),
        ("login", json!({"username": "alice", "password": PASSWORD})),
        ("token", json!({})),
        ("invites", json!({})),
        ("auth/tokens", json!({"name": "script"})),
        ("auth/password/strength", json!({"password": "mypasswordasaname"})),
        ("auth/reauth", json!({"password": PASSWORD})),
        ("password", json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD})),
        ("logout", json!({})),
    ] {
        let response = client.post(format!("{base}/{path}")).json(&body).send().await.unwrap();
        secrets.extend(response.cookies().map(|cookie| cookie.value().to_owned()));
        let answer: Value = response.json().await.unwrap();
        for name in ["access_token", "code", "token"] {
            let secret = answer[name].as_str().filter(|_| answer["status"] == "success");
            secrets.extend(secret.map(str::to_owned));
        }
    }
    let visitor = Visitor::at(([127, 0, 0, 1], running.port).into());
    let mut page = String::new();
    // A new person, a token that is another's, a code that is nobody's, a provider that says no.
    for trouble in 0..4 {
        page = go(&visitor, "/auth/oidc/login").await;
        secrets.push(visitor.cookie("oidc"));
        let mut back = there(&page).await;
        match trouble {
            1 => provider.desk().sign = Sign::AnotherKey,
            2 => back.push_str("guessed-by-someone"),
            3 => provider.desk().mood = Mood::Down,
            _ => {}
        }
        visitor.get(&back).await;
        secrets.push(visitor.cookie("session"));
        // It is nobody's now, and says nothing of what it was.
        visitor.get(&back).await;
    }
    {
        let desk = provider.desk();
        assert!(page.starts_with(&provider.issuer) && desk.exchanges.len() == 3);
        secrets.extend(desk.secrets.iter().cloned());
        secrets.extend(["guessed-by-someone".to_owned(), SECRET.to_owned()]);
        for asked in &desk.visits {
            secrets.extend([asked["state"].clone(), asked["nonce"].clone()]);
        }
        for form in &desk.exchanges {
            let basic = form["authorization"].strip_prefix("Basic ").unwrap();
            secrets.extend([form["code_verifier"].clone(), basic.to_owned()]);
        }
    }
    terminate(&running);
    assert!(running.child.wait().unwrap().success());
    let mut log = String::new();
    running.stderr.read_to_string(&mut log).unwrap();
    let events: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["target"] == "audit")
        .map(|line| {
            format!("{} {} {}", line["event"], line["username"], line["result"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        events,
        [
            "register alice success",
            "login alice refused",
            "login (no such account) refused",
            "login alice success",
            "token alice success",
            "invite alice success",
            "create_token alice success",
            "reauth alice success",
            "password alice success",
            "logout alice success",
            "register ada success",
            "login (nobody yet) refused",
            "login (nobody yet) refused",
            "login (nobody yet) error",
        ]
    );
    let db = rusqlite::Connection::open(folder.path().join("data/auth.db")).unwrap();
    let rows: Vec<String> = db
        .prepare(
            "SELECT event || ' ' || actor_name || ' ' || result || ' ' || target_name || ' ' || detail || ' ' || ip
                 || ' ' || user_agent || ' ' || request_id FROM audit ORDER BY n",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows.len(), events.len(), "a row for each line: {rows:?}");
    let log = format!("{log}{}", rows.join("\n"));
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        assert!(!log.contains(secret.as_str()), "{secret}\n{log}");
    }
}
