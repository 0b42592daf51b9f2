//! The end of a program: a first signal asks everyone to finish, a second one doesn't ask.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Told to everyone who has to finish. Cheap to clone.
pub type Shutdown = CancellationToken;

/// Exit code after a second signal: the drain was cut short.
const CUT_SHORT: i32 = 130;

/// Listens for SIGTERM and SIGINT from now on. The first one cancels the token (drain, then exit 0);
/// the second one ends the process at once.
///
/// Call it inside a runtime that lives as long as the program.
///
/// # Errors
/// When the signal handlers can't be installed.
pub fn on_signal() -> std::io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = Shutdown::new();
    let told = token.clone();
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if !first {
                tracing::warn!(signal = name, "second signal: ending at once");
                std::process::exit(CUT_SHORT);
            }
            first = false;
            tracing::info!(signal = name, "shutting down");
            told.cancel();
        }
    });
    Ok(token)
}
