//! `peer send-file`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::args::SendFileArgs;
use super::client::{Client, signed_out};
use super::exit::{Exit, Failed};
use super::output::{Output, one_line};
use super::setup::{Interrupts, Setup};

/// Sends files, and ends when all of them have arrived or can't.
///
/// # Errors
/// [`Failed`].
pub async fn run(setup: Setup, send: SendFileArgs) -> Result<Exit, Failed> {
    let paths = send.paths.iter().map(|path| absolute(path)).collect::<Result<Vec<_>, _>>()?;
    let mut interrupts = Interrupts::new()?;
    let mut client = Client::open(&setup).await?;
    let outcome = tokio::select! {
        outcome = sent(&mut client, setup.output(), &send, &paths) => outcome,
        () = interrupts.next() => {
            eprintln!("interrupted: what is done goes on from there when the same file is sent again");
            Ok(Exit::Interrupted)
        }
    };
    interrupts.last();
    client.close().await;
    outcome
}

/// The peer that sends may run in another folder.
fn absolute(path: &Path) -> Result<PathBuf, Failed> {
    let wrong = |error: io::Error| Failed::because(format!("{}: {error}", path.display()));
    std::path::absolute(path).map_err(wrong)
}

async fn sent(
    client: &mut Client,
    output: Output,
    send: &SendFileArgs,
    paths: &[PathBuf],
) -> Result<Exit, Failed> {
    let mut files = Files { states: BTreeMap::new(), output, progress: Progress::new(output) };
    let mut exit = Exit::Done;
    for path in paths {
        match client.ask("send_file", json!({ "to": send.to, "path": path })).await {
            Ok(reply) => {
                let file = reply["file"].as_str().unwrap_or_default().to_owned();
                files.states.insert(file, Value::Null);
            }
            // The others go all the same.
            Err(failed) => exit = failed.tell(),
        }
    }
    files.look(client).await?;
    let deadline = send.wait.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    while !files.states.values().all(is_over) {
        let event = match deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline, client.event()).await {
                Ok(event) => event?,
                Err(_) => break,
            },
            None => client.event().await?,
        };
        match event["type"].as_str().unwrap_or_default() {
            "file" => files.take(event)?,
            "reset" => files.look(client).await?,
            "offline" => files.progress.note("the server can't be reached; waiting for it"),
            "signed_out" => return Err(signed_out()),
            _ => {}
        }
    }
    files.progress.end();
    for state in files.states.values() {
        exit = match state["state"].as_str() {
            Some("done") => exit,
            Some("declined" | "cancelled") => Exit::Failed,
            _ if exit == Exit::Done => Exit::Undecided,
            _ => exit,
        };
    }
    Ok(exit)
}

fn is_over(state: &Value) -> bool {
    matches!(state["state"].as_str(), Some("done" | "declined" | "cancelled"))
}

/// The files and how far they have come.
struct Files {
    states: BTreeMap<String, Value>,
    output: Output,
    progress: Progress,
}

impl Files {
    fn take(&mut self, state: Value) -> Result<(), Failed> {
        let id = state["file"].as_str().unwrap_or_default();
        if state["direction"] != "outgoing" {
            return Ok(());
        }
        let Some(known) = self.states.get_mut(id) else { return Ok(()) };
        if is_over(known) || *known == state {
            return Ok(());
        }
        if self.output.json {
            self.output.write(&state, None)?;
        }
        if is_over(&state) {
            self.progress.end();
            self.output.write(&state, Some(&ended(&state)))?;
        } else {
            self.progress.show(&state);
        }
        *known = state;
        Ok(())
    }

    /// Reads the states, where events may have been missed.
    async fn look(&mut self, client: &mut Client) -> Result<(), Failed> {
        let found = client.ask("files", json!({})).await?;
        for state in found["files"].as_array().cloned().unwrap_or_default() {
            let mut state = state;
            state["type"] = json!("file");
            self.take(state)?;
        }
        Ok(())
    }
}

fn ended(state: &Value) -> String {
    let name = one_line(state["name"].as_str().unwrap_or_default());
    let to = state["to"].as_str().unwrap_or_default();
    let trouble = state["trouble"].as_str().map(one_line);
    let reason =
        trouble.unwrap_or_else(|| state["reason"].as_str().unwrap_or_default().replace('_', " "));
    match state["state"].as_str() {
        Some("done") => format!("{name}: has arrived at {to}"),
        Some("declined") => format!("{name}: {to} declined it ({reason})"),
        _ => format!("{name}: stopped ({reason})"),
    }
}

/// One line on standard error that tells how far it is, for a person at a terminal.
struct Progress {
    shown: bool,
    drawn: usize,
}

impl Progress {
    fn new(output: Output) -> Self {
        Self { shown: io::stderr().is_terminal() && !output.json, drawn: 0 }
    }

    fn show(&mut self, state: &Value) {
        let name = one_line(state["name"].as_str().unwrap_or_default());
        let to = state["to"].as_str().unwrap_or_default();
        let (done, size) = (number(state, "done"), number(state, "size"));
        let line = match state["state"].as_str() {
            Some("offered") => format!("{name}: waiting for {to} to take it"),
            Some("waiting") => {
                format!("{name}: {}, waiting for a link with {to}", percent(done, size))
            }
            _ => {
                let speed = number(state, "speed");
                let way = state["way"].as_str().unwrap_or("direct");
                format!("{name}: {} at {}/s, {way}", percent(done, size), bytes(speed))
            }
        };
        self.draw(&line);
    }

    fn note(&mut self, words: &str) {
        self.draw(words);
    }

    fn draw(&mut self, line: &str) {
        if !self.shown {
            return;
        }
        let width = line.chars().count();
        let padding = " ".repeat(self.drawn.saturating_sub(width));
        let mut terminal = io::stderr().lock();
        // Nobody is helped by an error about a line of progress.
        let _ = write!(terminal, "\r{line}{padding}").and_then(|()| terminal.flush());
        self.drawn = width;
    }

    fn end(&mut self) {
        if self.drawn > 0 {
            eprintln!();
            self.drawn = 0;
        }
    }
}

fn number(state: &Value, field: &str) -> u64 {
    state[field].as_u64().unwrap_or(0)
}

fn percent(done: u64, size: u64) -> String {
    let percent = u128::from(done) * 100 / u128::from(size.max(1));
    format!("{percent} % of {}", bytes(size))
}

/// Bytes in the unit that reads best.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_read_well() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(percent(0, 0), "0 % of 0 B");
        assert_eq!(percent(1 << 52, (1 << 53) - 1), "50 % of 8192.0 TiB");
    }
}
