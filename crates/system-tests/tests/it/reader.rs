//! A reader that does what a good client does: it resumes, catches up, and notices what is lost or double.

use std::time::Duration;

use serde_json::Value;
use system_tests::{User, eventually};
use tokio::sync::watch;

/// Reads the live stream as a client does: resumes with the last cursor, and after a `reset` reads the
/// history from where it stood. Ends when it has as many messages as `head` says.
pub(crate) async fn follow(
    reader: User,
    channel: &str,
    mut head: watch::Receiver<Option<u64>>,
) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    // Up to here events may repeat what was read from the history.
    let mut read_to = 0;
    loop {
        let Ok(mut stream) = reader.events(cursor.as_deref()).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        loop {
            let done = head.borrow().is_some_and(|head| seen.len() as u64 >= head);
            if done {
                return seen;
            }
            let event = tokio::select! {
                event = stream.next() => event,
                _ = head.changed() => continue,
            };
            let Ok(event) = event else { break };
            let first = cursor.is_none();
            if !event.cursor.is_empty() {
                cursor = Some(event.cursor.clone());
            }
            match event.kind() {
                "hello" if first => catch_up(&reader, channel, &mut seen, &mut read_to).await,
                "reset" => catch_up(&reader, channel, &mut seen, &mut read_to).await,
                "message" if event.data["channel"] == channel => {
                    let seq = event.data["seq"].as_u64().unwrap();
                    let next = seen.len() as u64 + 1;
                    assert!(seq <= next, "{} lost messages {next} to {seq}", reader.name);
                    assert!(seq == next || seq <= read_to, "{} got {seq} twice", reader.name);
                    if seq == next {
                        seen.push(event.data);
                    }
                }
                _ => {}
            }
        }
    }
}

async fn catch_up(reader: &User, channel: &str, seen: &mut Vec<Value>, read_to: &mut u64) {
    loop {
        let after = seen.len();
        let path = format!("/chat/messages?channel={channel}&after_seq={after}&limit=200");
        // The tracker may be killed again while it is asked.
        let page = eventually("the history", || reader.get_if_up(&path)).await;
        let messages = page["messages"].as_array().unwrap();
        seen.extend(messages.iter().cloned());
        *read_to = seen.len() as u64;
        if messages.is_empty() {
            return;
        }
    }
}
