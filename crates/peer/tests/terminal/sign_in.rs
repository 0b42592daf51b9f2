//! What `peer login` asks a person for.

use crate::door::door;
use crate::support::{Town, town};
use crate::window::Window;

const PASSWORD: &str = "right, with a code";
const QUESTION: &str = "Code of the app, or a recovery code, of alice at http://";

/// A window in which Alice's password was right, and a code is asked for.
async fn half_way(town: &Town, url: &str) -> Window {
    let window = Window::open("alice", 100, 24);
    window.enters(&format!("clear; {}; echo ended with $?", peer(town, url, "--user alice login")));
    window.shows("Password of alice at http://").await;
    window.enters_unseen(PASSWORD).await;
    window.shows(QUESTION).await;
    window
}

fn peer(town: &Town, url: &str, command: &str) -> String {
    // Whatever is set where the tests run is no answer.
    let program = format!("env -u CHAT_PASSWORD -u CHAT_CODE {}", env!("CARGO_BIN_EXE_peer"));
    format!("{program} --server {url} --data-dir {} {command}", town.home("alice").display())
}

/// Waits until a code is asked for, for which time.
async fn asks(window: &Window, times: usize) {
    let asked = |screen: &str| screen.matches(QUESTION).count() == times;
    window.until("the question for the code", asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_asked_for_again_when_it_was_wrong_and_none_is_shown() {
    let (town, url) = (town().await, door().await);
    let window = half_way(&town, &url).await;
    window.enters_unseen("000000").await;
    window.shows("not this one").await;
    asks(&window, 2).await;
    window.enters_unseen("123456").await;
    window.shows("signed in as Alice").await;
    window.shows("ended with 0").await;
    let screen = window.screen();
    for secret in [PASSWORD, "000000", "123456"] {
        assert!(!screen.contains(secret), "{screen}");
    }
    window.is_clean().await;
    // The session is kept.
    window.enters(&format!("clear; {}", peer(&town, &url, "logout")));
    window.shows("signed out").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_wrong_codes_it_ends_with_the_reason_and_nobody_is_signed_in() {
    let (town, url) = (town().await, door().await);
    let window = half_way(&town, &url).await;
    for times in 1..=3 {
        asks(&window, times).await;
        window.enters_unseen("000000").await;
    }
    window.shows("ended with 4").await;
    let screen = window.screen();
    assert_eq!(screen.matches(QUESTION).count(), 3, "{screen}");
    assert_eq!(screen.matches("not this one").count(), 3, "{screen}");
    window.is_clean().await;
    window.enters(&format!("clear; {}", peer(&town, &url, "--user alice logout")));
    window.shows("alice is not signed in").await;
}
