use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

fn loopback() -> Sockets {
    Sockets::bind(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap()
}

/// Sends what was collected. Until the runtime has looked at a new socket, it is not known to have room, and everything
/// waits for that.
async fn flush(sockets: &mut Sockets) {
    sockets.flush();
    let ready = poll_fn(|context| sockets.poll_ready(context));
    // Nothing has to wait: then nothing becomes ready.
    let _ = timeout(Duration::from_millis(200), ready).await;
    sockets.flush();
}

/// Receives so many datagrams.
async fn receive(sockets: &Sockets, count: usize) -> VecDeque<(SocketAddr, Vec<u8>)> {
    let mut buffers = Buffers::new();
    let mut received = VecDeque::new();
    while received.len() < count {
        let ready = poll_fn(|context| sockets.poll_ready(context));
        timeout(Duration::from_secs(5), ready).await.expect("datagrams");
        while sockets.receive(0, &mut buffers).is_some() {
            received.extend(buffers.datagrams().map(|(from, bytes)| (from, bytes.to_vec())));
        }
    }
    received
}

#[tokio::test]
async fn datagrams_keep_their_bounds_and_order() {
    let (mut one, other) = (loopback(), loopback());
    let (from, to) = (one.addresses()[0], other.addresses()[0]);
    let sizes = [1200, 1200, 1200, 50, 1200, 1200, 1, 2, 3, 1200];
    for (number, size) in sizes.into_iter().enumerate() {
        one.send(from, to, &vec![number as u8; size]);
    }
    flush(&mut one).await;
    let received = receive(&other, sizes.len()).await;
    for (number, (size, (source, bytes))) in sizes.into_iter().zip(received).enumerate() {
        assert_eq!((source, bytes), (from, vec![number as u8; size]));
    }
}

#[tokio::test]
async fn different_destinations_get_their_own() {
    let mut one = loopback();
    let others = [loopback(), loopback()];
    let from = one.addresses()[0];
    for number in 0..6 {
        one.send(from, others[number % 2].addresses()[0], &[number as u8; 100]);
    }
    flush(&mut one).await;
    for (which, other) in others.iter().enumerate() {
        let received = receive(other, 3).await;
        assert!(received.iter().all(|(_, bytes)| usize::from(bytes[0]) % 2 == which));
    }
}

#[tokio::test]
async fn a_burst_arrives_whole() {
    let (mut one, other) = (loopback(), loopback());
    let (from, to) = (one.addresses()[0], other.addresses()[0]);
    let task = tokio::spawn(async move { receive(&other, 100).await });
    for number in 0..100 {
        one.send(from, to, &[number; 1200]);
    }
    flush(&mut one).await;
    let received = task.await.unwrap();
    assert!(received.iter().enumerate().all(|(number, (_, bytes))| bytes == &[number as u8; 1200]));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = loopback();
    let port = taken.addresses()[0].port();
    let error = Sockets::bind(Some(Ipv4Addr::LOCALHOST.into()), port).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn nothing_changes_while_the_machine_does_not() {
    let mut sockets = Sockets::bind(None, 0).unwrap();
    let before = sockets.addresses();
    assert_eq!(sockets.rescan(), Changes::default());
    assert_eq!(sockets.addresses(), before);
}

#[tokio::test]
async fn a_destination_that_nobody_reaches_is_no_failure() {
    let mut one = loopback();
    let from = one.addresses()[0];
    for to in ["127.0.0.1:1", "192.0.2.1:9", "255.255.255.255:9", "[2001:db8::1]:9"] {
        one.send(from, to.parse().unwrap(), b"hello");
    }
    flush(&mut one).await;
    // An error that came back for one of them doesn't keep others from arriving.
    let to = one.addresses()[0];
    one.send(from, to, b"me");
    flush(&mut one).await;
    assert_eq!(receive(&one, 1).await[0].1, b"me");
}
