//! Every call of README.md, run as it stands there. Only host and port are another, since the test
//! runs its own programs.

use std::path::Path;

use serde_json::Value;
use system_tests::binaries::repository;
use system_tests::documented::compare;
use system_tests::markdown::{Block, blocks};
use system_tests::world::PASSWORD;
use system_tests::{World, patience};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// The three scenarios of the original API, all seven calls.
const SCENARIOS: [&str; 3] =
    ["Register and discover", "Join, broadcast, read", "Connect and send a direct message"];

/// A call and what the document says it answers.
struct Call {
    script: String,
    language: String,
    shown: String,
    line: usize,
    heading: String,
}

#[tokio::test]
async fn every_call_of_the_readme_gives_the_documented_answer() {
    let world = World::start().await;
    let calls = calls();
    assert!(calls.len() > 20, "only {} calls were found", calls.len());
    for call in &calls {
        let script = at_home(&call.script, &world);
        let got = run(&script, world.folder(), call).await;
        check(call, &got);
    }
}

#[tokio::test]
async fn the_scenarios_through_the_proxy_need_a_session_and_work_with_the_login_cookie() {
    let world = World::start().await;
    let calls: Vec<Call> =
        calls().into_iter().filter(|call| SCENARIOS.contains(&call.heading.as_str())).collect();
    let used = |path: &str| calls.iter().any(|call| call.script.contains(path));
    for path in [
        "/submit-info",
        "/get-list",
        "/add-list",
        "/connect-peer",
        "/broadcast-peer",
        "/send-peer",
        "/get-messages",
    ] {
        assert!(used(path), "no scenario uses {path}");
    }

    for call in &calls {
        let script = at_home(&call.script.replace("localhost:8001", "localhost:8080"), &world);
        let got: Value = serde_json::from_str(&run(&script, world.folder(), call).await).unwrap();
        assert_eq!(got["status"], "error", "line {}: {got}", call.line);
        assert_eq!(got["code"], "unauthenticated", "line {}: {got}", call.line);
    }

    // The account that the scenarios' Alice has; Bob is a name that she registers herself.
    world.account("alice").await;
    let login = format!(
        r#"curl -s -c jar http://localhost:8080/login -H 'Content-Type: application/json' \
        -d '{{"username":"alice","password":"{PASSWORD}"}}'"#
    );
    let signed_in = bash(&at_home(&login, &world), world.folder()).await;
    assert!(signed_in.contains("success"), "{signed_in}");
    for call in &calls {
        let script = call.script.replace("localhost:8001", "localhost:8080");
        let script = at_home(&script.replace("curl -s", "curl -s -b jar"), &world);
        let got = run(&script, world.folder(), call).await;
        check(call, &got);
    }
}

/// Every `sh` block with a call in it, together with the block that follows it.
fn calls() -> Vec<Call> {
    let blocks = blocks(&repository().join("README.md"));
    let mut calls = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        if block.language != "sh" || !block.text.contains("curl ") {
            continue;
        }
        let answer: Option<&Block> =
            blocks.get(at + 1).filter(|next| ["json", "text"].contains(&next.language.as_str()));
        let answer = answer
            .unwrap_or_else(|| panic!("line {}: a call without a documented answer", block.line));
        calls.push(Call {
            script: block.text.clone(),
            language: answer.language.clone(),
            shown: answer.text.clone(),
            line: block.line,
            heading: block.heading.clone(),
        });
    }
    calls
}

fn at_home(script: &str, world: &World) -> String {
    script
        .replace("localhost:8001", &world.tracker.addr())
        .replace("localhost:9000", &world.auth.addr())
        // By name: what is served at localhost (passkeys) isn't at an address.
        .replace("localhost:8080", &world.proxy.addr().replace("127.0.0.1", "localhost"))
}

/// What the call prints: all of it, or of a stream as much as is documented.
async fn run(script: &str, folder: &Path, call: &Call) -> String {
    if call.language == "json" {
        return bash(script, folder).await;
    }
    let mut child = Command::new("bash")
        .args(["-ec", &format!("exec {script}")])
        .current_dir(folder)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let wanted = call.shown.lines().count();
    let mut got = Vec::new();
    let reading = async {
        while got.iter().filter(|&&byte| byte == b'\n').count() < wanted {
            assert_ne!(pipe.read_buf(&mut got).await.unwrap(), 0, "the stream ended");
        }
    };
    tokio::time::timeout(patience(), reading).await.expect("the stream says too little");
    String::from_utf8(got).unwrap()
}

async fn bash(script: &str, folder: &Path) -> String {
    let running = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(patience(), running).await.expect("no end").unwrap();
    assert!(output.status.success(), "{script}\nended with {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn check(call: &Call, got: &str) {
    let outcome = if call.language == "json" {
        let shown = serde_json::from_str(&call.shown).unwrap();
        let got = serde_json::from_str(got).unwrap_or_else(|_| Value::String(got.to_owned()));
        compare(&shown, &got)
    } else {
        call.shown.lines().zip(got.lines()).try_for_each(|(shown, got)| compare_line(shown, got))
    };
    if let Err(difference) = outcome {
        panic!("README.md line {}: {difference}\nrun: {}got: {got}", call.line, call.script);
    }
}

/// A line of a stream: `name: value`, where the value may be JSON.
fn compare_line(shown: &str, got: &str) -> Result<(), String> {
    let (Some((name, shown)), Some((got_name, got))) =
        (shown.split_once(": "), got.split_once(": "))
    else {
        return if shown == got { Ok(()) } else { Err(format!("{shown:?} is {got:?}")) };
    };
    if name != got_name {
        return Err(format!("{name}: is {got_name}: {got}"));
    }
    if shown.strip_suffix('…').is_some_and(|start| got.starts_with(start)) {
        return Ok(());
    }
    let value = |text: &str| serde_json::from_str(text).unwrap_or(Value::String(text.to_owned()));
    compare(&value(shown), &value(got))
}
