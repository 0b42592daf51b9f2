//! The reverse proxy: routes by host and path, asks backend-auth, streams everything.
//!
//! # Layout
//! What is configured:
//! - [`config`]: proxy.conf, read and checked.
//! - [`check`]: the text of `proxy check`; [`explain`]: that of `proxy routes`.
//!
//! What is decided about a request; pure:
//! - [`guard`]: where it ends, and what of it may reach the parser.
//! - [`target`]: its host and path, in one canonical form.
//! - [`routes`]: host and path to route.
//! - [`route`]: what one route asks of a request, and what becomes of it.
//! - [`headers`]: what is taken out and put in on the way through; `trace`: which trace it belongs to.
//!
//! What moves it:
//! - `forward`: one request from head to answer; the file to read first.
//! - `auth`: asks who sent it, and remembers.
//! - `rate`: who asked how often, in one table for all workers.
//! - `body`: bodies passed on piece by piece.
//! - `upgrade`: WebSocket tunnels.
//! - `either`: streams of bytes of several kinds; `scratch`: what they are read into.
//! - `chunks`: where the data of a chunked body is.
//! - `error`: what can go wrong, and the one table of answers.
//!
//! Where it goes:
//! - `upstream`: the servers of one name; `balance`: which of them is next.
//! - `pool`, `link`: the connections to one server; one connection. `queue`: who waits for one.
//! - `resolve`, `health`: which addresses there are, and which of them are well.
//!
//! How clients connect:
//! - `front`: what happens on a connection before its first request.
//!
//! What runs it:
//! - [`server`]: [`Proxy`], its threads; another configuration while it runs.
//! - [`handover`]: another binary in place of this one; [`activation`]: listeners from a service manager.
//! - [`follow`]: when to read proxy.conf again.
//! - `worker`: one thread: listeners, connections, drain.
//! - `lock`: how mutexes are locked.
//! - `plan`: a configuration with what workers share of it; `site`: as one worker serves it.
//! - `watch`: deadlines without timers.
//! - [`log`], `stats`: one line a request, and counters.

pub mod activation;
mod auth;
mod balance;
mod body;
pub mod check;
mod chunks;
pub mod config;
mod either;
mod error;
pub mod explain;
pub mod follow;
mod forward;
mod front;
pub mod guard;
pub mod handover;
pub mod headers;
mod health;
mod link;
mod lock;
pub mod log;
mod plan;
mod pool;
mod queue;
mod rate;
mod resolve;
pub mod route;
pub mod routes;
mod scratch;
pub mod server;
mod site;
mod stats;
pub mod target;
mod trace;
mod upgrade;
mod upstream;
mod watch;
mod worker;

pub use config::Config;
pub use front::certificates::CertificateError;
pub use front::{frames, proxy_protocol};
pub use link::answer;
pub use resolve::Lookup;
pub use server::{Options, Proxy};
