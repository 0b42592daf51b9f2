//! One running program.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Mutex, watch};

use crate::{eventually, patience};

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// The program's file, or that of a wrapper which ends in `exec`.
    pub file: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment, beside `PATH`.
    pub env: Vec<(String, String)>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Whether its standard output is kept apart from its log, and its standard input takes lines.
    pub talks: bool,
}

impl Recipe {
    /// A recipe for `file`, run in `folder`.
    pub fn new(file: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), folder: folder.into(), ..Self::default() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Its standard output is kept apart from its log ([`Program::said`]), and its standard input takes lines
    /// ([`Program::say`]).
    #[must_use]
    pub fn talking(mut self) -> Self {
        self.talks = true;
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

/// A program with its log. Dropping it ends the process; when a test fails, its log is printed.
#[derive(Debug)]
pub struct Program {
    name: String,
    recipe: Recipe,
    child: Child,
    input: Option<Mutex<ChildStdin>>,
    log: Log,
    said: Log,
}

impl Program {
    /// Starts a program and waits until its log has a line with `ready`: every program logs the
    /// address that it has bound, so that a listener stands behind the line.
    ///
    /// # Panics
    /// When it ends or stays silent instead.
    pub async fn start(name: &str, recipe: Recipe, ready: &str) -> Self {
        let program = Self::launch(name, recipe);
        program.await_line(ready, 0).await;
        program
    }

    /// Starts a program and waits for nothing.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn launch(name: &str, recipe: Recipe) -> Self {
        let (log, said) = (Log::default(), Log::default());
        let mut child = spawn(&recipe, &log, &said);
        let input = child.stdin.take().map(Mutex::new);
        Self { name: name.to_owned(), recipe, child, input, log, said }
    }

    /// Starts it again with the same arguments, port and data, and waits as [`Program::start`] does.
    ///
    /// # Panics
    /// As [`Program::start`].
    pub async fn restart(&mut self, ready: &str) {
        let seen = self.log.lines.borrow().len();
        self.relaunch();
        self.await_line(ready, seen).await;
    }

    /// Starts it again and waits for nothing.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn relaunch(&mut self) {
        self.child = spawn(&self.recipe, &self.log, &self.said);
        self.input = self.child.stdin.take().map(Mutex::new);
    }

    /// Writes a line to its standard input; nothing comes of it when the program has ended.
    ///
    /// # Panics
    /// When it doesn't [talk](Recipe::talking).
    pub async fn say(&self, line: &str) {
        let mut input = self.input.as_ref().expect("a program that talks").lock().await;
        let _ = input.write_all(format!("{line}\n").as_bytes()).await;
    }

    /// What it wrote to its standard output, line by line, over its restarts.
    pub fn said(&self) -> watch::Receiver<Vec<String>> {
        self.said.lines.subscribe()
    }

    /// Whether it runs.
    ///
    /// # Panics
    /// When the system doesn't say.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// kill -9, and waits until it is gone.
    ///
    /// # Panics
    /// When it can't be killed.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
        self.await_end().await;
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the program is gone.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the program has ended");
        kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
    }

    /// SIGSTOP, and waits until it stands still: the program hangs, its sockets stay open.
    ///
    /// # Panics
    /// When it goes on.
    pub async fn freeze(&self) {
        self.signal(Signal::STOP);
        let id = self.child.id().expect("the program has ended");
        eventually("the program stands still", || async move {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The state follows the name in parentheses.
            stat.rsplit(") ").next()?.starts_with('T').then_some(())
        })
        .await;
    }

    /// SIGCONT: it goes on.
    ///
    /// # Panics
    /// When the program is gone.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM: how it ended and how long that took.
    ///
    /// # Panics
    /// When it doesn't end.
    pub async fn terminate(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        (self.ended().await, start.elapsed())
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it doesn't.
    pub async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(patience() * 2, self.child.wait()).await {
            Ok(status) => {
                self.await_end().await;
                status.unwrap()
            }
            Err(_) => panic!("{} does not end\n{}", self.name, self.log.text()),
        }
    }

    /// Resident memory in KiB, now and at its highest.
    ///
    /// # Panics
    /// When the program is gone.
    pub fn memory(&self) -> (u64, u64) {
        let id = self.child.id().expect("the program has ended");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The last line has been read: what a restarted program says comes after it.
    async fn await_end(&self) {
        let mut lines = self.log.lines.subscribe();
        let read = lines.wait_for(|lines| lines.last().is_some_and(|line| line == ENDED));
        let _ = tokio::time::timeout(patience(), read).await;
    }

    async fn await_line(&self, needle: &str, from: usize) {
        let mut lines = self.log.lines.subscribe();
        let waiting = lines.wait_for(|lines| {
            lines.iter().skip(from).any(|line| line.contains(needle) || line == ENDED)
        });
        let outcome = match tokio::time::timeout(patience(), waiting).await {
            Ok(Ok(lines)) if lines.iter().skip(from).any(|line| line.contains(needle)) => return,
            Ok(_) => "ended",
            Err(_) => "is silent",
        };
        panic!("{} {outcome} before it logged {needle:?}:\n{}", self.name, self.log.text());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // `kill_on_drop` ends the process.
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}---", self.name, self.log.text());
        }
    }
}

/// Stands in the log where the program closed its standard error.
const ENDED: &str = "(ended)";

/// Lines of a program, kept over its restarts.
#[derive(Debug, Clone)]
struct Log {
    lines: Arc<watch::Sender<Vec<String>>>,
    readers: Arc<std::sync::Mutex<Vec<tokio::task::JoinHandle<()>>>>,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: Arc::new(watch::channel(Vec::new()).0), readers: Arc::default() }
    }
}

impl Log {
    fn follow(&self, pipe: impl AsyncRead + Unpin + Send + 'static, end: Option<&'static str>) {
        let lines = self.lines.clone();
        let reader = tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = pipe.next_line().await {
                lines.send_modify(|lines| lines.push(line));
            }
            if let Some(end) = end {
                lines.send_modify(|lines| lines.push(end.to_owned()));
            }
        });
        self.readers.lock().unwrap().push(reader);
    }

    fn text(&self) -> String {
        self.lines.borrow().iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

fn spawn(recipe: &Recipe, log: &Log, said: &Log) -> Child {
    raise_open_files();
    let input = if recipe.talks { Stdio::piped() } else { Stdio::null() };
    let mut child = Command::new(&recipe.file)
        .args(&recipe.args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(recipe.env.iter().cloned())
        .current_dir(&recipe.folder)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{} can't be started: {error}", recipe.file.display()));
    let output = if recipe.talks { said } else { log };
    output.follow(child.stdout.take().unwrap(), None);
    log.follow(child.stderr.take().unwrap(), Some(ENDED));
    child
}

/// Thousands of streams need thousands of descriptors, here and (inherited) in the program.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).unwrap();
}
