//! Tables of what a client or a server may send and what becomes of it. Each function is one of the rules of
//! HTTP, numbered as they were collected; each row is sent whole and once more byte by byte, because where a read ends must not matter.
//!
//! Rules that are about time, connections, HTTP/2 or a configuration are tests of their own, which are named after
//! their numbers all the same: the host of another certificate (R16) in `tls`, early answers (R24) in `early_answers`, 100-continue (R26) in `expectations`, tunnels (R27) in
//! `upgrade`, HTTP/2 (R28) in `http2_refusals`, retries (R30) in `retries`, floods and slow clients (R31) in
//! `http2_floods` and `slow_clients`, redirects (R32) in `own_answers`, what may stand in a log (R33) in `src/log/line.rs`.

mod answers;
mod bench;
mod fields;
mod framing;
mod targets;
