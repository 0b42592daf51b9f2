//! Signals: how two devices agree on a link, by way of the tracker. `docs/p2p.md` tells the rules.

use serde::{Deserialize, Serialize};

use crate::PeerId;
use crate::device::DeviceId;

/// Bytes of an SDP at most.
pub const SDP_BYTES: usize = 16 * 1024;
/// Bytes of a candidate line at most.
pub const CANDIDATE_BYTES: usize = 1024;
/// The largest session number: what a JSON number holds exactly everywhere.
pub const SESSION_MAX: u64 = (1 << 53) - 1;

/// What one device tells the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Signal {
    /// From the side that may not offer: please do. The session number is the newest it has seen, or 0.
    Call,
    /// An offer.
    Offer(Description),
    /// The answer to the offer with this session number.
    Answer(Description),
    /// An ICE candidate (RFC 8839 §5.1); an empty one ends them.
    Candidate {
        /// `candidate:…`, without `a=`.
        candidate: String,
    },
    /// The session is over.
    Bye,
}

/// An SDP with the proof of who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Description {
    /// The SDP (RFC 8866).
    pub sdp: String,
    /// The device's Ed25519 key, base64url without padding.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"))]
    pub public_key: String,
    /// Over [`LinkStatement::text`], base64url without padding.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9_-]{85}[AQgw]$"))]
    pub signature: String,
}

/// `POST /chat/signal`, and the command `signal` of a WebSocket.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendSignal {
    /// Who sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PeerId>,
    /// From which of its devices.
    pub from_device: DeviceId,
    /// To whom.
    pub to: PeerId,
    /// To which device.
    pub to_device: DeviceId,
    /// The session's number, 0 to [`SESSION_MAX`].
    #[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_i64))]
    pub session: u64,
    /// What is told.
    pub signal: Signal,
}

/// Answer to [`SendSignal`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signalled {
    /// Whether the device was live. If not, the signal is gone.
    pub delivered: bool,
}

/// A signal as it arrives on a live stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signalling {
    /// Who sent it; the tracker vouches for it.
    pub from: PeerId,
    /// From which of its devices.
    pub from_device: DeviceId,
    /// To whom.
    pub to: PeerId,
    /// To which device.
    pub to_device: DeviceId,
    /// The session's number.
    pub session: u64,
    /// What is told.
    pub signal: Signal,
}

/// `GET /chat/ice`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AskIce {
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
}

/// Answer to [`AskIce`]: the servers that help to find a way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ice {
    /// The UDP port of the tracker's own STUN server, on the host under which the caller reached the tracker;
    /// `null` when it has none.
    pub stun_port: Option<u16>,
    /// STUN servers by URL (RFC 7064), where the administrator named some.
    pub stun: Vec<String>,
    /// The TURN servers, if there are any.
    pub turn: Option<Turn>,
}

/// TURN servers (RFC 8656) and credentials for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Turn {
    /// `turn:host:port?transport=udp` (RFC 7065).
    pub urls: Vec<String>,
    /// The end of its time in seconds since 1970, a colon, and the peer id.
    pub username: String,
    /// Base64 of HMAC-SHA1 over the username.
    pub credential: String,
    /// When it ends (RFC 3339, UTC).
    pub expires_at: String,
}

/// Whether a description offers or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It offers.
    Offer,
    /// It answers.
    Answer,
}

/// What the signature of a description says.
#[derive(Debug, Clone, Copy)]
pub struct LinkStatement<'a> {
    /// Offer or answer.
    pub role: Role,
    /// The session's number.
    pub session: u64,
    /// The signing side.
    pub from: (&'a PeerId, DeviceId),
    /// The other side.
    pub to: (&'a PeerId, DeviceId),
    /// The signing side's fingerprint, as [`fingerprint`] gives it.
    pub own: &'a str,
    /// The offer's fingerprint, in an answer.
    pub offered: Option<&'a str>,
}

impl LinkStatement<'_> {
    /// The bytes that are signed.
    pub fn text(&self) -> String {
        let role = match self.role {
            Role::Offer => "offer",
            Role::Answer => "answer",
        };
        format!(
            "hybrid-chat link 1\n{role}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            self.session,
            self.from.0.folded(),
            self.from.1,
            self.to.0.folded(),
            self.to.1,
            self.own,
            self.offered.unwrap_or("-"),
        )
    }
}

/// The one DTLS fingerprint of an SDP: `sha-256 ` and 32 upper-case hex bytes joined by colons. `None` when it
/// has none, several that differ, or one of another kind: an SDP with a second, unsigned one would be
/// an open door.
pub fn fingerprint(sdp: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for line in sdp.lines() {
        let Some(value) = line.trim_end().strip_prefix("a=fingerprint:") else { continue };
        let (kind, hex) = value.split_once(' ')?;
        if !kind.eq_ignore_ascii_case("sha-256") || !is_fingerprint(hex) {
            return None;
        }
        let value = format!("sha-256 {}", hex.to_ascii_uppercase());
        if found.as_ref().is_some_and(|first| *first != value) {
            return None;
        }
        found = Some(value);
    }
    found
}

fn is_fingerprint(hex: &str) -> bool {
    let mut bytes = 0;
    for byte in hex.split(':') {
        if byte.len() != 2 || !byte.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return false;
        }
        bytes += 1;
    }
    bytes == 32
}

/// Whether the first of two devices makes the offers.
pub fn offers(one: (&PeerId, DeviceId), other: (&PeerId, DeviceId)) -> bool {
    (one.0.folded(), one.1) < (other.0.folded(), other.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";

    fn sdp(lines: &[&str]) -> String {
        lines.iter().map(|line| format!("a=fingerprint:{line}\r\n")).collect()
    }

    #[test]
    fn a_fingerprint_is_found_in_one_spelling() {
        let expected = Some(format!("sha-256 {}", HEX.to_uppercase()));
        assert_eq!(fingerprint(&sdp(&[&format!("sha-256 {HEX}")])), expected);
        let upper = HEX.to_uppercase();
        let twice = [format!("SHA-256 {upper}"), format!("sha-256 {HEX}")];
        assert_eq!(fingerprint(&sdp(&[&twice[0], &twice[1]])), expected);
    }

    #[test]
    fn none_several_and_other_kinds_are_refused() {
        let other = HEX.replace("00:11", "00:12");
        assert_eq!(fingerprint("v=0\r\n"), None);
        assert_eq!(
            fingerprint(&sdp(&[&format!("sha-256 {HEX}"), &format!("sha-256 {other}")])),
            None
        );
        assert_eq!(fingerprint(&sdp(&[&format!("sha-256 {HEX}"), &format!("sha-1 {HEX}")])), None);
        assert_eq!(fingerprint(&sdp(&[&format!("sha-256 {}", &HEX[3..])])), None);
        assert_eq!(fingerprint(&sdp(&["sha-256"])), None);
    }

    #[test]
    fn the_statement_is_pinned() {
        let (alice, bob) = (PeerId::parse("Alice").unwrap(), PeerId::parse("bob").unwrap());
        let (one, two) = (DeviceId::new([1; 16]), DeviceId::new([2; 16]));
        let statement = LinkStatement {
            role: Role::Answer,
            session: 42,
            from: (&alice, one),
            to: (&bob, two),
            own: "sha-256 AA",
            offered: Some("sha-256 BB"),
        };
        let (one, two) = ("01".repeat(16), "02".repeat(16));
        assert_eq!(
            statement.text(),
            format!(
                "hybrid-chat link 1\nanswer\n42\nalice\n{one}\nbob\n{two}\nsha-256 AA\nsha-256 BB"
            )
        );
    }

    #[test]
    fn exactly_one_of_two_devices_offers() {
        let (alice, bob) = (PeerId::parse("Alice").unwrap(), PeerId::parse("bob").unwrap());
        let (one, two) = (DeviceId::new([1; 16]), DeviceId::new([2; 16]));
        assert!(offers((&alice, two), (&bob, one)) && !offers((&bob, one), (&alice, two)));
        assert!(offers((&alice, one), (&alice, two)) && !offers((&alice, two), (&alice, one)));
    }

    #[test]
    fn a_signal_reads_as_documented() {
        let signal: Signal =
            serde_json::from_str(r#"{"kind":"candidate","candidate":""}"#).unwrap();
        assert_eq!(signal, Signal::Candidate { candidate: String::new() });
        assert_eq!(serde_json::to_string(&Signal::Call).unwrap(), r#"{"kind":"call"}"#);
    }
}
