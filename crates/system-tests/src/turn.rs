//! A TURN server: coturn, with credentials as the tracker gives them out.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::program::{Program, Recipe};

/// The secret that it shares with the tracker.
pub const SECRET: &str = "the north wind and the sun";

/// A running one.
#[derive(Debug)]
pub struct TurnServer {
    addr: Ipv4Addr,
    program: Program,
}

/// Beside the tracker's own STUN server on 3478.
const PORT: u16 = 3479;

impl TurnServer {
    /// Starts on the test's machine, under that address.
    ///
    /// # Panics
    /// When it doesn't start.
    pub async fn start(addr: Ipv4Addr, folder: &Path) -> Self {
        let recipe = Recipe::new("turnserver", folder)
            .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", "--simple-log"])
            .args(["--verbose", "--realm=lab", "--use-auth-secret"])
            .args([format!("--static-auth-secret={SECRET}")])
            .args([format!("--listening-ip={addr}"), format!("--relay-ip={addr}")])
            .args([format!("--listening-port={PORT}")])
            .args(["--pidfile=turn.pid", "--userdb=turn.db"]);
        let ready = format!("IPv4. UDP listener opened on: {addr}:{PORT}");
        let program = Program::start("turnserver", recipe, &ready).await;
        Self { addr, program }
    }

    /// Flags by which a tracker names it.
    pub fn tracker_flags(addr: Ipv4Addr) -> [String; 4] {
        let url = format!("turn:{addr}:{PORT}?transport=udp");
        ["--turn-url".to_owned(), url, "--turn-secret".to_owned(), SECRET.to_owned()]
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Its address.
    pub fn addr(&self) -> Ipv4Addr {
        self.addr
    }

    /// kill -9.
    pub async fn kill(&mut self) {
        self.program.kill().await;
    }
}
