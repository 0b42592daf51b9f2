//! A tracker that lies: it stands between the proxy and the real one, and changes what passes it.

use std::sync::{Arc, Mutex};

use serde_json::{Deserializer, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::neighbour::Neighbour;

/// Changes a signal on its way to a device.
type Lie = Arc<Mutex<dyn FnMut(&mut Value) + Send>>;

/// What a signal looks like where it begins.
const SIGNAL: &[u8] = br#"{"type":"signal""#;

/// The lying tracker. It tells the truth about everything but signals.
pub struct Liar {
    neighbour: Neighbour,
    tracker: Arc<Mutex<Option<String>>>,
}

impl Liar {
    /// Passes each signal through `lie` before a device gets it. The lie must be as long as the truth, since
    /// the frames around it stay as they are.
    pub async fn with(lie: impl FnMut(&mut Value) + Send + 'static) -> Self {
        let lie: Lie = Arc::new(Mutex::new(lie));
        let tracker = Arc::new(Mutex::new(None::<String>));
        let target = tracker.clone();
        let neighbour = Neighbour::listen("127.0.0.1:0", move |near| {
            let (lie, target) = (lie.clone(), target.lock().unwrap().clone());
            async move {
                // Until it knows the truth it can't lie.
                let Some(target) = target else { return Ok(()) };
                let far = TcpStream::connect(target).await?;
                let (mut near_read, near_write) = near.into_split();
                let (far_read, mut far_write) = far.into_split();
                tokio::select! {
                    end = tokio::io::copy(&mut near_read, &mut far_write) => end.map(|_| ()),
                    end = pass(far_read, near_write, lie) => end,
                }
            }
        })
        .await;
        Self { neighbour, tracker }
    }

    /// `IP:PORT`
    pub fn addr(&self) -> &str {
        self.neighbour.addr()
    }

    /// Where the real tracker is.
    ///
    /// # Panics
    /// When a relaying task did.
    pub fn knows(&self, tracker: &str) {
        *self.tracker.lock().unwrap() = Some(tracker.to_owned());
    }
}

/// Passes bytes on, signals changed.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lie: Lie) -> std::io::Result<()> {
    let mut held = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.write_all(&held).await;
        }
        held.extend_from_slice(&chunk[..read]);
        let ready = falsify(&mut held, &mut *lie.lock().unwrap());
        to.write_all(&ready).await?;
    }
}

/// Takes from `held` what can be passed on: all but a signal, or the beginning of one, that is not there in full.
fn falsify(held: &mut Vec<u8>, lie: &mut dyn FnMut(&mut Value)) -> Vec<u8> {
    let mut ready = Vec::new();
    loop {
        let start = held.windows(SIGNAL.len()).position(|window| window == SIGNAL);
        let Some(start) = start else {
            let begun = (1..SIGNAL.len()).rev().find(|&length| held.ends_with(&SIGNAL[..length]));
            ready.extend(held.drain(..held.len() - begun.unwrap_or(0)));
            return ready;
        };
        ready.extend(held.drain(..start));
        let mut values = Deserializer::from_slice(held).into_iter::<Value>();
        let Some(Ok(mut signal)) = values.next() else { return ready };
        let length = values.byte_offset();
        lie(&mut signal);
        let told = serde_json::to_vec(&signal).unwrap();
        assert_eq!(told.len(), length, "a lie of another length: {signal}");
        ready.extend(told);
        held.drain(..length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn signals_are_changed_wherever_the_stream_is_cut_and_nothing_else_is() {
        let stream =
            br#"..{"type":"message","n":1}{"type":"signal","n":1}..{"type":"signal","n":2}{"ty"#;
        let expected =
            br#"..{"type":"message","n":1}{"n":9,"type":"signal"}..{"n":9,"type":"signal"}{"ty"#;
        for cut in 0..stream.len() {
            let (mut held, mut told) = (Vec::new(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                held.extend_from_slice(part);
                told.extend(falsify(&mut held, &mut |signal| signal["n"] = json!(9)));
            }
            told.extend(held);
            assert_eq!(told, expected);
        }
    }
}
