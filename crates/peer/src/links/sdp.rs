//! The little of SDP (RFC 8866, RFC 8839, RFC 8841, RFC 8842) that a link of data channels needs: one m-line, whose
//! transport is DTLS and SCTP over ICE.
//!
//! What the other side sends is reduced to a handful of checked values; nothing else of its text is looked at.

use std::fmt::Write;

use wire::p2p::CANDIDATES_WAITING;

/// Bytes of an m-line's name at most.
const MID_BYTES: usize = 32;
/// The one SCTP port (RFC 8841 §5.2's default).
const SCTP_PORT: &str = "5000";

/// Which side begins the DTLS handshake (RFC 8842 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// The describing side does either: an offer.
    Either,
    /// The describing side begins.
    Active,
    /// The describing side waits.
    Passive,
}

/// What a description says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sdp {
    /// ICE's user name (RFC 8839 §5.4).
    pub(super) ufrag: String,
    /// ICE's password.
    pub(super) password: String,
    /// `sha-256 ` and the DTLS certificate's fingerprint.
    pub(super) fingerprint: String,
    /// Who begins DTLS.
    pub(super) setup: Setup,
    /// The m-line's name: an answer repeats the offer's.
    pub(super) mid: String,
    /// Candidate lines, from `candidate:` on.
    pub(super) candidates: Vec<String>,
}

/// Why a description is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no description of a link: {0}")]
pub(super) struct SdpError(&'static str);

impl SdpError {
    /// The fingerprint is none.
    pub(super) const FINGERPRINT: Self = Self("its fingerprint can't be read");
    /// DTLS can't begin.
    pub(super) const DTLS: Self = Self("DTLS can't begin");
}

impl Sdp {
    /// Reads a description.
    pub(super) fn parse(text: &str) -> Result<Self, SdpError> {
        let lines = || text.lines().map(str::trim_end);
        let value = |name: &str| lines().find_map(|line| line.strip_prefix(name));
        let mut media = lines().filter_map(|line| line.strip_prefix("m="));
        match (media.next(), media.next()) {
            (Some(line), None) if is_data_channels(line) => {}
            _ => return Err(SdpError("it has to have one m-line, for data channels")),
        }
        let ufrag = value("a=ice-ufrag:").filter(|text| is_ice(text, 4));
        let password = value("a=ice-pwd:").filter(|text| is_ice(text, 22));
        let setup = match value("a=setup:") {
            Some("actpass") => Setup::Either,
            Some("active") => Setup::Active,
            Some("passive") => Setup::Passive,
            _ => return Err(SdpError("a=setup is missing or unknown")),
        };
        if value("a=sctp-port:").is_some_and(|port| port != SCTP_PORT) {
            return Err(SdpError("an SCTP port other than 5000"));
        }
        Ok(Self {
            ufrag: ufrag.ok_or(SdpError("a=ice-ufrag is missing or wrong"))?.to_owned(),
            password: password.ok_or(SdpError("a=ice-pwd is missing or wrong"))?.to_owned(),
            fingerprint: wire::signal::fingerprint(text)
                .ok_or(SdpError("a=fingerprint is missing, ambiguous or no SHA-256"))?,
            setup,
            mid: value("a=mid:").filter(|mid| is_token(mid)).unwrap_or("0").to_owned(),
            candidates: lines()
                .filter_map(|line| line.strip_prefix("a="))
                .filter(|line| line.starts_with("candidate:"))
                .take(CANDIDATES_WAITING)
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Writes a description. `session` numbers it (RFC 8866 §5.2).
    pub(super) fn write(&self, session: u64) -> String {
        let mid = &self.mid;
        let setup = match self.setup {
            Setup::Either => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
        };
        let mut sdp = format!(
            "v=0\r\n\
             o=- {session} 1 IN IP4 0.0.0.0\r\n\
             s=-\r\n\
             t=0 0\r\n\
             a=group:BUNDLE {mid}\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
             c=IN IP4 0.0.0.0\r\n"
        );
        let rest = [
            ("mid", mid.as_str()),
            ("ice-ufrag", &self.ufrag),
            ("ice-pwd", &self.password),
            ("ice-options", "trickle"),
            ("fingerprint", &self.fingerprint),
            ("setup", setup),
            ("sctp-port", SCTP_PORT),
            ("max-message-size", "262144"),
        ];
        for (name, value) in rest {
            // Writing into a String can't fail.
            let _ = write!(sdp, "a={name}:{value}\r\n");
        }
        for candidate in &self.candidates {
            let _ = write!(sdp, "a={candidate}\r\n");
        }
        sdp
    }
}

fn is_data_channels(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.next() == Some("application")
        && words.nth(1).is_some_and(|transport| transport.ends_with("DTLS/SCTP"))
        && words.next() == Some("webrtc-datachannel")
}

/// `ice-char`s (RFC 8839 §5.4), at least so many.
fn is_ice(text: &str, least: usize) -> bool {
    (least..=256).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

/// A `token` (RFC 8866 §9), as far as anybody uses them here.
fn is_token(text: &str) -> bool {
    (1..=MID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Chromium offers for one data channel.
    const CHROMIUM: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=candidate:2163208203 1 udp 2113937151 4c4e5fa0-3a8a-4a2b-9a2f-1c3b0a7f5a55.local 53299 typ host generation 0 network-cost 999\r\na=ice-ufrag:jYV5\r\na=ice-pwd:V5rN3vGt+pOUyJ/ppGsXoqNM\r\na=ice-options:trickle\r\na=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

    #[test]
    fn a_browsers_offer_is_read() {
        let sdp = Sdp::parse(CHROMIUM).unwrap();
        assert_eq!((sdp.ufrag.as_str(), sdp.mid.as_str()), ("jYV5", "0"));
        assert_eq!(sdp.password, "V5rN3vGt+pOUyJ/ppGsXoqNM");
        assert_eq!(sdp.setup, Setup::Either);
        assert_eq!(sdp.candidates.len(), 1);
        assert!(sdp.candidates[0].contains(".local 53299"));
    }

    #[test]
    fn audio_a_second_line_and_missing_lines_are_refused() {
        let with = |from: &str, to: &str| {
            assert!(CHROMIUM.contains(from), "{from}");
            Sdp::parse(&CHROMIUM.replace(from, to))
        };
        assert!(
            with("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 RTP 0").is_err()
        );
        assert!(with("a=mid:0\r\n", "a=mid:0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n").is_err());
        for missing in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "m="] {
            assert!(with(missing, "a=x:").is_err(), "{missing}");
        }
        assert!(with("a=sctp-port:5000", "a=sctp-port:6000").is_err());
        assert!(with("jYV5", "jY 5").is_err());
        assert!(with("jYV5", &"j".repeat(257)).is_err());
    }

    #[test]
    fn a_name_that_would_break_out_of_its_line_is_not_repeated() {
        for wrong in ["a b", "", &"m".repeat(33), "ä"] {
            let text = CHROMIUM.replace("a=mid:0", &format!("a=mid:{wrong}"));
            assert_eq!(Sdp::parse(&text).unwrap().mid, "0", "{wrong}");
        }
    }

    #[test]
    fn candidates_are_bounded() {
        let many = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(1000);
        let text = format!("{CHROMIUM}{many}");
        assert_eq!(Sdp::parse(&text).unwrap().candidates.len(), CANDIDATES_WAITING);
    }

    fn sdps() -> impl Strategy<Value = Sdp> {
        let fingerprint = proptest::collection::vec(any::<u8>(), 32).prop_map(|bytes| {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("sha-256 {}", hex.join(":"))
        });
        let setup = prop_oneof![Just(Setup::Either), Just(Setup::Active), Just(Setup::Passive)];
        let candidates = proptest::collection::vec("candidate:[ -~]{0,80}[!-~]", 0..5);
        (
            "[A-Za-z0-9+/]{4,256}",
            "[A-Za-z0-9+/]{22,256}",
            fingerprint,
            setup,
            "[a-z0-9]{1,16}",
            candidates,
        )
            .prop_map(|(ufrag, password, fingerprint, setup, mid, candidates)| Sdp {
                ufrag,
                password,
                fingerprint,
                setup,
                mid,
                candidates,
            })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(sdp in sdps(), session in any::<u64>()) {
            prop_assert_eq!(Sdp::parse(&sdp.write(session)), Ok(sdp));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,400}", at in 0..CHROMIUM.len(), len in 0..40_usize) {
            let _ = Sdp::parse(&text);
            let end = (at + len).min(CHROMIUM.len());
            let _ = Sdp::parse(&format!("{}{text}{}", &CHROMIUM[..at], &CHROMIUM[end..]));
        }
    }
}
