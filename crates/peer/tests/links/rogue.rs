//! Another implementation at the other end, which need not keep the rules: str0m with its own reading and writing of
//! SDP, and a hand for whatever is to be sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer::identity::DeviceKey;
use peer::links::Remote;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::PeerId;
use wire::p2p::{Frame, MESSAGES, PROTOCOL, cut};
use wire::signal::{Description, LinkStatement, Role, Signal, Signalling};

use crate::support::{PATIENCE, Switchboard};

/// One end of a link that somebody else programmed.
pub(crate) struct Rogue {
    pub(crate) me: Remote,
    pub(crate) rtc: Rtc,
    pub(crate) msg: ChannelId,
    key: Arc<DeviceKey>,
    socket: UdpSocket,
    local: SocketAddr,
    signals: mpsc::UnboundedReceiver<Signalling>,
    pending: Option<SdpPendingOffer>,
    open: bool,
    heard: Vec<Vec<u8>>,
    closed: bool,
}

/// How the channel for frames is made by whoever keeps the rules.
pub(crate) fn agreed(label: &str) -> ChannelConfig {
    ChannelConfig { label: label.to_owned(), protocol: PROTOCOL.to_owned(), ..Default::default() }
}

impl Rogue {
    /// One that offers a link: its name comes first. `forge` may change what it says of its certificate before that
    /// is signed.
    pub(crate) async fn offer(
        board: &Switchboard,
        to: &Remote,
        msg: ChannelConfig,
        forge: impl FnOnce(String) -> String,
    ) -> Self {
        let key = Arc::new(DeviceKey::generate());
        let me = Remote { peer: PeerId::parse("a-rogue").unwrap(), device: key.device() };
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().set_fingerprint_verification(false).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap()).unwrap();
        let mut changes = rtc.sdp_api();
        let msg = changes.add_channel_with_config(msg);
        let (offer, pending) = changes.apply().unwrap();
        let sdp = forge(offer.to_sdp_string());
        let signals = board.tap(&me);
        let session = 1_700_000_000_000;
        let own = wire::signal::fingerprint(&sdp).unwrap();
        let statement = LinkStatement {
            role: Role::Offer,
            session,
            from: (&me.peer, me.device),
            to: (&to.peer, to.device),
            own: &own,
            offered: None,
        };
        let signature = key.sign(&statement.text());
        let public_key = key.public_key().to_owned();
        let offer = Signal::Offer(Description { sdp, public_key, signature });
        let mut rogue = Self {
            me,
            rtc,
            msg,
            key,
            socket,
            local,
            signals,
            pending: Some(pending),
            open: false,
            heard: Vec::new(),
            closed: false,
        };
        board.put(rogue.signal(to, session, offer));
        let answer = timeout(PATIENCE, async {
            loop {
                let signal = rogue.signals.recv().await.unwrap();
                if let Signal::Answer(answer) = signal.signal {
                    return answer;
                }
            }
        });
        let answer = answer.await.expect("an answer");
        // What our own SDP says has to make sense to another reader of SDP.
        let answer = SdpAnswer::from_sdp_string(&answer.sdp).unwrap();
        let pending = rogue.pending.take().unwrap();
        rogue.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        rogue
    }

    /// One that has opened the channel for frames, as agreed.
    pub(crate) async fn open(board: &Switchboard, to: &Remote) -> Self {
        let mut rogue = Self::offer(board, to, agreed(MESSAGES), |sdp| sdp).await;
        let opened = async {
            while !rogue.open {
                rogue.step(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, opened).await.expect("a channel");
        rogue
    }

    /// One that has said hello, and heard it.
    pub(crate) async fn greeted(board: &Switchboard, to: &Remote) -> Self {
        let mut rogue = Self::open(board, to).await;
        rogue.say(r#"{"t":"hello","version":1,"agent":"rogue"}"#).await;
        let heard = rogue.hear().await;
        assert!(matches!(heard, Frame::Hello { version: 1, .. }), "{heard:?}");
        rogue
    }

    /// Signs nothing; says who it is.
    pub(crate) fn signal(&self, to: &Remote, session: u64, signal: Signal) -> Signalling {
        Signalling {
            from: self.me.peer.clone(),
            from_device: self.key.device(),
            to: to.peer.clone(),
            to_device: to.device,
            session,
            signal,
        }
    }

    /// Sends a frame.
    pub(crate) async fn say(&mut self, json: &str) {
        for piece in cut(json.as_bytes()) {
            self.write(self.msg, true, &piece).await;
        }
    }

    /// Sends a message, unless the other side has closed.
    pub(crate) async fn write(&mut self, channel: ChannelId, binary: bool, message: &[u8]) {
        let end = Instant::now() + PATIENCE;
        while !self.closed && self.rtc.is_alive() && Instant::now() < end {
            let Some(mut open) = self.rtc.channel(channel) else { break };
            match open.write(binary, message) {
                Ok(false) => self.step(Duration::from_millis(5)).await,
                Ok(true) | Err(_) => break,
            }
        }
        self.step(Duration::ZERO).await;
    }

    /// The next frame.
    pub(crate) async fn hear(&mut self) -> Frame {
        let heard = async {
            while self.heard.is_empty() {
                self.step(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, heard).await.expect("a frame");
        let message = self.heard.remove(0);
        serde_json::from_slice(&message[1..]).unwrap()
    }

    /// Runs for a while: sends what is to be sent, takes what comes.
    pub(crate) async fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.closed {
            self.step(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the other side has hung up.
    pub(crate) async fn ended(&mut self) {
        let ended = async {
            while !self.closed {
                self.step(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, ended).await.expect("the other side hangs up");
    }

    /// Goes on from another port.
    pub(crate) async fn move_house(&mut self) {
        self.socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        self.local = self.socket.local_addr().unwrap();
        self.rtc.add_local_candidate(Candidate::host(self.local, "udp").unwrap());
    }

    async fn step(&mut self, wait: Duration) {
        let next = loop {
            let Ok(output) = self.rtc.poll_output() else {
                self.closed = true;
                return;
            };
            match output {
                Output::Timeout(at) => break at,
                Output::Transmit(datagram) => {
                    let _ = self.socket.send_to(&datagram.contents, datagram.destination).await;
                }
                Output::Event(Event::ChannelOpen(id, _)) => self.open |= id == self.msg,
                Output::Event(Event::ChannelData(data)) if data.id == self.msg => {
                    self.heard.push(data.data);
                }
                Output::Event(Event::Closed | Event::ChannelClose(_)) => self.closed = true,
                Output::Event(_) => {}
            }
        };
        let wait = wait.min(next.saturating_duration_since(Instant::now()));
        let mut buffer = vec![0; 2000];
        let received =
            timeout(wait.max(Duration::from_millis(1)), self.socket.recv_from(&mut buffer));
        if let Ok(Ok((size, source))) = received.await {
            if let Ok(datagram) = Receive::new(Protocol::Udp, source, self.local, &buffer[..size]) {
                let _ = self.rtc.handle_input(Input::Receive(Instant::now(), datagram));
            }
        } else {
            let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
        }
    }
}
