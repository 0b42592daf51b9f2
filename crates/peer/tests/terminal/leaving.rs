//! However it ends, the terminal is as it was.

use std::process::Command;

use peer::terminal::screen::Screen;

use crate::support::{Town, town};
use crate::window::Window;

async fn open(town: &Town) -> Window {
    let window = Window::open("alice", 80, 24);
    window.chats(town, "").await;
    window.shows("You are in no channel yet").await;
    window
}

fn signal(window: &Window, name: &str) {
    let status =
        Command::new("kill").args([&format!("-{name}"), &window.program()]).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_end_is_obeyed() {
    let town = town().await;
    for name in ["TERM", "INT", "HUP"] {
        let window = open(&town).await;
        signal(&window, name);
        window.ended("0").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsent_text_is_asked_about_and_a_second_ctrl_c_leaves() {
    let town = town().await;
    let window = open(&town).await;
    window.types("half a sen");
    window.shows("> half a sen").await;
    window.keys(&["C-c"]);
    window.shows("Something you wrote is not sent").await;
    window.keys(&["C-c"]);
    window.ended("0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_z_gives_the_shell_back_and_fg_the_client() {
    let town = town().await;
    let window = open(&town).await;
    window.types("still here");
    window.shows("> still here").await;
    window.keys(&["C-z"]);
    window.shows("Stopped").await;
    window.is_clean().await;
    window.enters("clear; fg; echo ended with $?");
    window.shows("> still here").await;
    assert_eq!(window.fact("alternate_on"), "1");
    // Keys are keys again, and not signals.
    window.keys(&["C-u"]);
    window.hides("still here").await;
    window.keys(&["C-c"]);
    window.ended("0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_stopped_from_outside_draws_itself_anew() {
    let town = town().await;
    let window = open(&town).await;
    signal(&window, "STOP");
    window.shows("Stopped").await;
    window.enters("clear; fg; echo ended with $?");
    window.shows("You are in no channel yet").await;
    window.types("typed");
    window.shows("> typed").await;
    window.keys(&["C-u", "C-c"]);
    window.ended("0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_client_uses_no_processor_time() {
    let town = town().await;
    let window = open(&town).await;
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", window.program())).unwrap();
        let times: Vec<u64> = stat
            .rsplit(") ")
            .next()
            .unwrap()
            .split(' ')
            .skip(11)
            .take(2)
            .map(|time| time.parse().unwrap())
            .collect();
        times.iter().sum::<u64>()
    };
    // What the start still does.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let before = used();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    // In hundredths of a second: heartbeats are all that there is.
    assert!(used() - before <= 2, "{} ticks", used() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_it_says_what_it_needs() {
    let town = town().await;
    let output = Command::new(env!("CARGO_BIN_EXE_peer"))
        .args(["--server", &town.url(), "--guest", "alice", "--peer-ip", "127.0.0.1", "--data-dir"])
        .arg(town.home("alice"))
        .arg("chat")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("needs a terminal"), "{said}");
}

/// What this test does in the window: it takes the terminal over and panics.
fn take_and_panic() {
    let screen = Screen::enter().unwrap();
    let task = std::thread::spawn(|| panic!("on purpose"));
    assert!(task.join().is_err());
    drop(screen);
    panic!("and once more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_gives_the_terminal_back_before_it_is_told() {
    if std::env::var_os("IN_A_WINDOW").is_some() {
        return take_and_panic();
    }
    let window = Window::open("nobody", 100, 30);
    let this = std::env::current_exe().unwrap();
    let name = "leaving::a_panic_gives_the_terminal_back_before_it_is_told";
    window.enters(&format!(
        "clear; RUST_BACKTRACE=0 IN_A_WINDOW=1 {} --exact {name} --nocapture; echo ended with $?",
        this.display()
    ));
    window.shows("on purpose").await;
    window.shows("and once more").await;
    window.ended("101").await;
}
