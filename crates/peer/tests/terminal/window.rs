//! A terminal window: a tmux server of its own with one shell.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{PATIENCE, Town};

/// How often a window is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A window. Dropping it ends the shell and what runs in it; when a test fails, what it shows is printed.
pub(crate) struct Window {
    folder: TempDir,
    name: String,
}

impl Window {
    /// Opens a window with a shell whose prompt is `$ `.
    pub(crate) fn open(name: &str, columns: u16, rows: u16) -> Self {
        let window = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned() };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let shell = "env -u NO_COLOR PS1='$ ' bash --norc --noprofile";
        window.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, shell]);
        window
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-u", "-L", "test", "-f", "/dev/null"])
            .args(args)
            // The tests know where the socket is; the characters are UTF-8 whatever machine this is.
            .env("TMUX_TMPDIR", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .output()
            .expect("tmux, from the package of that name");
        assert!(
            output.status.success(),
            "tmux {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the window shows.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What the window shows, with the sequences that colour it.
    pub(crate) fn styled(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Something that tmux knows of the window.
    pub(crate) fn fact(&self, name: &str) -> String {
        self.tmux(&["display-message", "-p", &format!("#{{{name}}}")]).trim_end().to_owned()
    }

    /// Presses keys, by the names that tmux has for them.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text.
    pub(crate) fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Types a line.
    pub(crate) fn enters(&self, line: &str) {
        self.types(line);
        self.keys(&["Enter"]);
    }

    /// Pastes a text, as a terminal does.
    pub(crate) fn pastes(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p", "-r"]);
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// Waits until the window looks so.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if fits(&screen) {
                return;
            }
            assert!(Instant::now() < end, "{what}: not on {}'s screen:\n{screen}", self.name);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the window shows this.
    pub(crate) async fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contains(text)).await;
    }

    /// Waits until the window doesn't show this.
    pub(crate) async fn hides(&self, text: &str) {
        self.until(&format!("no {text}"), |screen| !screen.contains(text)).await;
    }

    /// Types a secret, once the terminal doesn't show what is typed.
    pub(crate) async fn enters_unseen(&self, secret: &str) {
        let terminal = self.fact("pane_tty");
        let end = Instant::now() + PATIENCE;
        loop {
            let modes = Command::new("stty").args(["-F", &terminal, "-a"]).output().unwrap();
            if String::from_utf8_lossy(&modes.stdout).contains(" -echo ") {
                break;
            }
            assert!(Instant::now() < end, "{}'s terminal shows what is typed", self.name);
            tokio::time::sleep(LOOK).await;
        }
        self.enters(secret);
    }

    /// Starts `peer chat` as a guest, with more environment in front; its process id goes to a file in the home.
    pub(crate) async fn chats(&self, town: &Town, environment: &str) {
        let home = town.home(&self.name);
        let line = format!(
            "{environment} {} --server {} --guest {} --peer-ip 127.0.0.1 --data-dir {} --downloads {} chat; echo ended with $?",
            env!("CARGO_BIN_EXE_peer"),
            town.url(),
            self.name,
            home.display(),
            home.join("downloads").display(),
        );
        self.enters(&format!("clear; {line}"));
    }

    /// The process in the foreground, which is the program.
    pub(crate) fn program(&self) -> String {
        let shell = self.fact("pane_pid");
        let children = format!("/proc/{shell}/task/{shell}/children");
        let child = std::fs::read_to_string(Path::new(&children)).unwrap();
        child.split_whitespace().next().expect("nothing runs in the window").to_owned()
    }

    /// Waits for the end of the program, and checks that it left the terminal as it was.
    pub(crate) async fn ended(&self, code: &str) {
        self.shows(&format!("ended with {code}")).await;
        self.is_clean().await;
    }

    /// Checks that the terminal is as a shell expects it.
    pub(crate) async fn is_clean(&self) {
        let facts = [
            ("alternate_on", "0"),
            ("cursor_flag", "1"),
            ("wrap_flag", "1"),
            ("mouse_any_flag", "0"),
            ("mouse_standard_flag", "0"),
            ("mouse_sgr_flag", "0"),
            ("keypad_cursor_flag", "0"),
        ];
        for (fact, value) in facts {
            assert_eq!(self.fact(fact), value, "{fact}");
        }
        // Whatever was left of a report or a paste would be in front of these words.
        self.enters("clear; stty -a; printf '%s-%s\\n' all well");
        self.shows("all-well").await;
        let screen = self.screen();
        for mode in [" icanon", " echo ", "isig", "icrnl", "opost"] {
            assert!(screen.contains(mode), "no {mode}:\n{screen}");
        }
        assert!(
            !screen.contains("-isig") && !screen.contains("-icrnl") && !screen.contains("-opost")
        );
        assert!(!screen.contains("not found") && !screen.contains("[?"), "{screen}");
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}'s screen:\n{}", self.name, self.screen());
        }
        self.tmux(&["kill-server"]);
    }
}
