//! How a peer starts.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::PeerId;
use wire::device::{RegisterDevice, device_statement};

use super::core::{Core, Inputs};
use super::files::Files;
use super::mail::Mail;
use super::pipes::Pipes;
use super::rooms::Rooms;
use super::teller::Teller;
use super::{Inner, KEY, Peer, StartError, keep};
use crate::config::{Config, Login};
use crate::delivery::stamp::{self, Clock};
use crate::delivery::{Outbox, outbox};
use crate::event::{Delivery, Event};
use crate::identity::DeviceKey;
use crate::links::{self, Links};
use crate::store::{Folder, Store, StoreError, devices, direct};
use crate::tracker::live::Station;
use crate::tracker::{Live, Server, SignInError, Tracker, http};
use crate::transfer::{self, Transfers};

/// Asks of the owner that wait.
const ASKS: usize = 256;
/// Events of the transfers that wait.
const FILES: usize = 256;

fn local(error: impl std::fmt::Display) -> StartError {
    StartError::Local(error.to_string())
}

/// Starts a peer in a folder that was taken for it.
pub(super) async fn start(
    folder: Folder,
    config: Config,
) -> Result<(Peer, mpsc::Receiver<Event>), StartError> {
    let server: Server = config.server.parse().map_err(local)?;
    let key = Arc::new(DeviceKey::load_or_create(&folder.path().join(KEY)).map_err(local)?);
    let store = Store::open(&folder).map_err(local)?;
    let name = match &config.login {
        Login::Account { user, .. } => user,
        Login::Guest { name } => name,
    };
    own(&store, &folder, name, &server).await?;
    let tracker = sign_in(server, &config.login, &folder).await?;
    let me = tracker.id().clone();
    let (links, from_links) = Links::start(links::Settings {
        me: me.clone(),
        key: key.clone(),
        ip: config.ip,
        port: config.port,
        idle: config.idle,
        links_max: config.links_max,
        agent: http::AGENT.to_owned(),
        relay_only: config.relay_only,
    })
    .await
    .map_err(|error| {
        local(format!(
            "the UDP port {} can't be had: {error} (try another --peer-port)",
            config.port
        ))
    })?;
    let (address, told) = watch::channel(links.addresses().first().copied());
    let device = RegisterDevice {
        peer_id: Some(me.clone()),
        device: key.device(),
        public_key: key.public_key().to_owned(),
        signature: key.sign(&device_statement(&me, key.device())),
        label: label(&config.label),
    };
    let (mut outbox, clock) = restore(&store, &me, &key, &config).await.map_err(local)?;
    let (files_told, from_files) = mpsc::channel(FILES);
    let stamps = clock.clone();
    let settings = transfer::handle::Settings {
        me: me.clone(),
        downloads: config.downloads.clone(),
        accept_files: config.accept_files,
        limits: Default::default(),
        clock: Arc::new(move || stamp::wire(stamps.next())),
    };
    let transfers = Transfers::start(links.clone(), store.clone(), settings, files_told)
        .await
        .map_err(local)?;
    // Last: from here on others can see this peer.
    let (live, from_live) = Live::start(tracker.clone(), Station { device, address: told });
    let (online, is_online) = watch::channel(false);
    let ends = CancellationToken::new();
    spawn_keepers(&links, &live, &tracker, address, is_online.clone(), &ends);
    outbox.offline();
    let (teller, events) = Teller::new();
    let followers = teller.followers();
    let (asks, asked) = mpsc::channel(ASKS);
    let core = Core {
        me: me.clone(),
        tracker: tracker.clone(),
        live,
        links: links.clone(),
        store: store.clone(),
        folder,
        files: Files::new(transfers.clone()),
        outbox,
        clock,
        pipes: Pipes::new(links.clone()),
        rooms: Rooms::new(&me),
        mail: Mail::default(),
        teller,
        online,
        away: None,
        ends,
        acks: HashMap::new(),
        writes: Default::default(),
        calls: Default::default(),
    };
    let inputs = Inputs { asks: asked, live: from_live, links: from_links, files: from_files };
    tokio::spawn(core.run(inputs));
    let inner =
        Inner { me, key, tracker, links, store, transfers, asks, online: is_online, followers };
    Ok((Peer(Arc::new(inner)), events))
}

/// A folder belongs to one account at one server: what waits in its outbox for bob must not go to another server's bob.
async fn own(
    store: &Store,
    folder: &Folder,
    name: &PeerId,
    server: &Server,
) -> Result<(), StartError> {
    let (peer, at) = (name.folded(), server.to_string());
    let (owner, home) = store.run(move |db| devices::owner(db, &peer, &at)).await.map_err(local)?;
    if owner == name.folded() && home == server.to_string() {
        return Ok(());
    }
    let path = folder.path().display();
    Err(StartError::Local(format!(
        "{path} belongs to {owner} at {home}: choose another --data-dir, or, if this is the same server at a new address, say so with `peer login --moved`"
    )))
}

async fn sign_in(server: Server, login: &Login, folder: &Folder) -> Result<Tracker, StartError> {
    let path = folder.path().to_owned();
    let tracker = Tracker::sign_in(server, login, path).await.map_err(|error| match error {
        SignInError::Refused(reason) => StartError::SignIn(reason),
        SignInError::SecondFactor(half) => StartError::SignIn(half.to_string()),
        SignInError::Unreachable(reason) => StartError::Server(reason),
        SignInError::Keep { .. } => local(error),
    })?;
    Ok(tracker)
}

async fn restore(
    store: &Store,
    me: &PeerId,
    key: &DeviceKey,
    config: &Config,
) -> Result<(Outbox, Clock), StoreError> {
    let now = Instant::now();
    let settings = outbox::Settings {
        me: me.clone(),
        device: key.device(),
        patience: config.ack_patience,
        warmth: config.idle,
    };
    let mut outbox = Outbox::new(settings, now);
    let owner = me.clone();
    let (unfinished, last) =
        store.run(move |db| Ok((direct::outbox(db, &owner)?, direct::last_written(db)?))).await?;
    let mut left = Vec::new();
    for message in unfinished {
        let waits = message.delivery == Delivery::Sending && message.text.direct_only;
        left.extend(waits.then(|| message.text.id.clone()));
        outbox.restore(message.place, message.text, message.delivery, now);
    }
    // Whoever wanted these to go directly or not at all is gone.
    for id in left {
        outbox.withdraw(&id, "it was to go directly or not at all, and could not");
    }
    Ok((outbox, Clock::after(last)))
}

fn spawn_keepers(
    links: &Links,
    live: &Live,
    tracker: &Tracker,
    address: watch::Sender<Option<SocketAddr>>,
    online: watch::Receiver<bool>,
    ends: &CancellationToken,
) {
    tokio::spawn(keep::address(links.clone(), live.clone(), address, ends.clone()));
    tokio::spawn(keep::servers(tracker.clone(), links.clone(), online, ends.clone()));
}

/// A label as the tracker takes it: 1 to 64 characters, none of them a control character.
fn label(wanted: &str) -> String {
    let label: String = wanted.chars().filter(|c| !c.is_control()).take(64).collect();
    if label.is_empty() { "terminal".to_owned() } else { label }
}
