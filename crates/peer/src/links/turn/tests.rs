//! Against a server that is played here, against noise, and against coturn.

mod bench;
pub(in crate::links) mod coturn;
mod noise;
mod real;
mod rules;
