//! From flags to a peer: who, where, with which password.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;
use wire::PeerId;

use super::args::{Command, LogArgs, LogFormat, MachineArgs, WhoArgs};
use super::exit::{Exit, Failed};
use super::output::Output;
use crate::config::{Config, Login};
use crate::peer::StartError;
use crate::store::Folder;
use crate::tracker::session::Session;
use crate::tracker::{HalfWay, SignInError, Tracker};
use crate::{Event, Peer};

/// The password's variable.
const PASSWORD: &str = "CHAT_PASSWORD";
/// The variable of a second factor's code.
const CODE: &str = "CHAT_CODE";
/// How often a person is asked for a code that was wrong. Half a session takes five.
const CODE_TRIES: usize = 3;
/// Bytes of a password file at most.
const PASSWORD_BYTES: u64 = 64 * 1024;
/// The interactive client's log, in its data folder: its terminal is taken.
const CHAT_LOG: &str = "chat.log";

/// What the flags say.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Who and where.
    pub who: WhoArgs,
    /// This machine.
    pub machine: MachineArgs,
    /// Whether JSON is to be printed.
    pub json: bool,
}

/// Who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An account.
    Account(PeerId),
    /// Someone without an account.
    Guest(PeerId),
}

impl Setup {
    /// Standard output.
    pub fn output(&self) -> Output {
        Output { json: self.json }
    }

    /// Who one is: as named, or the only account that is signed in.
    ///
    /// # Errors
    /// When nobody is named and none or several are signed in.
    pub fn who(&self) -> Result<Who, Failed> {
        if let Some(guest) = &self.who.guest {
            return Ok(Who::Guest(guest.clone()));
        }
        if let Some(user) = &self.who.user {
            return Ok(Who::Account(user.clone()));
        }
        let folders = match &self.machine.data_dir {
            Some(folder) => vec![folder.clone()],
            None => subfolders(&self.home()?.join("accounts")),
        };
        let server = self.who.server.to_string();
        let mut signed_in: Vec<PeerId> = folders
            .iter()
            .filter_map(|folder| Session::load(folder))
            .filter(|session| session.server == server)
            .map(|session| session.user)
            .collect();
        match (signed_in.pop(), signed_in.is_empty()) {
            (Some(user), true) => Ok(Who::Account(user)),
            (Some(_), false) => Err(Failed::usage(format!(
                "several accounts are signed in at {server}: choose one with --user"
            ))),
            (None, _) => Err(Failed::usage(
                "say who you are: --user NAME with an account, or --guest NAME at a tracker that lets guests in",
            )),
        }
    }

    /// The data folder.
    ///
    /// # Errors
    /// When none is named and there is no home.
    pub fn folder(&self, who: &Who) -> Result<PathBuf, Failed> {
        if let Some(folder) = &self.machine.data_dir {
            return Ok(folder.clone());
        }
        let home = self.home()?;
        Ok(match who {
            Who::Account(user) => home.join("accounts").join(user.folded()),
            Who::Guest(name) => home.join("guests").join(name.folded()),
        })
    }

    /// Where this server's data folders are.
    fn home(&self) -> Result<PathBuf, Failed> {
        let absolute =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .ok_or_else(|| {
                Failed::usage(
                    "there is neither HOME nor XDG_STATE_HOME: name a folder with --data-dir",
                )
            })?;
        Ok(state.join("hybrid-chat").join(self.who.server.folder()))
    }

    /// The password that was given, if one was.
    ///
    /// # Errors
    /// When its file can't be read.
    pub fn password(&self) -> Result<Option<String>, Failed> {
        given(self.who.password_file.as_deref(), "--password-file", PASSWORD)
    }

    /// Signs in with the password, and a code where the account asks for one; the session that comes of it is kept. Both are taken from
    /// where they were given, or a person is asked.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn enter(&self, user: &PeerId, folder: PathBuf) -> Result<Tracker, Failed> {
        let password = self.password_or_ask(user)?;
        match Tracker::sign_in_anew(self.who.server.clone(), user, password, folder).await {
            Err(SignInError::SecondFactor(half)) => self.show_code(&half).await,
            outcome => Ok(outcome?),
        }
    }

    async fn show_code(&self, half: &HalfWay) -> Result<Tracker, Failed> {
        if !half.takes_codes() {
            return Err(Failed::new(Exit::SignIn, half.to_string()));
        }
        if let Some(code) = given(self.who.code_file.as_deref(), "--code-file", CODE)? {
            return Ok(half.show(&code).await?);
        }
        if !can_ask() {
            return Err(Failed::new(
                Exit::SignIn,
                format!(
                    "this account needs a code after the password: set {CODE}, or use --code-file"
                ),
            ));
        }
        let mut left = CODE_TRIES;
        loop {
            let code = rpassword::prompt_password(half.question())
                .map_err(|error| Failed::because(error.to_string()))?;
            left -= 1;
            match half.show(&code).await {
                Err(SignInError::Refused(why)) if left > 0 => eprintln!("{why}"),
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Whether there is a person to ask for what wasn't given.
    fn may_ask(&self) -> Result<bool, Failed> {
        Ok(self.password()?.is_none() && can_ask())
    }

    /// The password that was given, or one that a person types without an echo.
    ///
    /// # Errors
    /// When there is none and nobody to ask.
    pub fn password_or_ask(&self, user: &PeerId) -> Result<String, Failed> {
        if let Some(password) = self.password()? {
            return Ok(password);
        }
        if !can_ask() {
            return Err(Failed::new(
                Exit::SignIn,
                format!("{user} needs a password: set {PASSWORD}, or use --password-file"),
            ));
        }
        let question = format!("Password of {user} at {}: ", self.who.server);
        rpassword::prompt_password(question).map_err(|error| Failed::because(error.to_string()))
    }

    /// Takes the data folder and starts a peer in it. A person is asked for the password when it is needed.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn start(
        &self,
        folder: Folder,
        who: &Who,
        accept_files: bool,
    ) -> Result<(Peer, mpsc::Receiver<Event>), Failed> {
        let path = folder.path().to_owned();
        let mut config = self.config(&path, who, self.password()?);
        config.accept_files = accept_files;
        match (Peer::start_in(folder, config.clone()).await, who) {
            (Ok(started), _) => Ok(started),
            (Err(StartError::SignIn(why)), Who::Account(user)) if self.may_ask()? => {
                eprintln!("{why}");
                // The session is kept; with it the peer starts.
                self.enter(user, path).await?;
                Ok(Peer::start(config).await?)
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    fn config(&self, folder: &Path, who: &Who, password: Option<String>) -> Config {
        let machine = &self.machine;
        let login = login(who, password);
        let mut config = Config::new(self.who.server.to_string(), login, folder.to_owned());
        config.downloads = machine.downloads.clone().unwrap_or_else(|| downloads(folder));
        config.ip = machine.peer_ip;
        config.port = machine.peer_port;
        config.label = machine.label.clone().unwrap_or_else(label);
        config.relay_only = machine.relay_only;
        config
    }

    /// Signs in for a few calls, without becoming a device that others can reach.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn visit(&self, who: &Who) -> Result<Tracker, Failed> {
        let folder = self.folder(who)?;
        crate::store::folder::make(&folder)
            .map_err(|error| Failed::usage(format!("{}: {error}", folder.display())))?;
        let server = self.who.server.clone();
        let login = login(who, self.password()?);
        match (Tracker::sign_in(server, &login, folder.clone()).await, who) {
            (Ok(tracker), _) => Ok(tracker),
            (Err(error), Who::Account(user)) if self.may_ask()? => {
                let failed = Failed::from(error);
                if failed.exit != Exit::SignIn {
                    return Err(failed);
                }
                failed.tell();
                self.enter(user, folder).await
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}

fn login(who: &Who, password: Option<String>) -> Login {
    match who {
        Who::Account(user) => Login::Account { user: user.clone(), password },
        Who::Guest(name) => Login::Guest { name: name.clone() },
    }
}

/// Whether there is a person to ask.
fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A secret that was given in a file or in a variable, if it was.
fn given(file: Option<&Path>, flag: &str, variable: &str) -> Result<Option<String>, Failed> {
    if let Some(path) = file {
        return read_secret(path, flag).map(Some);
    }
    match std::env::var(variable) {
        Ok(secret) if !secret.is_empty() => Ok(Some(secret)),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failed::usage(format!("{variable} is no UTF-8")))
        }
    }
}

fn read_secret(path: &Path, flag: &str) -> Result<String, Failed> {
    let wrong = |why: String| Failed::usage(format!("{flag} {}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > PASSWORD_BYTES {
        return Err(wrong("this is too large to be a password or a code".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    match text.lines().next() {
        Some(secret) if !secret.is_empty() => Ok(secret.to_owned()),
        _ => Err(wrong("its first line is empty".to_owned())),
    }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

/// The person's folder for downloads where there is one.
fn downloads(data: &Path) -> PathBuf {
    let common = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("Downloads"));
    common.filter(|folder| folder.is_dir()).unwrap_or_else(|| data.join("downloads"))
}

fn label() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if host.is_empty() { "terminal".to_owned() } else { format!("terminal on {host}") }
}

/// The signals by which a person ends a program.
#[derive(Debug)]
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Listens for them from now on.
    ///
    /// # Errors
    /// When the handlers can't be installed.
    pub fn new() -> Result<Self, Failed> {
        let handler = |kind| signal(kind).map_err(|error| Failed::because(error.to_string()));
        let (interrupt, terminate) =
            (handler(SignalKind::interrupt())?, handler(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    /// Waits for one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// From now on one more ends the program at once.
    pub fn last(mut self) {
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(i32::from(Exit::Interrupted.code()));
        });
    }
}

/// Starts the log, on standard error; the interactive client's goes into a file of its data folder.
///
/// # Errors
/// When `--log-level` is no filter.
pub fn start_log(
    log: &LogArgs,
    who: &WhoArgs,
    machine: &MachineArgs,
    command: &Command,
) -> Result<(), Failed> {
    let filter = EnvFilter::builder()
        .parse(&log.log_level)
        .map_err(|error| Failed::usage(format!("--log-level: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let json = match log.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let setup = Setup { who: who.clone(), machine: machine.clone(), json: false };
    let file = (matches!(command, Command::Chat) && terminal).then(|| chat_log(&setup)).flatten();
    match (file, json) {
        (Some(file), _) => builder.with_ansi(false).with_writer(Mutex::new(file)).init(),
        (None, true) => builder.with_writer(io::stderr).json().flatten_event(true).init(),
        (None, false) => builder.with_writer(io::stderr).with_ansi(terminal).init(),
    }
    Ok(())
}

fn chat_log(setup: &Setup) -> Option<File> {
    let folder = setup.folder(&setup.who().ok()?).ok()?;
    crate::store::folder::make(&folder).ok()?;
    File::create(folder.join(CHAT_LOG)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn setup(line: &[&str]) -> Setup {
        let line = [&["peer"], line, &["list"]].concat();
        let args = super::super::args::Args::try_parse_from(line).unwrap();
        Setup { who: args.who, machine: args.machine, json: args.json }
    }

    fn session(folder: &Path, server: &str, user: &str) {
        let (server, user) = (server.to_owned(), PeerId::parse(user).unwrap());
        Session { server, user, cookie: "session=x".to_owned() }.keep(folder).unwrap();
    }

    #[test]
    fn the_account_that_is_signed_in_need_not_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let flags = ["--server", "http://a:1", "--data-dir", path];
        assert_eq!(setup(&flags).who().unwrap_err().exit, Exit::Usage);
        session(folder.path(), "http://a:1", "Alice");
        let alice = PeerId::parse("Alice").unwrap();
        assert_eq!(setup(&flags).who().unwrap(), Who::Account(alice));
        assert!(setup(&["--server", "http://b", "--data-dir", path]).who().is_err());
    }

    #[test]
    fn accounts_and_guests_of_one_name_have_folders_of_their_own() {
        let bob = PeerId::parse("Bob").unwrap();
        let setup = setup(&["--server", "http://a:1"]);
        let account = setup.folder(&Who::Account(bob.clone())).unwrap();
        let guest = setup.folder(&Who::Guest(bob)).unwrap();
        assert!(account.ends_with("hybrid-chat/a_1/accounts/bob"), "{account:?}");
        assert!(guest.ends_with("hybrid-chat/a_1/guests/bob"), "{guest:?}");
    }

    #[test]
    fn the_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let flags = ["--password-file", path.to_str().unwrap()];
        assert_eq!(setup(&flags).password().unwrap_err().exit, Exit::Usage);
        std::fs::write(&path, "secret word\nrest\n").unwrap();
        assert_eq!(setup(&flags).password().unwrap().unwrap(), "secret word");
        std::fs::write(&path, "\n").unwrap();
        assert!(setup(&flags).password().is_err());
    }
}
