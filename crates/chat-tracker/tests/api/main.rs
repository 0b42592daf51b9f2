//! The tracker's calls over real sockets.

mod channels;
mod errors;
mod identity;
mod login;
mod mailbox;
mod operation;
mod original;
mod sending;
mod support;
