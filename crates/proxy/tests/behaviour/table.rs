//! Tables of what a client or a server may send and what becomes of it. Each function is one of the rules of
//! HTTP, numbered as they were collected; each row is sent whole and once more byte by byte, because where a read ends must not matter.
//!
//! Rules that are about time, connections or a configuration are tests of their own: how paths and hosts are
//! told apart (R16) in `paths`, early answers (R24) in `forwarding` and `streaming`, tunnels (R27) in `upgrade`,
//! retries (R30) and slow clients (R31) in `faults`, what may stand in a log (R33) in `src/log`.

mod answers;
mod bench;
mod fields;
mod framing;
mod targets;
