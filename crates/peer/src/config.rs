//! How a peer is set up.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use wire::PeerId;

/// As whom a peer comes.
#[derive(Clone)]
pub enum Login {
    /// With an account, through the proxy.
    Account {
        /// The account's name.
        user: PeerId,
        /// Its password; `None` to use the session that is kept in the data folder.
        password: Option<String>,
    },
    /// Without an account, at a tracker that lets guests in.
    Guest {
        /// The chosen name.
        name: PeerId,
    },
}

/// How a peer is set up.
#[derive(Clone)]
pub struct Config {
    /// The server: the proxy's address, or a tracker's for a guest. `http://` or `https://`.
    pub server: String,
    /// As whom.
    pub login: Login,
    /// Where the device's key, history, outbox and session are kept.
    pub data_dir: PathBuf,
    /// Where received files go.
    pub downloads: PathBuf,
    /// The one address to listen on; all of the machine's when `None`.
    pub ip: Option<IpAddr>,
    /// The UDP port; 0 for any free one.
    pub port: u16,
    /// What people call this device.
    pub label: String,
    /// How long a direct message may go unacknowledged before it goes to the mailbox too.
    pub ack_patience: Duration,
    /// A link that carried nothing for so long is closed.
    pub idle: Duration,
    /// Links at most.
    pub links_max: usize,
    /// Whether a file's offer is accepted without asking.
    pub accept_files: bool,
    /// Links go through TURN servers only: nobody learns this machine's addresses.
    pub relay_only: bool,
}

impl Config {
    /// The defaults, for a server and a login.
    pub fn new(server: String, login: Login, data_dir: PathBuf) -> Self {
        Self {
            server,
            login,
            downloads: data_dir.join("downloads"),
            data_dir,
            ip: None,
            port: 0,
            label: "terminal".to_owned(),
            ack_patience: Duration::from_secs(5),
            idle: Duration::from_secs(600),
            links_max: 64,
            accept_files: false,
            relay_only: false,
        }
    }
}
