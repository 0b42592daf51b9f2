//! WebSockets: events, commands and refusals.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::streams::{Sse, Ws};
use crate::support::{auth, claims, refused, token, tracker, tracker_with};

#[tokio::test]
async fn a_message_is_sent_answered_and_seen_and_a_retry_gives_the_first_result() {
    let tracker = tracker().await;
    let (alice, bob) = (tracker.guest("alice").await, tracker.guest("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    let mut at_alice = Ws::open(&tracker, "peer_id=alice").await;
    let mut at_bob = Ws::open(&tracker, "peer_id=bob").await;
    let command = json!({
        "type": "broadcast", "ref": 7, "peer_id": "alice", "channel": "general", "message": "hi",
        "id": "m-1",
    });
    let reply = at_alice.ask(command.clone()).await;
    assert_eq!((&reply["code_http"], &reply["status"]), (&json!(200), &json!("success")));
    assert_eq!((&reply["seq"], &reply["id"]), (&json!(1), &json!("m-1")));
    assert_eq!(reply["recipients"], json!(["bob"]));
    let event = at_bob.next_of("message").await;
    assert_eq!((&event["seq"], &event["id"]), (&json!(1), &json!("m-1")));
    assert!(event["cursor"].is_string());
    let again = at_alice.ask(command).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&json!(1), &json!(true)));
    // The retry was no second message: the next one that bob sees is this one.
    alice.says("general", "next").await;
    assert_eq!(at_bob.next_of("message").await["message"], "next");
}

#[tokio::test]
async fn commands_sent_without_waiting_are_done_and_answered_in_order() {
    let tracker = tracker().await;
    tracker.guest("alice").await.joins("general").await;
    let mut ws = Ws::open(&tracker, "peer_id=alice").await;
    for number in 1..=100 {
        ws.send(json!({
            "type": "broadcast", "ref": number, "peer_id": "alice", "channel": "general",
            "message": number.to_string(),
        }))
        .await;
    }
    for number in 1..=100 {
        let reply = ws.next_of("reply").await;
        assert_eq!((&reply["ref"], &reply["seq"]), (&json!(number), &json!(number)), "{reply}");
    }
}

#[tokio::test]
async fn direct_messages_acks_and_read_markers_work_over_it() {
    let tracker = tracker().await;
    let (alice, bob) = (tracker.guest("alice").await, tracker.guest("bob").await);
    alice.joins("general").await;
    bob.joins("general").await;
    bob.says("general", "x").await;
    let mut at_alice = Ws::open(&tracker, "peer_id=alice").await;
    let mut at_bob = Ws::open(&tracker, "peer_id=bob").await;
    let send = json!({
        "type": "send", "ref": "s", "from_peer": "alice", "to_peer": "bob", "message": "psst",
        "id": "d-1",
    });
    assert_eq!(at_alice.ask(send).await["delivery"], "queued");
    assert_eq!(at_bob.next_of("direct").await["id"], "d-1");
    let ack = json!({ "type": "ack", "ref": "a", "messages": [{ "from": "alice", "id": "d-1" }] });
    assert_eq!(at_bob.ask(ack).await["acked"], 1);
    assert_eq!(at_alice.next_of("delivered").await["id"], "d-1");
    let read = json!({ "type": "read", "ref": "r", "channel": "general", "seq": 1 });
    let marker = at_alice.ask(read).await;
    assert_eq!((&marker["read_seq"], &marker["unread"]), (&json!(1), &json!(0)));
    assert_eq!(alice.channel("general").await["read_seq"], 1);
    at_alice.send(json!({ "type": "ping", "ref": 1 })).await;
    assert_eq!(at_alice.next_of("pong").await, json!({ "type": "pong", "ref": 1 }));
}

#[tokio::test]
async fn a_wrong_command_is_answered_and_the_connection_goes_on() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    tracker.guest("bob").await;
    let mut ws = Ws::open(&tracker, "peer_id=alice").await;
    let refused: [(Value, u16, &str, &str); 5] = [
        (json!({ "ref": 1, "type": "dance" }), 400, "invalid_body", "dance"),
        (json!({ "ref": 2 }), 400, "invalid_body", "type"),
        (
            json!({ "ref": 3, "type": "read", "channel": 9, "seq": 1 }),
            400,
            "invalid_body",
            "string",
        ),
        (
            json!({ "ref": 4, "type": "read", "channel": "x", "seq": 1 }),
            404,
            "channel_not_found",
            "",
        ),
        (
            json!({ "ref": 5, "type": "broadcast", "peer_id": "nobody", "channel": "x", "message": "" }),
            404,
            "peer_not_registered",
            "nobody",
        ),
    ];
    for (command, status, code, named) in refused {
        let reply = ws.ask(command).await;
        assert_eq!(
            (&reply["code_http"], &reply["code"]),
            (&json!(status), &json!(code)),
            "{reply}"
        );
        assert_eq!(reply["status"], "error");
        assert!(reply["message"].as_str().unwrap().contains(named), "{reply}");
    }
    ws.raw(Message::text("{not json")).await;
    assert_eq!(ws.next_of("reply").await["code"], "invalid_body");
    ws.raw(Message::text("{\"type\":\"ping\"}")).await;
    ws.next_of("pong").await;
}

#[tokio::test]
async fn what_is_no_command_at_all_closes_the_connection() {
    let tracker = tracker_with(&["--body-bytes", "1000"]).await;
    tracker.guest("alice").await;
    let mut ws = Ws::open(&tracker, "peer_id=alice").await;
    ws.raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(ends(&mut ws).await, Some(1003));
    let mut ws = Ws::open(&tracker, "peer_id=alice").await;
    ws.raw(Message::text("x".repeat(1001))).await;
    assert_eq!(ends(&mut ws).await, Some(1009));
}

async fn ends(ws: &mut Ws) -> Option<u16> {
    loop {
        if let Err(code) = ws.try_next().await {
            return code;
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_and_a_plain_request_are_refused() {
    let tracker = tracker().await;
    tracker.guest("alice").await;
    let foreign = [("origin", "http://evil.example")];
    assert_eq!(Ws::opened(&tracker, "peer_id=alice", &foreign).await.err(), Some(403));
    let own = format!("http://{}", tracker.addr);
    assert!(Ws::opened(&tracker, "peer_id=alice", &[("origin", &own)]).await.is_ok());
    refused(tracker.get("/chat/ws?peer_id=alice").await, 426, "upgrade_required");
}

#[tokio::test]
async fn an_account_needs_no_peer_id_and_comes_back_when_its_time_is_over() {
    let auth = auth().await;
    let url = auth.url();
    let flags = ["--auth-url", &url, "--heartbeat", "1", "--stream-lifetime", "1"];
    let tracker = tracker_with(&flags).await;
    let bearer = format!("Bearer {}", token(1, &claims("alice")));
    let headers = [("authorization", bearer.as_str())];
    let mut ws = Ws::opened(&tracker, "", &headers).await.unwrap();
    let hello = ws.next().await;
    assert_eq!((&hello["type"], &hello["peer_id"]), (&json!("hello"), &json!("alice")));
    assert_eq!(ends(&mut ws).await, Some(1012));
    // Somebody else may not listen in its place.
    assert_eq!(Ws::opened(&tracker, "peer_id=alice", &[]).await.err(), Some(403));
    let (status, _) = Sse::opened(&tracker, "alice", None).await.err().unwrap();
    assert_eq!(status.as_u16(), 403);
}

#[tokio::test]
async fn a_reader_s_token_listens_and_says_nothing() {
    let auth = auth().await;
    let tracker = tracker_with(&["--auth-url", &auth.url()]).await;
    let mut claims = claims("alice");
    claims["scope"] = json!("chat:read");
    let bearer = format!("Bearer {}", token(1, &claims));
    let mut ws = Ws::opened(&tracker, "", &[("authorization", bearer.as_str())]).await.unwrap();
    let say = json!({ "type": "broadcast", "ref": 1, "peer_id": "alice", "channel": "general", "message": "x" });
    let reply = ws.ask(say).await;
    assert_eq!((&reply["code_http"], &reply["code"]), (&json!(403), &json!("insufficient_scope")));
    ws.send(json!({ "type": "ping" })).await;
    ws.next_of("pong").await;
}
