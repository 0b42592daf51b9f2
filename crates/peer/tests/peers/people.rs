//! Peers as people: what they write, and what they are told.

use std::path::PathBuf;
use std::time::Duration;

use peer::config::Login;
use peer::event::{Delivery, Direct, Route};
use peer::{Config, Event, Peer};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::{MessageId, PeerId};

use crate::support::{PATIENCE, Town};

/// A running peer, and everything it was told.
pub(crate) struct Person {
    pub(crate) peer: Peer,
    pub(crate) events: watch::Receiver<Vec<Event>>,
    collecting: JoinHandle<()>,
}

pub(crate) fn id(name: &str) -> PeerId {
    PeerId::parse(name).unwrap()
}

impl Town {
    /// A guest at this tracker, whose data is in a folder of that name.
    pub(crate) fn config(&self, name: &str, home: &str) -> Config {
        let login = Login::Guest { name: id(name) };
        let mut config = Config::new(self.url(), login, self.home(home));
        config.ip = Some([127, 0, 0, 1].into());
        config
    }

    /// A guest who is there.
    pub(crate) async fn guest(&self, name: &str) -> Person {
        self.device(name, name).await
    }

    /// A device of a guest, with its data in a folder of its own.
    pub(crate) async fn device(&self, name: &str, home: &str) -> Person {
        let person = Person::start(self.config(name, home)).await;
        person.online().await;
        person
    }

    /// A guest who makes no links and waits for none.
    pub(crate) async fn unlinked(&self, name: &str) -> Person {
        let mut config = self.config(name, name);
        config.links_max = 0;
        config.ack_patience = Duration::from_millis(200);
        let person = Person::start(config).await;
        person.online().await;
        person
    }
}

impl Person {
    pub(crate) async fn start(config: Config) -> Self {
        let (peer, mut told) = Peer::start(config).await.unwrap();
        let (collect, events) = watch::channel(Vec::new());
        let collecting = tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                collect.send_modify(|events: &mut Vec<Event>| events.push(event));
            }
        });
        Self { peer, events, collecting }
    }

    /// Waits until `found` gives something of all that was told.
    pub(crate) async fn until<T>(&self, what: &str, found: impl Fn(&[Event]) -> Option<T>) -> T {
        let mut events = self.events.clone();
        let waiting = async {
            loop {
                if let Some(found) = found(&events.borrow_and_update()) {
                    return found;
                }
                events.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => {
                let events = self.events.borrow();
                let last = &events[events.len().saturating_sub(20)..];
                panic!("{} waited in vain: {what}; it was told {last:#?}", self.peer.id())
            }
        }
    }

    pub(crate) async fn online(&self) {
        self.until("to be online", |events| {
            let last =
                events.iter().rev().find(|e| matches!(e, Event::Online | Event::Offline { .. }));
            matches!(last, Some(Event::Online)).then_some(())
        })
        .await;
    }

    /// Waits for a link with a peer.
    pub(crate) async fn linked(&self, with: &str) {
        self.linked_with(with, 1).await;
    }

    /// Waits for links with so many devices of a peer.
    pub(crate) async fn linked_with(&self, with: &str, devices: usize) {
        self.peer.connect(&id(with));
        self.until(&format!("{devices} links with {with}"), |_| {
            let up = self.peer.links().up();
            let of = up.iter().filter(|(remote, _)| remote.peer == id(with));
            (of.count() == devices).then_some(())
        })
        .await;
    }

    pub(crate) async fn writes(&self, to: &str, text: &str) -> MessageId {
        self.peer.send(&id(to), text).await.unwrap()
    }

    /// Waits until messages of others, with these texts, are all that was told, in this order.
    pub(crate) async fn hears(&self, texts: &[String]) {
        self.until(&format!("{} messages", texts.len()), |events| {
            (self.heard(events).len() >= texts.len()).then_some(())
        })
        .await;
        let heard: Vec<String> =
            self.heard(&self.events.borrow()).into_iter().map(|direct| direct.message).collect();
        assert_eq!(heard, texts);
    }

    /// The messages of others that were told.
    pub(crate) fn heard(&self, events: &[Event]) -> Vec<Direct> {
        let direct = |event: &Event| match event {
            Event::Direct(direct) => Some(direct.clone()),
            _ => None,
        };
        events.iter().filter_map(direct).collect()
    }

    /// Waits until an own message has come so far.
    pub(crate) async fn delivery(&self, of: &MessageId, far: &Delivery) {
        self.until(&format!("{of} to be {far:?}"), |events| {
            let is = |event: &&Event| {
                matches!(event, Event::Delivery { id, delivery, .. } if id == of && delivery == far)
            };
            events.iter().find(is).map(drop)
        })
        .await;
    }

    /// Waits until all own messages are delivered: by which routes.
    pub(crate) async fn delivered(&self, ids: &[MessageId]) -> Vec<Route> {
        self.until(&format!("{} deliveries", ids.len()), |events| {
            let routes: Vec<Route> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Delivery { id, delivery: Delivery::Delivered(route), .. }
                        if ids.contains(id) =>
                    {
                        Some(*route)
                    }
                    _ => None,
                })
                .collect();
            (routes.len() == ids.len()).then_some(routes)
        })
        .await
    }

    pub(crate) async fn leaves(self) {
        self.peer.close().await;
        self.collecting.await.unwrap();
    }

    /// Where its data is, for the next one in the same folder.
    pub(crate) async fn again(self, config: Config) -> Self {
        let home: PathBuf = config.data_dir.clone();
        self.leaves().await;
        assert!(home.is_dir());
        Self::start(config).await
    }
}

/// Numbered texts.
pub(crate) fn texts(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{word} {number}")).collect()
}
