//! A packet capture, and the search for what must not be in it.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;

use crate::eventually;
use crate::program::{Program, Recipe};

/// Every packet on every interface of the test's machine, from start to [`Capture::stop`].
#[derive(Debug)]
pub struct Capture {
    tcpdump: Program,
    file: PathBuf,
}

/// What was captured.
#[derive(Debug)]
pub struct Packets {
    bytes: Vec<u8>,
}

impl Capture {
    /// Starts, and listens when this returns.
    ///
    /// # Panics
    /// When tcpdump can't be started.
    pub async fn start(folder: &Path) -> Self {
        let file = folder.join(format!("{}.pcap", uuid::Uuid::new_v4()));
        // 32 MiB wait for tcpdump in the kernel while the machine is busy.
        let recipe = Recipe::new("tcpdump", folder)
            .args([
                "-n",
                "-U",
                "--immediate-mode",
                "-Z",
                "root",
                "-i",
                "any",
                "-s",
                "0",
                "-B",
                "32768",
                "-w",
            ])
            .args([&file]);
        let tcpdump = Program::start("tcpdump", recipe, "listening on any").await;
        Self { tcpdump, file }
    }

    /// Ends, with all that was seen until now.
    ///
    /// # Panics
    /// When packets were missed: then nothing could be said about them.
    pub async fn stop(mut self) -> Packets {
        self.reach_now().await;
        self.tcpdump.signal(Signal::INT);
        self.tcpdump.ended().await;
        let log = self.tcpdump.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture has gaps:\n{log}");
        Packets { bytes: std::fs::read(self.file).unwrap() }
    }

    /// Waits until a packet that is sent now is in the file: then so are all before it.
    async fn reach_now(&self) {
        let fence = uuid::Uuid::new_v4().to_string();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // To itself, so that nobody has to refuse it.
        socket.send_to(fence.as_bytes(), socket.local_addr().unwrap()).await.unwrap();
        let mut file = tokio::fs::File::open(&self.file).await.unwrap();
        let mut tail = Vec::new();
        let tail = Mutex::new((&mut file, &mut tail));
        eventually("the capture sees what is sent now", || async {
            let (file, tail) = &mut *tail.lock().await;
            file.read_to_end(tail).await.unwrap();
            let found = tail.windows(fence.len()).any(|window| window == fence.as_bytes());
            // What was searched needn't be searched again.
            tail.drain(..tail.len().saturating_sub(fence.len()));
            found.then_some(())
        })
        .await;
    }
}

impl Packets {
    /// How often a text went by, in the clear or masked as a WebSocket's client masks (RFC 6455 §5.3).
    ///
    /// # Panics
    /// When the text is too short to mean anything.
    pub fn count(&self, text: &str) -> usize {
        assert!(text.len() >= 12, "{text:?} could be there by chance");
        // The mask is four bytes, repeated: what a byte and the fourth after it differ by doesn't show it.
        let needle = differences(text.as_bytes());
        differences(&self.bytes).windows(needle.len()).filter(|window| *window == needle).count()
    }

    /// Bytes in all, heads of packets included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

fn differences(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().zip(bytes.iter().skip(4)).map(|(one, fourth)| one ^ fourth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_the_clear_and_under_any_mask() {
        let text = "a marker of some length";
        for mask in [[0; 4], [1, 2, 3, 4], [0xff, 0, 0x80, 7]] {
            let mut bytes = b"before".to_vec();
            bytes.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            bytes.extend(b"after");
            assert_eq!(Packets { bytes }.count(text), 1);
        }
        let packets = Packets { bytes: b"another marker of some length".to_vec() };
        assert_eq!(packets.count("no marker of some length"), 0);
    }
}
