//! `peer chat`: the interactive client.
//!
//! # Layout
//! Pure logic, tested without a terminal:
//! - `model`: everything that the interface knows; takes an input, gives `effect`s.
//! - `room`, `log`, `people`, `transfers`, `sheet`: what the model is made of.
//! - `input`, `commands`, `complete`: the line that is being written, what it says, what Tab makes of it.
//! - `view`, `theme`, `wrap`: how all that looks in so many columns and rows.
//! - `words`: every text, in English and Vietnamese.
//! - `safe`: texts of others, made harmless.
//!
//! What moves bytes:
//! - `run`: the loop.
//! - `perform`: effects, as calls to the peer.
//! - [`screen`]: the terminal, taken over and given back.

pub(crate) mod commands;
pub(crate) mod complete;
pub(crate) mod effect;
pub(crate) mod input;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod people;
pub(crate) mod perform;
pub(crate) mod room;
mod run;
pub(crate) mod safe;
pub mod screen;
pub(crate) mod sheet;
pub(crate) mod theme;
pub(crate) mod transfers;
pub(crate) mod view;
pub(crate) mod words;
pub(crate) mod wrap;

pub use run::run;

#[cfg(test)]
mod tests;
