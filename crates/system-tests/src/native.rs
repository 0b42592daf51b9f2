//! A native peer: the program `peer`, told what to do line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::binaries::binary;
use crate::lab::Host;
use crate::patience;
use crate::program::{Program, Recipe};
use crate::world::PASSWORD;

/// How a native peer is to be run.
#[derive(Debug)]
pub struct Setup<'a> {
    name: String,
    server: String,
    home: PathBuf,
    host: Option<&'a Host>,
    flags: Vec<String>,
}

/// A running one.
#[derive(Debug)]
pub struct Native {
    /// Its account.
    pub name: String,
    /// The process.
    pub program: Program,
    home: PathBuf,
    events: Arc<watch::Sender<Vec<Value>>>,
    told: watch::Receiver<Vec<Value>>,
    parsing: JoinHandle<()>,
    asked: AtomicU64,
}

/// A command that was given.
#[derive(Debug)]
pub struct Asked {
    number: u64,
    mark: usize,
}

/// The type of the event that stands where a peer was killed.
const ENDED: &str = "(killed)";

impl<'a> Setup<'a> {
    /// The peer of an account, at the server `http://…`. Its files are in `home`, which comes into being.
    pub fn new(name: &str, server: &str, home: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            server: server.to_owned(),
            home: home.into(),
            host: None,
            flags: Vec::new(),
        }
    }

    /// It runs on a machine of the lab. Otherwise it runs here, on the loopback interface alone.
    #[must_use]
    pub fn on(mut self, host: &'a Host) -> Self {
        self.host = Some(host);
        self
    }

    /// More flags.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(ToString::to_string));
        self
    }

    /// Starts it, and waits until the tracker knows that it is there.
    pub async fn start(self) -> Native {
        std::fs::create_dir_all(&self.home).unwrap();
        let recipe = match self.host {
            Some(host) => host.recipe(binary("peer"), &self.home),
            None => Recipe::new(binary("peer"), &self.home),
        };
        let mut recipe = recipe
            .args(["listen", "--json", "--commands", "--log-format", "text"])
            .args(["--server", &self.server, "--user", &self.name, "--data-dir", "data"])
            .args(["--downloads", "downloads"]);
        if self.host.is_none() {
            recipe = recipe.args(["--peer-ip", "127.0.0.1"]);
        }
        let recipe = recipe
            .args(&self.flags)
            .env("CHAT_PASSWORD", PASSWORD)
            .env("HOME", self.home.to_str().unwrap())
            .env("LOG_LEVEL", std::env::var("PEER_LOG").unwrap_or_else(|_| "info".to_owned()))
            .talking();
        let native = Native::of(self.name, Program::launch("peer", recipe), self.home);
        native.online(0).await;
        native
    }
}

impl Native {
    fn of(name: String, program: Program, home: PathBuf) -> Self {
        let mut said = program.said();
        let (events, told) = watch::channel(Vec::new());
        let events = Arc::new(events);
        let (whose, out, start) = (name.clone(), events.clone(), Instant::now());
        let parsing = tokio::spawn(async move {
            let mut read = 0;
            while said.changed().await.is_ok() {
                let fresh: Vec<String> = said.borrow_and_update()[read..].to_vec();
                read += fresh.len();
                let fresh = fresh.iter().map(|line| {
                    serde_json::from_str::<Value>(line)
                        .unwrap_or_else(|_| json!({"type": "noise", "of": whose, "line": line}))
                });
                // For those who read it after a failure.
                let at = json!(format!("{:.3} s", start.elapsed().as_secs_f64()));
                let at = fresh.map(|mut event| {
                    event["at"] = at.clone();
                    event
                });
                let fresh: Vec<Value> = at.collect();
                out.send_modify(|events| events.extend(fresh));
            }
        });
        Self { name, program, home, events, told, parsing, asked: AtomicU64::new(1) }
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where received files go.
    pub fn downloads(&self) -> PathBuf {
        self.home.join("downloads")
    }

    // --- what it tells ----------------------------------------------------------------------------

    /// All that it told until now, over its restarts.
    pub fn events(&self) -> Vec<Value> {
        self.told.borrow().clone()
    }

    /// How much that is; [`Self::until`] can begin there.
    pub fn mark(&self) -> usize {
        self.told.borrow().len()
    }

    /// Waits until `found` gives something of the events from `mark` on.
    ///
    /// # Panics
    /// When [`patience`] is over; `what` says what was waited for.
    pub async fn until<T>(
        &self,
        what: &str,
        mark: usize,
        found: impl FnMut(&[Value]) -> Option<T>,
    ) -> T {
        self.until_for(patience(), what, mark, found).await
    }

    /// As [`Self::until`], for so long.
    ///
    /// # Panics
    /// When that time is over.
    pub async fn until_for<T>(
        &self,
        time: Duration,
        what: &str,
        mark: usize,
        mut found: impl FnMut(&[Value]) -> Option<T>,
    ) -> T {
        let mut told = self.told.clone();
        let waiting = async {
            loop {
                if let Some(found) = found(&told.borrow_and_update()[mark..]) {
                    return found;
                }
                told.changed().await.expect("the peer's output is read as long as it lives");
            }
        };
        match tokio::time::timeout(time, waiting).await {
            Ok(found) => found,
            Err(_) => {
                let events = self.events();
                let last: Vec<String> =
                    events.iter().rev().take(30).rev().map(Value::to_string).collect();
                panic!(
                    "{}: waited {time:?} in vain: {what}; it told\n{}",
                    self.name,
                    last.join("\n")
                )
            }
        }
    }

    /// The first event of a type from `mark` on that fits.
    pub async fn told(&self, kind: &str, mark: usize, fits: impl Fn(&Value) -> bool) -> Value {
        let is = |event: &&Value| event["type"] == kind && fits(event);
        self.until(&format!("an event {kind}"), mark, |events| events.iter().find(is).cloned())
            .await
    }

    /// Waits until the tracker knows that it is there.
    pub async fn online(&self, mark: usize) {
        self.told("online", mark, |_| true).await;
    }

    /// Waits until there is a link with a peer, of any of its devices: the way that it goes.
    pub async fn linked(&self, with: &str) -> String {
        let what = format!("a link with {with}");
        self.until(&what, 0, |events| {
            way(events, with)
                .filter(|way| !way.is_null())
                .map(|way| way.as_str().unwrap().to_owned())
        })
        .await
    }

    /// Waits until there is no link with a peer.
    pub async fn unlinked(&self, with: &str) {
        let what = format!("no link with {with}");
        self.until(&what, 0, |events| way(events, with)?.is_null().then_some(())).await;
    }

    /// What became of own messages, by id: the last that was told.
    pub fn deliveries(&self) -> BTreeMap<String, Value> {
        deliveries(&self.told.borrow())
    }

    /// Waits until all of these are delivered; by which routes.
    pub async fn delivered(&self, ids: &BTreeSet<String>) -> BTreeSet<String> {
        self.delivered_in(patience(), ids).await
    }

    /// As [`Self::delivered`], for so long.
    pub async fn delivered_in(&self, time: Duration, ids: &BTreeSet<String>) -> BTreeSet<String> {
        self.until_for(time, &format!("{} deliveries", ids.len()), 0, |events| {
            let far = deliveries(events);
            let route = |id: &String| {
                let last = far.get(id).filter(|last| last["delivery"] == "delivered")?;
                last["route"].as_str().map(str::to_owned)
            };
            ids.iter().map(route).collect()
        })
        .await
    }

    /// Waits until an own message has come so far: `queued`, `delivered`, `failed`. The event.
    pub async fn delivery(&self, id: &str, far: &str) -> Value {
        self.told("delivery", 0, |event| event["id"] == id && event["delivery"] == far).await
    }

    /// Waits until a message with that text has come: its event.
    pub async fn hears(&self, text: &str) -> Value {
        self.told("direct", 0, |event| event["message"] == text).await
    }

    /// Direct messages of a peer as they came.
    pub fn heard(&self, from: &str) -> Vec<Value> {
        let told = self.told.borrow();
        told.iter().filter(|e| e["type"] == "direct" && e["from"] == from).cloned().collect()
    }

    // --- what it is told --------------------------------------------------------------------------

    /// Gives it a command and waits for the answer.
    ///
    /// # Errors
    /// Its words, when it refuses; and when it doesn't answer: it may have ended.
    pub async fn asks(&self, command: &str, details: Value) -> Result<Value, String> {
        let asked = self.ask(command, details).await;
        self.answer(asked).await
    }

    /// Gives it a command; [`Self::answer`] waits for the answer.
    pub async fn ask(&self, command: &str, mut details: Value) -> Asked {
        let asked = Asked { number: self.asked.fetch_add(1, Ordering::Relaxed), mark: self.mark() };
        details["ref"] = json!(asked.number);
        details["do"] = json!(command);
        self.program.say(&details.to_string()).await;
        asked
    }

    /// The answer to a command.
    ///
    /// # Errors
    /// As [`Self::asks`].
    pub async fn answer(&self, asked: Asked) -> Result<Value, String> {
        let Asked { number, mark } = asked;
        let is = |event: &&Value| event["type"] == "reply" && event["ref"] == number;
        let mut told = self.told.clone();
        let mut seen = mark;
        let waiting = async {
            loop {
                let events = told.borrow_and_update();
                if let Some(reply) = events[seen..].iter().find(is) {
                    return Some(reply.clone());
                }
                if events[seen..].iter().any(|event| event["type"] == ENDED) {
                    return None;
                }
                seen = events.len();
                drop(events);
                told.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(patience(), waiting).await {
            Ok(Some(reply)) if reply["ok"] == true => Ok(reply),
            Ok(Some(reply)) => Err(reply["error"].to_string()),
            Ok(None) => Err("it has ended".to_owned()),
            Err(_) => Err(format!("{} does not answer", self.name)),
        }
    }

    /// Writes a direct message: its id.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn writes(&self, to: &str, message: &str) -> String {
        let reply = self.asks("send", json!({"to": to, "message": message})).await.unwrap();
        reply["id"].as_str().unwrap().to_owned()
    }

    /// Writes direct messages one after the other, as fast as it takes them: their ids.
    ///
    /// # Panics
    /// When it refuses one.
    pub async fn writes_all(&self, to: &str, messages: &[String]) -> Vec<String> {
        let mut asked = Vec::new();
        for message in messages {
            asked.push(self.ask("send", json!({"to": to, "message": message})).await);
        }
        let mut ids = Vec::new();
        for asked in asked {
            ids.push(self.answer(asked).await.unwrap()["id"].as_str().unwrap().to_owned());
        }
        ids
    }

    /// Its talk with a peer, as it is kept: all of it, oldest first.
    ///
    /// # Panics
    /// When it can't be read.
    pub async fn talk(&self, with: &str) -> Vec<Value> {
        let reply = self.asks("talk", json!({"with": with, "limit": 100_000})).await.unwrap();
        reply["messages"].as_array().unwrap().clone()
    }

    /// Offers a file: its id.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn offers(&self, to: &str, path: &Path) -> String {
        let reply = self.asks("send_file", json!({"to": to, "path": path})).await.unwrap();
        reply["file"].as_str().unwrap().to_owned()
    }

    /// kill -9. Commands that are not answered then never will be.
    pub async fn kill(&mut self) {
        self.program.kill().await;
        self.events.send_modify(|events| events.push(json!({"type": ENDED})));
    }

    /// Starts it again with the same data and waits for nothing; gives the [mark](Self::mark) of its new life.
    pub fn revive(&mut self) -> usize {
        let mark = self.mark();
        self.program.relaunch();
        mark
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.parsing.abort();
        if std::thread::panicking() {
            let events = self.events();
            eprintln!("--- {} told {} events, at last", self.name, events.len());
            events.iter().rev().take(40).rev().for_each(|event| eprintln!("{event}"));
        }
    }
}

/// The way of the last link event of a peer.
fn way<'a>(events: &'a [Value], with: &str) -> Option<&'a Value> {
    let last = events.iter().rev().find(|e| e["type"] == "link" && e["peer"] == with)?;
    Some(&last["way"])
}

fn deliveries(events: &[Value]) -> BTreeMap<String, Value> {
    let told = events.iter().filter(|event| event["type"] == "delivery");
    told.map(|event| (event["id"].as_str().unwrap().to_owned(), event.clone())).collect()
}
