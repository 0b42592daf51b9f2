//! Flags that all programs share.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};

/// Exit code for bad usage or bad configuration, given before any port is bound.
pub const USAGE: u8 = 2;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Text when standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One line of text for people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Logging flags.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto, global = true)]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter such as `info,proxy=debug`.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: String,
}

/// The address of the admin listener.
#[derive(Debug, Clone, Args)]
pub struct AdminArgs {
    /// Serve /metrics, /health and /ready on this address too (off unless set), e.g. 127.0.0.1:9100.
    #[arg(long, env = "ADMIN", value_name = "IP:PORT")]
    pub admin: Option<SocketAddr>,
}

/// Joins an address and a port given as two flags.
pub fn socket_addr(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip, port)
}

/// `90s`, `15m`, `24h`, `7d`, `250ms`, or plain seconds.
///
/// # Errors
/// Says what is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a duration: use e.g. 90s, 15m, 24h or 7d"))?;
    let scale = match &text[digits.len()..] {
        "ms" => return Ok(Duration::from_millis(count)),
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        unit => return Err(format!("unknown unit {unit:?}: use ms, s, m, h or d")),
    };
    count.checked_mul(scale).map(Duration::from_secs).ok_or_else(|| format!("{text} is too long"))
}

/// Parses the command line, or ends the program: code 0 after `--help` and `--version`,
/// [`USAGE`] and one line on standard error after a mistake.
pub fn parse<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        eprintln!("{}", one_line(&error));
        std::process::exit(i32::from(USAGE));
    })
}

/// Prints `error: …` on standard error and gives the exit code for bad usage or configuration.
pub fn usage_error(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(USAGE)
}

/// Folds clap's paragraph (message, tip, usage) to the message and the tip.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let kept: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    format!("{} (see --help)", kept.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Sample {
        #[command(flatten)]
        log: LogArgs,
        #[arg(long)]
        port: Option<u16>,
    }

    #[test]
    fn durations_have_units_and_refuse_nonsense() {
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("soon").is_err() && duration("3w").is_err() && duration("").is_err());
    }

    #[test]
    fn a_usage_error_is_one_line_that_names_the_flag() {
        let error = Sample::try_parse_from(["sample", "--port", "many"]).unwrap_err();
        let line = one_line(&error);
        assert!(!line.contains('\n'), "{line}");
        assert!(line.contains("--port") && line.contains("many"), "{line}");
    }
}
