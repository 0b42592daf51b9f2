//! Many streams at once.

use futures_util::future::try_join_all;
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::streams::{Sse, Ws};
use crate::support::tracker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_get_every_message_of_their_channel_in_order() {
    const STREAMS: usize = 1000;
    const MESSAGES: usize = 20;
    let tracker = std::sync::Arc::new(tracker().await);
    tracker.guest("speaker").await.joins("general").await;
    let joining = stream::iter(0..STREAMS).map(async |number| {
        tracker.guest(&format!("peer-{number}")).await.joins("general").await;
    });
    joining.buffer_unordered(64).collect::<Vec<()>>().await;
    let readers = stream::iter(0..STREAMS).map(|number| {
        let tracker = tracker.clone();
        async move {
            let id = format!("peer-{number}");
            // Both kinds, mixed.
            if number % 4 == 0 {
                Reader::Ws(Ws::open(&tracker, &format!("peer_id={id}")).await)
            } else {
                Reader::Sse(Sse::open(&tracker, &id, None).await)
            }
        }
    });
    let readers: Vec<Reader> = readers.buffer_unordered(64).collect().await;
    assert_eq!(tracker.tracker().hub.counts().streams, STREAMS);
    let reading = try_join_all(readers.into_iter().map(|mut reader| {
        tokio::spawn(async move {
            for seq in 1..=MESSAGES {
                assert_eq!(reader.next_seq().await, seq as u64);
            }
        })
    }));
    for number in 0..MESSAGES {
        let body =
            json!({ "peer_id": "speaker", "channel": "general", "message": number.to_string() });
        tracker.ok("/broadcast-peer", body).await;
    }
    reading.await.unwrap();
}

enum Reader {
    Sse(Sse),
    Ws(Ws),
}

impl Reader {
    async fn next_seq(&mut self) -> u64 {
        let event = match self {
            Self::Sse(sse) => sse.next_of("message").await,
            Self::Ws(ws) => ws.next_of("message").await,
        };
        event["seq"].as_u64().unwrap()
    }
}
