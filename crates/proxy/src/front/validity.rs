//! Until when a certificate is good (RFC 5280 §4.1.2.5).

use jiff::{SignedDuration, Timestamp};
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag, parse_der};

/// Whoever renews certificates should have done so by then.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What there is to say about the end of a certificate: it has passed or comes soon.
pub(crate) fn remark(certificate: &[u8], now: Timestamp) -> Option<String> {
    let end = end(certificate)?;
    let day = end.strftime("%Y-%m-%d");
    let left = end.duration_since(now);
    if left.is_negative() {
        return Some(format!("it expired on {day}: clients refuse it"));
    }
    let days = left.as_hours() / 24;
    (left < SOON).then(|| format!("it expires in {days} days, on {day}"))
}

/// The last moment of a certificate; `None` if it can't be read, which whoever uses it will say.
fn end(certificate: &[u8]) -> Option<Timestamp> {
    parse_der(certificate, |reader| {
        reader.read_sequence(|certificate| {
            let end = certificate.next().read_sequence(|signed| {
                // The version, which the first one didn't have.
                signed.read_optional(|reader| {
                    reader.read_tagged(Tag::context(0), |version| version.read_der())
                })?;
                for _serial_algorithm_issuer in 0..3 {
                    signed.next().read_der()?;
                }
                let end = signed.next().read_sequence(|validity| {
                    validity.next().read_der()?;
                    time(validity.next())
                })?;
                rest(signed)?;
                Ok(end)
            })?;
            rest(certificate)?;
            Ok(end)
        })
    })
    .ok()
    .and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// Either kind of time, in seconds.
fn time(reader: BERReader<'_, '_>) -> ASN1Result<i64> {
    if reader.lookahead_tag()? == yasna::tags::TAG_UTCTIME {
        Ok(reader.read_utctime()?.datetime().unix_timestamp())
    } else {
        Ok(reader.read_generalized_time()?.datetime().unix_timestamp())
    }
}

/// Skips what is left.
fn rest(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while reader.read_optional(|skipped| skipped.read_der())?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 3, 20);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn an_end_that_has_passed_or_is_near_is_told() {
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        let one = certificate(2031);
        assert_eq!(remark(&one, now("2031-03-05T00:00:00Z")), None);
        let near = remark(&one, now("2031-03-10T12:00:00Z"));
        assert_eq!(near.as_deref(), Some("it expires in 9 days, on 2031-03-20"));
        let past = remark(&one, now("2031-03-20T00:00:01Z")).unwrap();
        assert!(past.starts_with("it expired on 2031-03-20"), "{past}");
        // Behind 2049 it is written in another way.
        let far = certificate(2070);
        assert_eq!(remark(&far, now("2031-03-05T00:00:00Z")), None);
        assert!(remark(&far, now("2070-03-19T00:00:00Z")).unwrap().contains("in 1 days"));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let whole = certificate(2031);
        let now = Timestamp::from_second(4_000_000_000).unwrap();
        for length in 0..whole.len() {
            assert_eq!(remark(&whole[..length], now), None);
        }
        for at in 0..60 {
            let mut bent = whole.clone();
            bent[at] ^= 0x55;
            remark(&bent, now);
        }
    }
}
