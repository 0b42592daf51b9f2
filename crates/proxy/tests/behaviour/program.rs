//! The program itself: signals, and a configuration that is changed under its eyes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::support::{Upstream, get, ok, proxy, soon};

/// A running `proxy`, killed when dropped.
struct Program {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Program {
    fn start(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proxy.conf");
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_proxy"))
            .args(["--log-format", "text", "--config"])
            .arg(&file)
            .env_remove("PROXY_CONFIG")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log, file, _dir: dir }
    }

    /// The next line of its log that contains this.
    async fn says(&mut self, what: &str) -> String {
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

    async fn listens(&mut self) -> std::net::SocketAddr {
        let line = self.says("listening").await;
        let addr = line.split("addr=").nth(1).unwrap_or_else(|| panic!("{line}"));
        addr.split_whitespace().next().unwrap().parse().unwrap()
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.unwrap();
        assert!(sent.success());
    }
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

#[tokio::test]
async fn sighup_and_a_changed_file_are_followed_and_a_mistake_is_told() {
    let [first, second] =
        [Upstream::replying(ok("first")).await, Upstream::replying(ok("second")).await];
    let mut program = Program::start(&proxy().to(&first).text());
    let addr = program.listens().await;
    assert_eq!(get(addr, "/", "").await.text(), "first");
    write(&program.file, &proxy().to(&second).text());
    program.signal("HUP").await;
    program.says("the configuration was reloaded").await;
    assert_eq!(get(addr, "/", "").await.text(), "second");
    // Without a signal.
    write(&program.file, "[server]\nlisten = 5\n");
    let line = program.says("not reloaded").await;
    assert!(line.contains("proxy.conf:2:10: key `server.listen`"), "{line}");
    assert_eq!(get(addr, "/", "").await.text(), "second");
    write(&program.file, &proxy().to(&first).text());
    program.says("the configuration was reloaded").await;
    assert_eq!(get(addr, "/", "").await.text(), "first");
    program.signal("USR1").await;
    program.says("the access log was opened again").await;
    program.signal("TERM").await;
    let ended = soon("the end", program.child.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
}
