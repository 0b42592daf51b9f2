//! Where lines go.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use crate::config;

/// Where lines go.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file that all workers append to, a whole number of lines at a time.
    File(Arc<File>),
}

impl Sink {
    /// Opens what the configuration names; `None`: no log.
    pub(crate) fn open(log: &config::AccessLog) -> std::io::Result<Option<Self>> {
        Ok(Some(match log {
            config::AccessLog::Off => return Ok(None),
            config::AccessLog::Stdout => Self::Stdout,
            config::AccessLog::Stderr => Self::Stderr,
            config::AccessLog::File(path) => {
                let file = File::options().append(true).create(true).open(path)?;
                Self::File(Arc::new(file))
            }
        }))
    }

    pub(super) fn write(&self, lines: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Stdout => std::io::stdout().lock().write_all(lines),
            Self::Stderr => std::io::stderr().lock().write_all(lines),
            Self::File(file) => (&**file).write_all(lines),
        }
    }
}
