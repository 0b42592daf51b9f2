//! One run of the program.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::{PATIENCE, Town};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as JSON lines.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Asserts the exit code.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The program in a home of its own, with nothing else in its environment.
pub(crate) fn peer(home: &PathBuf) -> Command {
    std::fs::create_dir_all(home).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_peer"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
    command.current_dir(home).kill_on_drop(true);
    command
}

impl Town {
    /// The program as a guest of this tracker.
    pub(crate) fn as_guest(&self, name: &str) -> Command {
        self.as_guest_by(&self.url(), name)
    }

    /// The same by a way of its own to this tracker.
    fn as_guest_by(&self, url: &str, name: &str) -> Command {
        let mut command = peer(&self.home(name));
        command.args(["--server", url, "--guest", name, "--peer-ip", "127.0.0.1"]);
        command
    }

    /// Runs a command line as a guest.
    pub(crate) async fn run(&self, name: &str, args: &[&str]) -> Ran {
        ran(self.as_guest(name).args(args)).await
    }

    /// Starts a listener; waits until it is online.
    pub(crate) async fn listener(&self, name: &str) -> Listener {
        let mut listener = self.listener_from_start(name).await;
        listener.next_of("online").await;
        listener
    }

    /// Starts a listener, with all its lines still to be read.
    pub(crate) async fn listener_from_start(&self, name: &str) -> Listener {
        self.listener_by(&self.url(), name)
    }

    /// The same by a way of its own to this tracker.
    pub(crate) fn listener_by(&self, url: &str, name: &str) -> Listener {
        let mut command = self.as_guest_by(url, name);
        let mut child = command
            .args(["listen", "--json", "--commands"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let commands = child.stdin.take();
        Listener { child, lines, commands, held: Default::default() }
    }
}

/// Runs to its end.
pub(crate) async fn ran(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output();
    tokio::time::timeout(PATIENCE, output).await.expect("it does not end").unwrap().into()
}

/// Runs to its end with this standard input.
pub(crate) async fn fed(command: &mut Command, input: &str) -> Ran {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    output.expect("it does not end").unwrap().into()
}

/// A running `peer listen --json --commands`.
pub(crate) struct Listener {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    commands: Option<ChildStdin>,
    /// Answers and events keep no order among each other: those of the other kind that came while one was waited for.
    held: [VecDeque<Value>; 2],
}

impl Listener {
    /// The next line.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("it says nothing").unwrap()?;
        Some(serde_json::from_str(&line).expect(&line))
    }

    /// The next line of a type. Events of other types before it are passed over, answers never.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        let stream = usize::from(kind == "reply");
        loop {
            let line = match self.held[stream].pop_front() {
                Some(line) => line,
                None => self.next().await.expect("it has ended"),
            };
            if line["type"] == kind {
                return line;
            }
            let of = usize::from(line["type"] == "reply");
            if of != stream {
                self.held[of].push_back(line);
            }
        }
    }

    /// Gives it a command.
    pub(crate) async fn says(&mut self, command: &Value) {
        let line = format!("{command}\n");
        self.commands.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    }

    /// Closes its standard input.
    pub(crate) fn hangs_up(&mut self) {
        self.commands = None;
    }

    /// Nobody reads its standard output any more.
    pub(crate) fn unread(self) -> Child {
        self.child
    }

    /// Ends it by a signal: its exit code.
    pub(crate) async fn end(mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        // It may have more to say than fits into the pipe.
        while self.next().await.is_some() {}
        self.child.wait().await.unwrap().code()
    }

    /// kill -9
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end: its exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        while self.next().await.is_some() {}
        self.child.wait().await.unwrap().code()
    }
}
