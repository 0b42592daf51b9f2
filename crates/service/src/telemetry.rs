//! The log of a program.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::args::{LogArgs, LogFormat};

/// Starts logging to standard error. Call it once, first thing.
///
/// # Errors
/// When `--log-level` is not a filter.
pub fn init(args: &LogArgs) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&args.log_level)?;
    let terminal = std::io::stderr().is_terminal();
    let json = match args.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal && !json);
    if json {
        builder.json().flatten_event(true).init();
    } else {
        builder.init();
    }
    Ok(())
}
