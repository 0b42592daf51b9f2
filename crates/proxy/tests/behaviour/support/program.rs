//! The program, as its operator runs it.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::io::FdFlags;
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
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_proxy")), text, args)
    }

    /// Starts it with listeners that are open already, as a service manager does.
    pub(crate) fn start_on(listeners: [&TcpListener; 2], text: &str) -> Self {
        for listener in listeners {
            rustix::io::fcntl_setfd(listener, FdFlags::empty()).unwrap();
        }
        let [first, second] = listeners.map(AsRawFd::as_raw_fd);
        // It becomes the proxy, so the number is the proxy's.
        let script = format!(
            "exec 13<&{first} 14<&{second} 3<&13 4<&14; export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" \"$@\""
        );
        let mut launcher = Command::new("bash");
        launcher.args(["-c", &script, env!("CARGO_BIN_EXE_proxy")]);
        Self::start_by(launcher, text, &[])
    }

    fn start_by(mut command: Command, text: &str, args: &[&OsStr]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proxy.conf");
        std::fs::write(&file, text).unwrap();
        let mut child = command
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
