//! Port numbers for programs that are killed and come back.
//!
//! A port from the kernel's ephemeral range could be taken by any outgoing connection while its program
//! is down. So these lie below that range, and a locked file keeps parallel tests off each other's.

use std::fs::File;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 21_000;
const COUNT: u16 = 10_000;

/// A port that nobody else gets as long as this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: File,
}

impl Port {
    /// Claims a free port.
    ///
    /// # Panics
    /// When there is none.
    pub fn claim() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("hybrid-chat-test-ports");
        std::fs::create_dir_all(&folder).unwrap();
        // Processes start at different places so that they seldom meet.
        let start = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).unwrap();
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + (start.wrapping_add(step) % COUNT);
            let claim = File::create(folder.join(number.to_string())).unwrap();
            if claim.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self { number, _claim: claim };
            }
        }
        panic!("no free port between {FIRST} and {}", FIRST + COUNT);
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:NUMBER`
    pub fn local(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
