//! The program, as its operator runs it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::soon;

/// A running `proxy`, killed when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    log: Lines<BufReader<ChildStderr>>,
    pub(crate) file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Program {
    pub(crate) fn start(text: &str) -> Self {
        Self::start_with(text, &[])
    }

    pub(crate) fn start_with(text: &str, args: &[&OsStr]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proxy.conf");
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_proxy"))
            .args(["--log-format", "text", "--config"])
            .arg(&file)
            .args(args)
            .env_remove("PROXY_CONFIG")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log, file, _dir: dir }
    }

    /// The next line of its log that contains this.
    pub(crate) async fn says(&mut self, what: &str) -> String {
        soon(what, async {
            loop {
                let line = self.log.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it ended before it said {what:?}"));
                if line.contains(what) {
                    return line;
                }
            }
        })
        .await
    }

    pub(crate) async fn listens(&mut self) -> SocketAddr {
        self.tells("listening").await
    }

    /// The address in the next line of its log that contains this.
    pub(crate) async fn tells(&mut self, what: &str) -> SocketAddr {
        let line = self.says(what).await;
        let addr = line.split("addr=").nth(1).unwrap_or_else(|| panic!("{line}"));
        addr.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The memory that it has, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.unwrap();
        assert!(sent.success());
    }
}
