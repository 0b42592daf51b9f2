//! The flags.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use wire::{ChannelName, DeviceId, PeerId};

use crate::tracker::Server;

const HELP: &str = "\
Examples:
  peer --user alice login                         asks for the password, and keeps the session
  peer --user alice chat                          the interactive client
  peer --user alice send bob 'Lunch at noon?'     a direct message; says which way it went
  uptime | peer --user alice send bob -           the message from standard input
  peer --user alice send-file bob film.mkv        a file, straight to bob
  peer --user alice listen --json                 what arrives, one JSON object a line
  peer --server http://127.0.0.1:8001 --guest ann list

The password comes from CHAT_PASSWORD, from --password-file, or is asked for; never from the command line.
So does the code of a second factor, where the account has one: CHAT_CODE, --code-file.

Exit codes:
  0 done, delivered    1 failed               2 wrong usage or data folder
  3 in the mailbox     4 can't sign in        5 server can't be reached, the message is kept
  6 time is over, the message is kept         130 interrupted";

/// The native peer of hybrid chat: messages and files straight to other peers, from the terminal.
#[derive(Debug, Parser)]
#[command(name = "peer", version, after_help = HELP)]
pub struct Args {
    /// Who and where.
    #[command(flatten)]
    pub who: WhoArgs,
    /// This machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Print JSON, one object a line.
    #[arg(long, env = "CHAT_JSON", global = true)]
    pub json: bool,
    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Who one is, and at which server.
#[derive(Debug, Clone, clap::Args)]
pub struct WhoArgs {
    /// The server: the address that a browser opens; for a guest, a tracker's.
    #[arg(
        long,
        env = "CHAT_SERVER",
        default_value = "http://localhost:8080",
        value_name = "URL",
        global = true
    )]
    pub server: Server,
    /// The account. It may be left out when exactly one is signed in on this machine at that server.
    #[arg(long, env = "CHAT_USER", value_name = "NAME", global = true, conflicts_with = "guest")]
    pub user: Option<PeerId>,
    /// Come without an account, under this name, to a tracker that lets guests in.
    #[arg(long, env = "CHAT_GUEST", value_name = "NAME", global = true)]
    pub guest: Option<PeerId>,
    /// A file with the password in its first line.
    #[arg(long, env = "CHAT_PASSWORD_FILE", value_name = "FILE", global = true)]
    pub password_file: Option<PathBuf>,
    /// A file with the code of the second factor in its first line: of the app, or for recovery. /dev/stdin is standard input.
    #[arg(long, env = "CHAT_CODE_FILE", value_name = "FILE", global = true)]
    pub code_file: Option<PathBuf>,
}

/// This machine: addresses and folders.
#[derive(Debug, Clone, clap::Args)]
pub struct MachineArgs {
    /// The one address to take links on; all of this machine's by default.
    #[arg(long, env = "PEER_IP", value_name = "IP", global = true)]
    pub peer_ip: Option<IpAddr>,
    /// The UDP port to take links on; any free one by default.
    #[arg(long, env = "PEER_PORT", default_value_t = 0, value_name = "PORT", global = true)]
    pub peer_port: u16,
    /// Where this device's key, messages and session are kept [default: a folder for each server and account in
    /// $XDG_STATE_HOME/hybrid-chat]
    #[arg(long, env = "CHAT_DATA_DIR", value_name = "FOLDER", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Where received files go [default: ~/Downloads, or a folder beside the data]
    #[arg(long, env = "CHAT_DOWNLOADS", value_name = "FOLDER", global = true)]
    pub downloads: Option<PathBuf>,
    /// What others see this device called [default: terminal on HOST]
    #[arg(long, env = "CHAT_LABEL", value_name = "TEXT", global = true)]
    pub label: Option<String>,
    /// Link through TURN servers only, so that nobody learns this machine's addresses.
    #[arg(long, env = "CHAT_RELAY_ONLY", global = true)]
    pub relay_only: bool,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Text when standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One line of text for people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Logging flags: those of the services, but quiet by default.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto, global = true)]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter such as `info,peer::links=debug`.
    #[arg(long, env = "LOG_LEVEL", default_value = "warn", global = true)]
    pub log_level: String,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// The interactive client: channels, direct messages, files, who is there.
    Chat,
    /// Signs in and keeps the session, so that other commands need no password.
    Login(LoginArgs),
    /// Ends the kept session.
    Logout,
    /// Sends a direct message, and says which way it went. Or writes to a channel: `peer send '#general' hi`.
    Send(SendArgs),
    /// Sends files straight to a peer. What was interrupted goes on when it is sent again.
    SendFile(SendFileArgs),
    /// Prints what arrives, as it arrives: each message once, also those that came while nobody listened.
    Listen(ListenArgs),
    /// The peers, and who is there.
    List,
    /// A peer's devices (or one's own) with the safety numbers that two people can compare.
    Devices(DevicesArgs),
    /// Measures the round trip over the direct link.
    Ping(PingArgs),
    /// Joins a channel, which comes into being with its first member.
    Join(ChannelArgs),
    /// Leaves a channel.
    Leave(ChannelArgs),
}

/// `peer login`
#[derive(Debug, Clone, clap::Args)]
pub struct LoginArgs {
    /// The server of this data folder is found at another address now.
    #[arg(long)]
    pub moved: bool,
}

/// `peer send`
#[derive(Debug, Clone, clap::Args)]
pub struct SendArgs {
    /// To whom; `#name` for a channel.
    pub to: String,
    /// The text; `-` takes all of standard input.
    pub message: String,
    /// Each line of standard input is a message of its own (with `-`).
    #[arg(long)]
    pub lines: bool,
    /// Wait so long for the delivery [default: until it is delivered or in the mailbox, 30 s at most]
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
    /// Directly or not at all: never by way of the server's mailbox.
    #[arg(long)]
    pub direct_only: bool,
}

/// `peer send-file`
#[derive(Debug, Clone, clap::Args)]
pub struct SendFileArgs {
    /// To whom.
    pub to: PeerId,
    /// The files.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Give up when they are not there after so long; what is done goes on from there the next time [default: never]
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `peer listen`
#[derive(Debug, Clone, clap::Args)]
pub struct ListenArgs {
    /// Take every file that is offered.
    #[arg(long)]
    pub accept_files: bool,
    /// Take commands from standard input too, one JSON object a line; ends with it.
    #[arg(long)]
    pub commands: bool,
}

/// `peer devices`
#[derive(Debug, Clone, clap::Args)]
pub struct DevicesArgs {
    /// Whose; one's own when left out.
    pub peer: Option<PeerId>,
    /// The safety number of this device was compared with its owner's, and is the same.
    #[arg(long, value_name = "DEVICE", requires = "peer")]
    pub compared: Option<DeviceId>,
}

/// `peer ping`
#[derive(Debug, Clone, clap::Args)]
pub struct PingArgs {
    /// Whom.
    pub peer: PeerId,
    /// How often.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// Wait so long for a link.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub wait: u64,
}

/// `peer join`, `peer leave`
#[derive(Debug, Clone, clap::Args)]
pub struct ChannelArgs {
    /// Which, with or without `#`.
    #[arg(value_parser = channel_name)]
    pub channel: ChannelName,
}

/// A channel's name, with or without `#`.
///
/// # Errors
/// What would be right.
pub fn channel_name(text: &str) -> Result<ChannelName, wire::ids::NameError> {
    ChannelName::parse(text.strip_prefix('#').unwrap_or(text))
}

/// Parses the command line, or ends the program: code 0 after `--help` and `--version`, 2 and one line on standard error
/// after a mistake.
pub fn parse() -> Args {
    Args::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        eprintln!("{}", one_line(&error));
        std::process::exit(2);
    })
}

/// Folds clap's paragraph (message, tip, usage) to the message and the tip.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let kept: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    format!("{} (see --help)", kept.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["peer"], line].concat())
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        let args =
            parsed(&["--guest", "ann", "send", "bob", "hi", "--server", "http://a:1"]).unwrap();
        assert_eq!(args.who.server.to_string(), "http://a:1");
        assert_eq!(args.who.guest.unwrap().as_str(), "ann");
        assert!(matches!(args.command, Command::Send(SendArgs { wait: None, .. })));
    }

    #[test]
    fn a_mistake_is_one_line_that_names_it() {
        for (line, named) in [
            (&["--user", "a", "--guest", "b", "list"][..], "--guest"),
            (&["--server", "localhost", "list"][..], "http://HOST"),
            (&["ping", "not a name"][..], "ASCII"),
            (&["send-file", "bob"][..], "PATH"),
            (&["--password", "secret", "login"][..], "--password"),
        ] {
            let error = one_line(&parsed(line).unwrap_err());
            assert!(error.contains(named) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn every_flag_has_a_variable() {
        use clap::CommandFactory;
        for flag in Args::command().get_arguments() {
            let name = flag.get_id().as_str();
            assert!(flag.get_env().is_some() || matches!(name, "help" | "version"), "--{name}");
        }
    }
}
