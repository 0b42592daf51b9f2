//! People at their terminals.

use crate::support::town;
use crate::window::Window;

/// Two people who both have their client open.
async fn two(town: &crate::support::Town) -> (Window, Window) {
    let (alice, bob) = (Window::open("alice", 80, 24), Window::open("bob", 40, 12));
    alice.chats(town, "").await;
    bob.chats(town, "").await;
    for window in [&alice, &bob] {
        window.shows("You are in no channel yet").await;
        // Connected: who isn't yet is not found by the other.
        window.hides("…").await;
    }
    (alice, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk_directly_and_leave() {
    let town = town().await;
    let (alice, bob) = two(&town).await;
    alice.enters("/msg bob shall we have lunch?");
    alice.shows("you: shall we have lunch? · direct").await;
    alice.shows("bob · online · direct").await;
    bob.shows("Message from alice").await;
    bob.keys(&["C-n"]);
    bob.shows("alice: shall we have lunch?").await;
    bob.enters("yes, được chứ!");
    bob.shows("you: yes, được chứ! · direct").await;
    alice.shows("bob: yes, được chứ! · direct").await;
    // The server has seen none of it.
    assert_eq!(town.content_bytes(), 0);

    bob.resize(100, 30);
    bob.shows("Direct messages").await;
    bob.resize(40, 10);
    bob.hides("Direct messages").await;
    bob.shows("you: yes, được chứ! · direct").await;

    bob.keys(&["C-c"]);
    bob.ended("0").await;
    alice.shows("bob · active lately · mailbox").await;
    alice.enters("/quit");
    alice.ended("0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_there_after_a_restart() {
    let town = town().await;
    let (alice, bob) = two(&town).await;
    alice.enters("/msg bob remember this");
    alice.shows("· direct").await;
    bob.keys(&["C-c"]);
    bob.ended("0").await;
    bob.chats(&town, "").await;
    bob.shows("alice · online").await;
    bob.shows("alice: remember this").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_goes_on_after_the_tracker_was_away() {
    let mut town = town().await;
    let (alice, bob) = two(&town).await;
    alice.enters("/join general");
    alice.shows("This is where #general begins.").await;
    bob.enters("/join general");
    bob.shows("This is where #general begins.").await;
    alice.enters("before");
    bob.shows("alice: before").await;

    town.stop().await;
    alice.shows("Connection lost").await;
    bob.shows("offline").await;
    town.start().await;
    alice.shows("Connected again").await;
    bob.shows("Connected again").await;
    bob.enters("after");
    bob.until("a place in the log", |screen| {
        screen.contains("you: after") && !screen.contains("sending")
    })
    .await;
    alice.shows("bob: after").await;
    alice.until("each once", |screen| screen.matches("bob: after").count() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_offered_accepted_and_arrives() {
    let town = town().await;
    let (alice, bob) = two(&town).await;
    let path = town.home("picture.bin");
    let bytes: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    alice.enters("/msg bob a picture");
    alice.shows("a picture · direct").await;
    // Tab knows the folder.
    alice.types(&format!("/file {}", town.home("pict").display()));
    alice.keys(&["Tab"]);
    alice.shows("picture.bin").await;
    alice.keys(&["Enter"]);
    alice.shows("waiting for an answer").await;
    bob.keys(&["C-n"]);
    bob.shows("3.0 MB").await;
    bob.keys(&["F5"]);
    bob.shows("picture.bin is here").await;
    alice.shows("picture.bin has reached bob").await;
    let arrived = town.home("bob").join("downloads").join("picture.bin");
    assert!(std::fs::read(arrived).unwrap() == bytes, "it isn't the same file");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_people_see_the_same_safety_number() {
    let town = town().await;
    let (alice, bob) = two(&town).await;
    alice.enters("/msg bob hi");
    alice.shows("hi · direct").await;
    alice.enters("/compare");
    alice.shows("not compared").await;
    bob.enters("/compare alice");
    bob.shows("not compared").await;
    let number = |window: &Window| -> Vec<String> {
        let screen = window.screen();
        let words = screen
            .split_whitespace()
            .filter(|word| word.len() == 5 && word.chars().all(|c| c.is_ascii_digit()));
        words.map(str::to_owned).collect()
    };
    assert_eq!(number(&alice).len(), 12);
    assert_eq!(number(&alice), number(&bob));
    alice.keys(&["y"]);
    alice.until("compared", |screen| screen.contains("· compared")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_vietnamese_and_does_without_colours() {
    let town = town().await;
    let alice = Window::open("alice", 80, 24);
    alice.chats(&town, "NO_COLOR=1 LC_ALL=vi_VN.UTF-8").await;
    alice.shows("Bạn chưa ở kênh nào").await;
    alice.enters("/join lớp-10A");
    alice.shows("Đây là điểm bắt đầu của #lớp-10A.").await;
    alice.pastes("Tie\u{302}\u{301}ng Việt\nhai dòng");
    alice.shows("hai dòng").await;
    alice.keys(&["Enter"]);
    alice.shows("bạn: Tie\u{302}\u{301}ng Việt").await;
    let colours = ["[3", "[38;", "[9", "[4"];
    let styled = alice.styled().replace("\u{1b}[39m", "").replace("\u{1b}[49m", "");
    assert!(
        !colours.iter().any(|colour| styled.contains(&format!("\u{1b}{colour}"))),
        "{styled:?}"
    );
}
