//! `peer chat` and `peer login` in real terminals: tmux is the terminal, with a shell in it as people have.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

mod chat;
#[path = "../support/door.rs"]
mod door;
mod hostile;
mod leaving;
mod sign_in;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod support;
mod window;
