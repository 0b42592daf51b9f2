//! Rule 35, on the front door's own configuration: without a session no spelling of a protected path leads to the tracker.
//!
//! Paths are told apart by case, and `;` is a character like any other (RFC 3986 §3.3): what is written otherwise is another
//! path, which falls to backend-auth and its public pages, and there is nothing of that name.

use system_tests::World;
use system_tests::raw::exchange;

/// Spellings that some server or other takes for `path`.
fn spellings(path: &str) -> Vec<String> {
    let (first, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
    let encoded = format!("%{:02x}{}", first.as_bytes()[0], &first[1..]);
    vec![
        path.to_owned(),
        format!("/{first};x{rest}"),
        format!("/{first};{rest}"),
        format!("/;/{first}{rest}"),
        format!("/{}{rest}", first.to_uppercase()),
        format!("/{}{rest}", first[..1].to_uppercase() + &first[1..]),
        format!("//{first}{rest}"),
        format!("/x/../{first}{rest}"),
        format!("/x/%2e%2e/{first}{rest}"),
        format!("/./{first}{rest}"),
        format!("/{encoded}{rest}"),
        format!("/%2f{first}{rest}"),
        format!("/{first}%2f{}", rest.trim_start_matches('/')),
        format!("/{first}{rest}/"),
        format!("/{first}{rest}%00"),
        format!("/{first}{rest}%20"),
        format!("/{first}{rest}."),
        format!("/\\{first}{rest}"),
        format!("/{first}{rest}?x=/login"),
    ]
}

#[tokio::test]
async fn rule_35_no_spelling_of_a_protected_path_opens_it_without_a_session() {
    let world = World::start().await;
    // Something that would be worth reading.
    world.account("alice").await.says("general", "behind the door").await.ok();
    let mut asked = 0;
    for path in
        ["/get-list", "/get-messages?channel=general", "/chat/me", "/chat/channels", "/chat/peers"]
    {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        for spelling in spellings(path) {
            let sign = if spelling.contains('?') { '&' } else { '?' };
            let target =
                if query.is_empty() { spelling } else { format!("{spelling}{sign}{query}") };
            let line = format!("GET {target} HTTP/1.1");
            let lines = [line.as_str(), "Host: chat.test", "Connection: close"];
            let answer = exchange(&world.proxy.addr(), &lines, b"").await.unwrap();
            assert!((300..500).contains(&answer.status), "{target}: {answer:?}");
            assert!(!answer.body.contains("behind the door"), "{target}");
            asked += 1;
        }
    }
    assert_eq!(asked, 95);
    assert!(!world.tracker.program.log().contains("panicked"));
}
