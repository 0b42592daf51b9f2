//! Sessions that end take their streams and tokens along.

use serde_json::{Value, json};

use crate::streams::{Sse, Ws, in_time};
use crate::support::{FakeAuth, Running, auth, claims, good, refused, token, tracker_with};

async fn following(every: &str) -> (Running, FakeAuth) {
    let auth = auth().await;
    let url = auth.url();
    let flags = ["--auth-url", url.as_str(), "--revocations-every", every];
    (tracker_with(&flags).await, auth)
}

fn in_session(name: &str, sid: &str) -> String {
    let mut claims = claims(name);
    claims["sid"] = json!(sid);
    token(1, &claims)
}

async fn sse(tracker: &Running, token: &str) -> Sse {
    let request = tracker.client.get(tracker.url("/chat/events")).bearer_auth(token);
    let mut sse = Sse::of(in_time(request.send()).await.unwrap());
    assert_eq!(sse.next().await.unwrap()["type"], "hello");
    sse
}

async fn ws(tracker: &Running, token: &str) -> Ws {
    let bearer = format!("Bearer {token}");
    Ws::opened(tracker, "", &[("authorization", bearer.as_str())]).await.unwrap()
}

async fn ends(stream: &mut Sse) {
    while stream.next().await.is_some() {}
}

/// The code with which it closes.
async fn closes(socket: &mut Ws) -> Option<u16> {
    loop {
        if let Err(code) = socket.try_next().await {
            return code;
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_takes_its_streams_and_its_tokens_along() {
    let (tracker, auth) = following("20ms").await;
    let (over, goes_on) = (in_session("alice", "over"), in_session("alice", "goes-on"));
    let (mut ended_sse, mut ended_ws) = (sse(&tracker, &over).await, ws(&tracker, &over).await);
    let mut kept = sse(&tracker, &goes_on).await;
    auth.ends("over");
    ends(&mut ended_sse).await;
    assert_eq!(closes(&mut ended_ws).await, Some(1012), "come back, if you can");
    let message =
        refused(tracker.account("alice", over).get("/chat/me").await, 401, "unauthenticated");
    assert!(message.contains("session"), "{message}");
    let alice = tracker.account("alice", goes_on);
    alice.says("general", "still here").await;
    assert_eq!(kept.next_of("message").await["message"], "still here");
}

#[tokio::test]
async fn a_tracker_that_starts_knows_what_ended_shortly_before() {
    let (tracker, auth) = following("20ms").await;
    let over = in_session("alice", "over");
    auth.ends("over");
    let tracker = tracker.restarted().await;
    in_time(async {
        while tracker.account("alice", over.clone()).get("/chat/me").await.0 != 401 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    good(tracker.account("alice", in_session("alice", "new")).get("/chat/me").await);
}

#[tokio::test]
async fn when_nobody_knows_what_happened_all_accounts_come_back_and_guests_stay() {
    let (tracker, auth) = following("20ms").await;
    auth.ends("someone");
    let alice = in_session("alice", "s-1");
    // Streams of before the first answer are there to be ended too.
    let mut stream = sse(&tracker, &alice).await;
    let guest = tracker.guest("visitor").await;
    guest.joins("general").await;
    let mut visitor = Sse::open(&tracker, "visitor", None).await;
    in_time(async {
        while tracker.account("someone", in_session("someone", "someone")).get("/chat/me").await.0
            != 401
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    auth.begins_anew("later");
    ends(&mut stream).await;
    let mut back = sse(&tracker, &alice).await;
    guest.says("general", "hello").await;
    for stream in [&mut visitor, &mut back] {
        let event: Value = stream.next_of("message").await;
        assert_eq!(event["message"], "hello");
    }
}

#[tokio::test]
async fn a_key_that_was_taken_out_of_service_counts_no_longer() {
    let (tracker, auth) = following("20ms").await;
    let alice = in_session("alice", "s-1");
    good(tracker.account("alice", alice.clone()).get("/chat/me").await);
    auth.ends("someone");
    auth.tells(&[2]);
    in_time(async {
        while tracker.account("alice", alice.clone()).get("/chat/me").await.0 != 401 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    good(tracker.account("alice", token(2, &claims("alice"))).get("/chat/me").await);
}
