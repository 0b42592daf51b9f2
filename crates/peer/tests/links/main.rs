//! Links between engines in one process, over real UDP sockets.

mod linking;
mod support;
