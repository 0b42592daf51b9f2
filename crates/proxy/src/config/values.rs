//! The small languages inside values: durations, sizes, endpoints, host patterns, route paths.
//!
//! Each reader returns what is wrong and what to write instead.

use std::time::Duration;

mod paths;
mod places;

pub(super) use paths::{forwarded_path, own_path, route_path};
pub(super) use places::{host_pattern, network, origin, place, server_name};

/// What is wrong with a value, and the remedy.
pub(super) type Complaint = (String, String);

fn complain<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Complaint> {
    Err((problem.into(), remedy.into()))
}

/// The longest duration that is taken: ten years, far from any overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// `250ms`, `5s`, `2m`, `1h`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, Complaint> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds: Option<u64> = match unit.trim_start() {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let remedy = "write a whole number and ms, s, m, h or d, such as \"5s\"";
    let (Ok(number), Some(unit)) = (number.parse::<u64>(), milliseconds) else {
        return complain(format!("\"{text}\" is not a duration"), remedy);
    };
    match number.checked_mul(unit).map(Duration::from_millis) {
        Some(duration) if duration <= LONGEST => Ok(duration),
        _ => complain(format!("\"{text}\" is too long"), "the longest is ten years"),
    }
}

/// `512`, `64KiB`, `10MiB`, `1GiB`.
pub(super) fn size(text: &str) -> Result<u64, Complaint> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let bytes: Option<u64> = match unit.trim_start() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    match (number.parse::<u64>().ok(), bytes) {
        (Some(number), Some(unit)) if number.checked_mul(unit).is_some() => Ok(number * unit),
        _ => complain(
            format!("\"{text}\" is not a size"),
            "write a number of bytes, or a string such as \"64KiB\", \"10MiB\" or \"1GiB\"",
        ),
    }
}

/// `50%`.
pub(super) fn percent(text: &str) -> Result<u8, Complaint> {
    let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<u8>().ok());
    match number {
        Some(number @ 0..=100) => Ok(number),
        _ => complain(
            format!("\"{text}\" is not a part of a whole"),
            "write a whole number from 0 to 100 and %, such as \"50%\"",
        ),
    }
}

/// `0%` to `100%`, with up to four places: how many of 2^32.
pub(super) fn share(text: &str) -> Result<u64, Complaint> {
    let number = text.strip_suffix('%').map(str::trim_end);
    let plain = |number: &&str| {
        let places = number.split_once('.').map_or(0, |(_, places)| places.len());
        places <= 4 && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    match number.filter(plain).and_then(|number| number.parse::<f64>().ok()) {
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            Ok((percent / 100.0 * (1_u64 << 32) as f64).round() as u64)
        }
        _ => complain(
            format!("\"{text}\" is not a share"),
            "write a number from 0 to 100 and %, such as \"5%\" or \"0.1%\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("5s", 5000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("1 s", 1000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1.5s", "5 sec", "99999999999999999999s", "9999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in
            [("512", 512), ("64KiB", 65_536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "64k", "64KB", "-1", "99999999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_are_percentages() {
        assert_eq!([percent("0%"), percent("50 %"), percent("100%")], [Ok(0), Ok(50), Ok(100)]);
        for text in ["", "%", "50", "101%", "-1%", "1.5%", "300%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        for (text, parts) in [
            ("0%", 0),
            ("100%", 1 << 32),
            ("50 %", 1 << 31),
            ("0.1%", 4_294_967),
            ("12.5%", 1 << 29),
        ] {
            assert_eq!(share(text), Ok(parts), "{text}");
        }
        for text in ["", "%", "5", "101%", "-1%", "1e1%", "NaN%", "0.00001%", "1.%.", "."] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
