//! What a connection to a server is made of: a socket of the network or of the machine, with TLS or bare.

use std::io;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::Secure;
use crate::either::either_stream;
use crate::resolve::{Addr, Known};

/// A connection to a server.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over the network.
    Tcp(TcpStream),
    /// To a socket in the file system.
    Unix(UnixStream),
    /// With TLS. Boxed: what TLS has to remember is large.
    Tls(Box<TlsStream<Bare>>),
}

/// A connection without TLS.
#[derive(Debug)]
pub(crate) enum Bare {
    /// Over the network.
    Tcp(TcpStream),
    /// To a socket in the file system.
    Unix(UnixStream),
}

impl Stream {
    /// Connects to a server.
    pub(super) async fn open(
        known: &Known,
        secure: Option<&Secure>,
        http2: bool,
    ) -> io::Result<Self> {
        let bare = match &known.addr {
            Addr::Tcp(addr) => {
                let stream = TcpStream::connect(addr).await?;
                // A request is written whole and its answer awaited: never hold it back for a fuller
                // packet.
                stream.set_nodelay(true)?;
                Bare::Tcp(stream)
            }
            Addr::Unix(path) => Bare::Unix(UnixStream::connect(path).await?),
        };
        let Some(secure) = secure else {
            return Ok(match bare {
                Bare::Tcp(stream) => Self::Tcp(stream),
                Bare::Unix(stream) => Self::Unix(stream),
            });
        };
        let name = match &secure.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(known.host.to_string()).map_err(io::Error::other)?,
        };
        let stream = TlsConnector::from(secure.client(http2)).connect(name, bare).await?;
        if http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("the server does not speak HTTP/2"));
        }
        Ok(Self::Tls(Box::new(stream)))
    }
}

either_stream!(Stream, Tcp, Unix, Tls);
either_stream!(Bare, Tcp, Unix);
