//! Two linked native peers: what they write each other arrives in order, once, and passes no server.

use system_tests::lab;

use crate::support::{Watch, linked_pair, plan, set, texts, texts_of, word};

const MESSAGES: usize = 1_000;

#[test]
fn a_thousand_messages_each_way_arrive_in_order_and_once_and_the_server_sees_none() {
    lab::run(async |lab| {
        let world = plan().start().await;
        let hosts = (lab.host("alice"), lab.host("bob"));
        let (alice, bob) = linked_pair(&lab, &world, (&hosts.0, &hosts.1)).await;
        let watch = Watch::start(&world).await;

        let words = [word(), word()];
        let (hers, his) = (texts(&words[0], MESSAGES), texts(&words[1], MESSAGES));
        let ids = tokio::join!(alice.writes_all("bob", &hers), bob.writes_all("alice", &his));
        let (hers_sent, his_sent) = (set(&ids.0), set(&ids.1));
        assert_eq!((hers_sent.len(), his_sent.len()), (MESSAGES, MESSAGES));
        let routes = tokio::join!(alice.delivered(&hers_sent), bob.delivered(&his_sent));
        assert_eq!(routes.0.union(&routes.1).collect::<Vec<_>>(), ["direct"]);
        let packets = watch.saw_nothing_of(&world, &[&words[0], &words[1]]).await;
        // Whatever it may have looked like: there was no room for it.
        let content: usize = hers.iter().chain(&his).map(String::len).sum();
        assert!(packets.len() < content, "{} bytes went by the server", packets.len());

        // Told in order and once, and kept so.
        assert_eq!(texts_of(&bob.heard("alice")), hers);
        assert_eq!(texts_of(&alice.heard("bob")), his);
        for (peer, with) in [(&alice, "bob"), (&bob, "alice")] {
            let talk = peer.talk(with).await;
            assert_eq!(talk.len(), 2 * MESSAGES);
            for (author, texts) in [("alice", &hers), ("bob", &his)] {
                let of = talk.iter().filter(|message| message["from"] == author).cloned();
                assert_eq!(&texts_of(&of.collect::<Vec<_>>()), texts);
            }
        }
    });
}
