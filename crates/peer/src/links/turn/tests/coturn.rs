//! coturn, the TURN server of Debian's package of that name, on a loopback address of its own.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "the crate's tests of links use it too, and less of it"
)]

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;

use crate::links::TurnServer;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. It ends with this value.
pub(crate) struct Coturn {
    pub(crate) addr: SocketAddr,
    child: Child,
    log: watch::Receiver<String>,
    args: Vec<String>,
    folder: TempDir,
}

impl Coturn {
    /// Starts one, with flags that are added to the usual ones.
    pub(crate) async fn start(args: &[&str]) -> Self {
        let mut random = [0; 3];
        getrandom::fill(&mut random).unwrap();
        let [a, b, c] = random;
        // Whatever else listens on this machine doesn't listen there.
        let ip = Ipv4Addr::new(127, 1 + a % 254, b, 1 + c % 254);
        let folder = tempfile::tempdir().unwrap();
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let (child, log) = launch(ip, &args, &folder);
        let server = Self { addr: (ip, 3478).into(), child, log, args, folder };
        server.logged("UDP listener opened on").await;
        server
    }

    /// Kills it and starts it again: it has forgotten everything.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let IpAddr::V4(ip) = self.addr.ip() else { unreachable!() };
        (self.child, self.log) = launch(ip, &self.args, &self.folder);
        self.logged("UDP listener opened on").await;
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it is used, with a password.
    pub(crate) fn credentials(&self, credential: &str) -> TurnServer {
        TurnServer {
            addr: self.addr,
            username: "alice".to_owned(),
            credential: credential.to_owned(),
        }
    }

    /// How often its log has this.
    pub(crate) fn count(&self, needle: &str) -> usize {
        self.log.borrow().matches(needle).count()
    }

    /// Waits until its log has this.
    pub(crate) async fn logged(&self, needle: &str) {
        let mut log = self.log.clone();
        let found = log.wait_for(|log| log.contains(needle));
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(_)) => {}
            _ => panic!("coturn did not log {needle:?}:\n{}", *self.log.borrow()),
        }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- coturn\n{}---", *self.log.borrow());
        }
    }
}

fn launch(ip: Ipv4Addr, args: &[String], folder: &TempDir) -> (Child, watch::Receiver<String>) {
    let mut child = Command::new("turnserver")
        .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--relay-threads=1"])
        .args(["--log-file=stdout", "--simple-log", "--verbose", "--pidfile=turn.pid"])
        .args(["--userdb=turn.db", "--realm=lab", "--lt-cred-mech", "--user=alice:secret"])
        .args(["--allow-loopback-peers", "--listening-port=3478"])
        .args([format!("--listening-ip={ip}"), format!("--relay-ip={ip}")])
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("turnserver (Debian: coturn) can't be started: {error}"));
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (log, reader) = watch::channel(String::new());
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            log.send_modify(|log| {
                log.push_str(&line);
                log.push('\n');
            });
        }
    });
    (child, reader)
}
