//! How a connection comes to be: an offer is made or answered.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use str0m::channel::ChannelConfig;
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};
use wire::p2p::{MESSAGES, PROTOCOL};

use super::super::dtls::Early;
use super::super::files::Files;
use super::super::frames::Frames;
use super::super::sdp::{Sdp, SdpError, Setup};
use super::super::window::{MOST, Window};
use super::super::{Settings, file::FileChannels};
use super::{Connection, Scene};

/// Bytes of a datagram at most: what passes everywhere, also in a TURN server's wrapping. Nothing finds out more
/// about the path.
const DATAGRAM_BYTES: usize = 1200;
/// How long the first check of a pair of addresses waits for its answer.
const FIRST_CHECK: Duration = Duration::from_millis(250);
/// How often a path that works is checked.
const CHECK: Duration = Duration::from_millis(1500);
/// Unanswered checks after which a path is gone: 8 s after it last worked.
const CHECKS: usize = 6;
/// The m-line's name in our offers.
const MID: &str = "0";
/// Candidates in a description at most; the rest follows by signals.
const CANDIDATES: usize = 32;

/// What a connection is made with.
pub(in super::super) struct Built<'a> {
    /// The engine's number for it.
    pub(in super::super) id: u64,
    /// The session's number.
    pub(in super::super) session: u64,
    /// This device's addresses.
    pub(in super::super) locals: &'a [Candidate],
    /// What links are set up with.
    pub(in super::super) settings: &'a Settings,
    /// Where file channels come from.
    pub(in super::super) channels: &'a FileChannels,
    /// Now.
    pub(in super::super) now: Instant,
}

/// A description that is to be signed.
pub(in super::super) struct Described {
    /// The SDP.
    pub(in super::super) sdp: String,
    /// Its fingerprint.
    pub(in super::super) fingerprint: String,
}

impl Connection {
    /// A connection that is offered.
    pub(in super::super) fn offer(built: &Built<'_>) -> (Self, Described) {
        let mut connection = Self::new(built, true);
        connection.rtc.direct_api().set_ice_controlling(true);
        let described = connection.describe(built, Setup::Either, MID.to_owned());
        (connection, described)
    }

    /// A connection out of the other side's offer, which was signed for `fingerprint`.
    ///
    /// # Errors
    /// [`SdpError`].
    pub(in super::super) fn answer(
        built: &Built<'_>,
        offer: &str,
        fingerprint: &str,
    ) -> Result<(Self, Described), SdpError> {
        let offer = Sdp::parse(offer)?;
        // The offering side begins DTLS, unless it insists on waiting.
        let active = offer.setup == Setup::Passive;
        let mut connection = Self::new(built, false);
        connection.rtc.direct_api().set_ice_controlling(false);
        let setup = if active { Setup::Active } else { Setup::Passive };
        let described = connection.describe(built, setup, offer.mid.clone());
        connection.meet(&offer, fingerprint, active)?;
        Ok((connection, described))
    }

    /// The answer to the offer, signed for `fingerprint`.
    ///
    /// # Errors
    /// [`SdpError`].
    pub(in super::super) fn accept(
        &mut self,
        answer: &str,
        fingerprint: &str,
        scene: &mut Scene<'_>,
    ) -> Result<(), SdpError> {
        let answer = Sdp::parse(answer)?;
        self.meet(&answer, fingerprint, answer.setup != Setup::Active)?;
        let config = ChannelConfig {
            label: MESSAGES.to_owned(),
            protocol: PROTOCOL.to_owned(),
            ..ChannelConfig::default()
        };
        self.msg = Some(self.rtc.direct_api().create_data_channel(config));
        self.wake = scene.now;
        Ok(())
    }

    fn new(built: &Built<'_>, offering: bool) -> Self {
        Self {
            rtc: rtc(built.now),
            id: built.id,
            offering,
            fingerprint: None,
            msg: None,
            frames: Frames::default(),
            files: Files::default(),
            channels: built.channels.clone(),
            numbers: 0,
            strangers: 0,
            window: Window::new(),
            up: false,
            relays: HashSet::new(),
            sources: HashSet::new(),
            early: Some(Early::default()),
            pair: None,
            way: None,
            connected: false,
            unwell: None,
            heard: built.now,
            used: built.now,
            idle: built.settings.idle,
            agent: built.settings.agent.clone(),
            wake: built.now,
            fed: 0,
        }
    }

    fn describe(&mut self, built: &Built<'_>, setup: Setup, mid: String) -> Described {
        let mut candidates = Vec::new();
        for candidate in built.locals {
            self.remember(candidate);
            let taken = self.rtc.add_local_candidate(candidate.clone());
            candidates.extend(taken.map(Candidate::to_sdp_string));
        }
        candidates.truncate(CANDIDATES);
        let api = self.rtc.direct_api();
        let IceCreds { ufrag, pass: password } = api.local_ice_credentials();
        let fingerprint = api.local_dtls_fingerprint().to_string();
        let sdp = Sdp { ufrag, password, fingerprint, setup, mid, candidates };
        Described { sdp: sdp.write(built.session), fingerprint: sdp.fingerprint }
    }

    fn meet(&mut self, theirs: &Sdp, fingerprint: &str, active: bool) -> Result<(), SdpError> {
        let mut api = self.rtc.direct_api();
        api.set_remote_ice_credentials(IceCreds {
            ufrag: theirs.ufrag.clone(),
            pass: theirs.password.clone(),
        });
        api.set_remote_fingerprint(fingerprint.parse().map_err(|_| SdpError::FINGERPRINT)?);
        api.start_dtls(active).map_err(|_| SdpError::DTLS)?;
        api.start_sctp(active);
        self.fingerprint = Some(fingerprint.to_owned());
        for line in &theirs.candidates {
            if let Some(candidate) = super::super::candidate::parse(line) {
                self.remember(&candidate);
                self.rtc.add_remote_candidate(candidate);
            }
        }
        Ok(())
    }
}

fn rtc(now: Instant) -> Rtc {
    let mut config = RtcConfig::new()
        .clear_codecs()
        .set_mtu(DATAGRAM_BYTES..=DATAGRAM_BYTES + 100)
        .set_sctp_max_buffered_amount(2 * MOST);
    config.set_initial_stun_rto(FIRST_CHECK);
    config.set_max_stun_rto(CHECK);
    config.set_max_stun_retransmits(CHECKS);
    config.build(now)
}
