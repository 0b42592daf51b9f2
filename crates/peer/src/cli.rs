//! The program's commands.
//!
//! # Layout
//! - [`args`]: the flags.
//! - [`exit`]: exit codes.
//! - [`setup`]: from flags to a peer: who, where, with which password.
//! - [`event`]: events, as JSON and as lines for people.
//! - [`command`]: what a running peer can be told, line by line.
//! - [`serve`]: commands and events over a pair of streams, or over the socket in the data folder.
//! - [`client`]: the other end of it: how `send`, `send-file` and `ping` talk to a peer, this process's own or one that
//!   runs already.
//! - [`send`], [`send_file`], [`ping`], [`listen`], [`look`], [`account`], [`channel`], [`chat`]: one command each.
//! - [`output`]: standard output.

pub mod account;
pub mod args;
pub mod catch_up;
pub mod channel;
pub mod chat;
pub mod client;
pub mod command;
pub mod event;
pub mod exit;
pub mod listen;
pub mod look;
pub mod output;
pub mod ping;
pub mod send;
pub mod send_file;
pub mod serve;
pub mod setup;

use args::{Args, Command};
use exit::Exit;

/// Does what the command line says.
pub async fn run(args: Args) -> Exit {
    let Args { who, machine, json, log, command } = args;
    if let Err(error) = setup::start_log(&log, &who, &machine, &command) {
        return error.tell();
    }
    let setup = setup::Setup { who, machine, json };
    let outcome = match command {
        Command::Chat => chat::run(setup).await,
        Command::Login(login) => account::log_in(setup, &login).await,
        Command::Logout => account::log_out(setup).await,
        Command::Send(send) => send::run(setup, send).await,
        Command::SendFile(send) => send_file::run(setup, send).await,
        Command::Listen(listen) => listen::run(setup, listen).await,
        Command::List => look::list(setup).await,
        Command::Devices(devices) => look::devices(setup, &devices).await,
        Command::Ping(ping) => ping::run(setup, ping).await,
        Command::Join(channel) => channel::join(setup, &channel).await,
        Command::Leave(channel) => channel::leave(setup, &channel).await,
    };
    outcome.unwrap_or_else(|failed| failed.tell())
}
