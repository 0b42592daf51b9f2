//! A real tracker on a port of its own, that can be stopped and started again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat_tracker::settings::TrackerArgs;
use chat_tracker::{Tracker, run};
use clap::Parser;
use service::Shutdown;
use service::admin::Probe;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long a test waits for what should happen: much longer than it takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    tracker: TrackerArgs,
}

/// A tracker in open mode, and the folder of everyone's data.
pub(crate) struct Town {
    pub(crate) addr: SocketAddr,
    folder: TempDir,
    running: Option<Running>,
}

struct Running {
    tracker: Tracker,
    shutdown: Shutdown,
    served: JoinHandle<()>,
}

/// Starts a tracker. Its rates hold nobody back.
pub(crate) async fn town() -> Town {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut town = Town { addr, folder, running: None };
    town.serve(listener);
    town
}

impl Town {
    fn serve(&mut self, listener: TcpListener) {
        let data = self.home("tracker").display().to_string();
        // Port 1 is closed: there is no backend-auth.
        let line = [
            "chat-tracker",
            "--data-dir",
            &data,
            "--auth-url",
            "http://127.0.0.1:1",
            "--stun-port",
            "0",
            "--rate",
            "0",
            "--signal-rate",
            "0",
        ];
        let args = Flags::try_parse_from(line).unwrap().tracker;
        let (tracker, background) = Tracker::open(&args).unwrap();
        let shutdown = Shutdown::new();
        let limits = service::http::HttpLimits::default();
        let served = run(listener, tracker.clone(), background, limits, shutdown.clone());
        self.running = Some(Running { tracker, shutdown, served: tokio::spawn(served) });
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A folder in which someone's data is.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Stops the tracker.
    pub(crate) async fn stop(&mut self) {
        let Running { tracker, shutdown, served } = self.running.take().unwrap();
        drop(tracker);
        shutdown.cancel();
        served.await.unwrap();
    }

    /// Starts it again on the same port with the same data.
    pub(crate) async fn start(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.serve(listener);
    }

    /// Bytes of direct messages that the tracker was ever given.
    pub(crate) fn content_bytes(&self) -> u64 {
        let metrics = self.running.as_ref().unwrap().tracker.metrics();
        let name = r#"tracker_content_bytes_total{kind="direct"} "#;
        metrics.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |n| n.parse().unwrap())
    }
}
