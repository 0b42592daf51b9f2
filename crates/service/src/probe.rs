//! Asks a running program whether it is alive: the `health` subcommand that containers call, since a
//! small image has no curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks `GET /health` at `addr` (an unspecified address means this machine).
///
/// # Errors
/// What happened instead of a 200.
pub fn health(addr: SocketAddr) -> Result<(), String> {
    let addr = reachable(addr);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            format!("GET /health HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut head = [0; 64];
        let mut filled = 0;
        while filled < head.len() && !head[..filled].contains(&b'\n') {
            match stream.read(&mut head[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(String::from_utf8_lossy(&head[..filled]).lines().next().unwrap_or_default().to_owned())
    };
    match ask() {
        Ok(line) if line.starts_with("HTTP/1.1 200") => Ok(()),
        Ok(line) => Err(format!("{addr} answered {line:?}")),
        Err(error) => Err(format!("{addr} did not answer: {error}")),
    }
}

/// [`health`] as the end of a program: code 0, or one line and code 1.
pub fn exit_code(addr: SocketAddr) -> ExitCode {
    match health(addr) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("unhealthy: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_is_unhealthy_and_named() {
        let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(health(addr).unwrap_err().contains(&addr.to_string()));
    }

    #[test]
    fn only_a_200_is_healthy() {
        for (status, healthy) in [("200 OK", true), ("503 Service Unavailable", false)] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 512]).unwrap();
                stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).unwrap();
            });
            assert_eq!(health(addr).is_ok(), healthy);
            server.join().unwrap();
        }
    }
}
