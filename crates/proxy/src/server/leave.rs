//! Leaving everything to another process.

use std::io;

use super::Proxy;
use crate::handover::{Estate, Heir};
use crate::worker::Order;

impl Proxy {
    /// Gives the listeners to a successor and waits until it serves. Then [`retire`](Self::retire).
    ///
    /// # Errors
    /// It failed: this proxy goes on as if nothing had happened.
    pub async fn hand_over(&self, heir: Heir) -> io::Result<()> {
        let estate = self.estate()?;
        tokio::task::spawn_blocking(move || heir.give(&estate)).await.map_err(io::Error::other)?
    }

    fn estate(&self) -> io::Result<Estate> {
        let mut estate = self.serving.held.estate()?;
        if let Some(admin) = &self.admin {
            estate.set_admin(admin.wanted, admin.listener.try_clone()?);
        }
        Ok(estate)
    }

    /// Ends, now that a successor serves: nothing new is accepted, and what is open may take the whole drain
    /// time, streams and WebSockets too. An idle connection gets one more request served.
    pub async fn retire(self) {
        if let Some(admin) = &self.admin {
            admin.stop.cancel();
        }
        for worker in &self.workers {
            let _ = worker.orders.send(Order::Patience);
        }
        self.shutdown().await;
    }
}
