//! HTTP/2, frame by frame.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::Client;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A frame to send.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A block of headers, none of them indexed or compressed (RFC 7541 §6.2.2).
pub(crate) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            // An integer with a prefix of seven bits.
            let mut length = text.len();
            if length < 127 {
                block.push(u8::try_from(length).unwrap());
            } else {
                block.push(127);
                length -= 127;
                while length >= 128 {
                    block.push(u8::try_from(length % 128).unwrap() | 128);
                    length /= 128;
                }
                block.push(u8::try_from(length).unwrap());
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The headers of a GET for `/`, and more.
pub(crate) fn get_block(more: &[(&str, &str)]) -> Vec<u8> {
    let mut headers =
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
    headers.extend(more);
    block(&headers)
}

/// A connection that begins with the preface and these settings.
pub(crate) async fn begin(addr: SocketAddr, settings: &[u8]) -> Client<TcpStream> {
    let mut client = Client::to(addr).await;
    client.send([PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await;
    client
}

/// The next frame that is no matter of the connection's own.
pub(crate) async fn next(client: &mut Client<TcpStream>) -> Frame {
    loop {
        let frame = any(client).await;
        if frame.kind != SETTINGS && frame.kind != WINDOW_UPDATE {
            return frame;
        }
    }
}

/// The next frame.
pub(crate) async fn any(client: &mut Client<TcpStream>) -> Frame {
    let head = client.exactly(9).await;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let payload = client.exactly(length).await;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Frame { kind: head[3], flags: head[4], stream, payload }
}
