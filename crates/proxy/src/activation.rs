//! Listeners that a service manager has opened for this process (`LISTEN_FDS`, see sd_listen_fds(3)).
//!
//! The manager keeps them as well: while the proxy is restarted, connections wait there instead of being refused.
//! So all workers accept at the very same socket, and none of their own is opened beside it.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use crate::config::Config;
use crate::handover::Estate;

/// Takes the listeners that were passed to this process, for the addresses of the configuration. Others are closed,
/// with a word in the log. To be called before there is a second thread.
///
/// # Errors
/// The system's word.
pub fn inherit(config: &Config, admin: Option<SocketAddr>) -> std::io::Result<Estate> {
    let mut estate = Estate::default();
    // They are for whoever has this number, and nobody else.
    if std::env::var_os("LISTEN_PID").is_none_or(|pid| pid.is_empty()) {
        return Ok(estate);
    }
    let wanted = config.server.addresses();
    let mut passed = ListenFd::from_env();
    for place in 0..passed.len() {
        let listener = match passed.take_tcp_listener(place) {
            Ok(Some(listener)) => listener,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%error, "a socket that was passed to the proxy is of no use");
                continue;
            }
        };
        let addr = listener.local_addr()?;
        if !socket_acceptconn(&listener)? {
            tracing::warn!(%addr, "a socket that was passed to the proxy does not listen");
        } else if wanted.contains(&addr) {
            listener.set_nonblocking(true)?;
            give(&mut estate, addr, listener, config.server.workers)?;
        } else if admin == Some(addr) {
            listener.set_nonblocking(true)?;
            estate.set_admin(addr, listener);
        } else {
            tracing::warn!(%addr, "a listener was passed to the proxy, but no address of [server] listen is the same");
        }
    }
    Ok(estate)
}

/// The same socket for each worker.
fn give(
    estate: &mut Estate,
    addr: SocketAddr,
    listener: TcpListener,
    workers: usize,
) -> std::io::Result<()> {
    for _ in 1..workers {
        estate.add(addr, listener.try_clone()?);
    }
    estate.add(addr, listener);
    Ok(())
}
