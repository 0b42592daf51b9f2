//! The programs as a shell or a supervisor sees them.

use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use system_tests::binaries::{binary, repository};
use system_tests::neighbour::slow;
use system_tests::ports::Port;
use system_tests::{Answer, User, World, eventually, patience};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::Notify;

const PROGRAMS: [&str; 3] = ["proxy", "backend-auth", "chat-tracker"];
/// The longest drain by default, and some time for a busy machine.
const DRAINED: Duration = Duration::from_secs(15);

#[tokio::test]
async fn sigterm_ends_each_program_with_code_0_though_streams_are_open() {
    let mut world = World::start().await;
    let alice = world.account("alice").await;
    let mut stream = alice.events(None).await.unwrap();
    stream.next_of("hello").await;
    for (name, member) in [
        ("proxy", &mut world.proxy),
        ("chat-tracker", &mut world.tracker),
        ("backend-auth", &mut world.auth),
    ] {
        let (status, took) = member.program.terminate().await;
        assert_eq!(status.code(), Some(0), "{name} ended with {status}");
        assert!(took < DRAINED, "{name} took {took:?}");
    }
    while stream.next().await.is_ok() {}
}

#[tokio::test]
async fn a_request_under_way_is_answered_though_sigterm_came_to_the_proxy() {
    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let upstream = slow(arrived.clone(), release.clone()).await;
    let mut world = World::plan().public_host("slow.test", upstream.addr()).start().await;
    let request = world.stranger().request(Method::GET, "/").header("Host", "slow.test");
    let answer = tokio::spawn(Answer::to(request));
    arrived.notified().await;

    world.proxy.program.signal(Signal::TERM);
    // It takes no new connections any more, and still waits for the old one.
    eventually("the port is closed", || async {
        TcpStream::connect(world.proxy.addr()).await.is_err().then_some(())
    })
    .await;
    release.notify_one();
    assert_eq!(answer.await.unwrap().text, "late");
    assert_eq!(world.proxy.program.ended().await.code(), Some(0));
}

#[tokio::test]
async fn what_was_acknowledged_before_sigterm_is_there_after_the_next_start() {
    let mut world = World::start().await;
    let alice = world.account("alice").await;
    for round in 1..=3 {
        alice.says("general", &format!("message {round}")).await.ok();
        let (status, _) = world.tracker.program.terminate().await;
        assert_eq!(status.code(), Some(0));
        world.tracker.restart().await;
        let again = User::new("alice", &world.tracker.addr());
        assert_eq!(again.history("general", 0).await.len(), round);
        eventually("the proxy finds the tracker again", || alice.get_if_up("/get-list")).await;
    }
}

#[tokio::test]
async fn an_unknown_flag_is_one_line_and_code_2() {
    for program in PROGRAMS {
        let output = run(program, &["--no-such-flag"]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{program}: {said}");
        assert_eq!(said.lines().count(), 1, "{program}: {said}");
        assert!(said.contains("--no-such-flag"), "{program}: {said}");
    }
}

#[tokio::test]
async fn help_shows_examples_and_version_names_the_program() {
    for program in PROGRAMS {
        let help = run(program, &["--help"]).await;
        let text = String::from_utf8(help.stdout).unwrap();
        assert_eq!(help.status.code(), Some(0));
        assert!(text.to_lowercase().contains("example"), "{program}: {text}");
        let version = run(program, &["--version"]).await;
        let text = String::from_utf8(version.stdout).unwrap();
        assert!(text.starts_with(program) && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_one_line_that_names_the_port() {
    let taken = Port::claim();
    let _holder = std::net::TcpListener::bind(taken.local()).unwrap();
    let number = taken.number().to_string();
    let config = repository().join("proxy.conf");
    for (program, args) in [
        ("proxy", vec!["--config", config.to_str().unwrap()]),
        ("backend-auth", vec!["--server-port", &number]),
        ("chat-tracker", vec!["--server-port", &number]),
    ] {
        let folder = TempDir::new().unwrap();
        let ended = Command::new(binary(program))
            .args(args)
            .args(["--log-format", "text"])
            .env_clear()
            .env("PROXY_LISTEN", taken.local())
            .env("WWW_DIR", repository().join("www"))
            .current_dir(folder.path())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(patience(), ended).await.expect("it runs").unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code().is_some_and(|code| code != 0), "{program}: {said}");
        let about: Vec<&str> = said.lines().filter(|line| line.contains(&number)).collect();
        assert_eq!(about.len(), 1, "{program}: {said}");
        assert!(about[0].contains("in use") && about[0].contains("ss -ltnp"), "{said}");
        assert!(!said.contains("panicked"), "{program}: {said}");
    }
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_named_with_its_place_before_any_port_is_bound() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("proxy.conf");
    let text = std::fs::read_to_string(repository().join("proxy.conf")).unwrap();
    std::fs::write(&file, text.replacen("listen =", "lisen =", 1)).unwrap();
    let line = 1 + text.lines().position(|line| line.trim_start().starts_with("listen =")).unwrap();
    for args in [vec!["check", "--config"], vec!["--config"]] {
        let mut args = args;
        args.push(file.to_str().unwrap());
        let output = run("proxy", &args).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("proxy.conf:{line}:")), "{said}");
        assert!(said.contains("lisen") && said.contains("listen"), "{said}");
    }
    let committed = repository().join("proxy.conf");
    let output = run("proxy", &["check", "--config", committed.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn the_health_subcommand_tells_a_running_service_from_a_dead_one() {
    let mut world = World::start().await;
    let port = |addr: String| addr.rsplit(':').next().unwrap().to_owned();
    let tracker = ["--server-port", &port(world.tracker.addr()), "health"].map(str::to_owned);
    let auth = ["--server-port", &port(world.auth.addr()), "health"].map(str::to_owned);
    let ask = async |program: &str, args: &[String]| {
        run(program, &args.iter().map(String::as_str).collect::<Vec<_>>()).await.status.code()
    };
    assert_eq!(ask("chat-tracker", &tracker).await, Some(0));
    assert_eq!(ask("backend-auth", &auth).await, Some(0));
    world.tracker.kill().await;
    world.auth.kill().await;
    assert_eq!(ask("chat-tracker", &tracker).await, Some(1));
    assert_eq!(ask("backend-auth", &auth).await, Some(1));
}

async fn run(program: &str, args: &[&str]) -> Output {
    let ended = Command::new(binary(program)).args(args).env_clear().kill_on_drop(true).output();
    tokio::time::timeout(patience(), ended).await.expect("it doesn't end").unwrap()
}
