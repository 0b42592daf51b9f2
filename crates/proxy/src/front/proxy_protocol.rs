//! The PROXY header, version 1 and 2: what a TCP balancer in front of this proxy says about the client
//! (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>).
//!
//! Not a byte behind the header is taken: what follows may be TLS as well as HTTP.

use std::io;
use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest header of version 1, with its line end.
const LONGEST_V1: usize = 107;
/// The longest header of version 2 that is taken: addresses, and room for what balancers add to them.
const LONGEST_V2: usize = 4096;
/// What comes before the length in version 2, and the length.
const START_V2: usize = 16;
const MARK_V1: &[u8] = b"PROXY ";

/// Why a connection has no usable header.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It begins with something else.
    #[error("it does not begin with a PROXY header")]
    Missing,
    /// It begins with one that makes no sense.
    #[error("its PROXY header is malformed")]
    Malformed,
    /// The header is longer than any that is needed.
    #[error("its PROXY header is too long")]
    TooLong,
    /// The connection ended.
    #[error("it ended before its PROXY header did: {0}")]
    Io(#[from] io::Error),
}

/// Reads the header; gives the client's address unless it tells none (a health check of the balancer's
/// own, say): then the client is who connected.
pub(crate) async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, Fault> {
    let mut header = Vec::new();
    loop {
        let mut ahead = [0; 256];
        let count = stream.peek(&mut ahead).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let had = header.len();
        header.extend_from_slice(&ahead[..count]);
        let extent = extent(&header)?;
        if let Some(length) = extent {
            header.truncate(length);
        }
        stream.read_exact(&mut ahead[..header.len() - had]).await?;
        if extent.is_some() {
            return parse(&header);
        }
    }
}

/// The header that these bytes begin with, once all of it is there: its length, and the client's address if it
/// tells one.
///
/// # Errors
/// [`Fault`]: whatever else comes, it is no header.
pub fn told(bytes: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, Fault> {
    match extent(bytes)? {
        Some(length) => Ok(Some((length, parse(&bytes[..length])?))),
        None => Ok(None),
    }
}

/// How long the header is that these bytes begin with, once all of it is there.
fn extent(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let begins = |mark: &[u8]| {
        let common = mark.len().min(bytes.len());
        bytes[..common] == mark[..common]
    };
    if begins(v2::PROTOCOL_PREFIX) {
        let Some(start) = bytes.first_chunk::<START_V2>() else { return Ok(None) };
        let length = START_V2 + usize::from(u16::from_be_bytes([start[14], start[15]]));
        if length > LONGEST_V2 {
            return Err(Fault::TooLong);
        }
        return Ok((bytes.len() >= length).then_some(length));
    }
    if begins(MARK_V1) {
        let head = &bytes[..bytes.len().min(LONGEST_V1)];
        return match head.iter().position(|&byte| byte == b'\n') {
            Some(at) => Ok(Some(at + 1)),
            None if head.len() == LONGEST_V1 => Err(Fault::TooLong),
            None => Ok(None),
        };
    }
    Err(Fault::Missing)
}

/// The client's address in a whole header.
fn parse(header: &[u8]) -> Result<Option<SocketAddr>, Fault> {
    if header.starts_with(MARK_V1) {
        let header = v1::Header::try_from(header).map_err(|_| Fault::Malformed)?;
        return Ok(match header.addresses {
            v1::Addresses::Tcp4(told) => Some((told.source_address, told.source_port).into()),
            v1::Addresses::Tcp6(told) => Some((told.source_address, told.source_port).into()),
            v1::Addresses::Unknown => None,
        });
    }
    let header = v2::Header::try_from(header).map_err(|_| Fault::Malformed)?;
    if header.command == v2::Command::Local || header.protocol != v2::Protocol::Stream {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(told) => Some((told.source_address, told.source_port).into()),
        v2::Addresses::IPv6(told) => Some((told.source_address, told.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Option<SocketAddr>, Fault> {
        told(bytes)?.map(|(_, client)| client).ok_or(Fault::Malformed)
    }

    #[test]
    fn both_versions_tell_the_source() {
        let told = |bytes: &[u8]| read_all(bytes).unwrap().map(|address| address.to_string());
        assert_eq!(
            told(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET /").as_deref(),
            Some("192.0.2.7:4711")
        );
        assert_eq!(
            told(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n").as_deref(),
            Some("[2001:db8::7]:4711")
        );
        assert_eq!(told(b"PROXY UNKNOWN\r\n"), None);
        let mut two = v2::PROTOCOL_PREFIX.to_vec();
        two.extend([0x21, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 0xbb]);
        assert_eq!(told(&two).as_deref(), Some("192.0.2.7:4711"));
        two[12] = 0x20;
        assert_eq!(told(&two), None, "the balancer's own check");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let mut long = v2::PROTOCOL_PREFIX.to_vec();
        long.extend([0x21, 0x11, 0xff, 0xff]);
        let mut version = v2::PROTOCOL_PREFIX.to_vec();
        version.extend([0x31, 0x11, 0, 0]);
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in [
            b"GET / HTTP/1.1\r\n".as_slice(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
            b"PROXY TCP4 192.0.2.777 198.51.100.1 4711 443\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n",
            b"PROXY tcp4 192.0.2.7 198.51.100.1 4711 443\r\n",
            &long,
            &version,
            &endless,
        ] {
            assert!(read_all(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), mark in 0..3) {
            let bytes = match mark {
                0 => bytes,
                1 => [MARK_V1, &bytes].concat(),
                _ => [v2::PROTOCOL_PREFIX, &bytes].concat(),
            };
            let _ = read_all(&bytes);
        }
    }
}
