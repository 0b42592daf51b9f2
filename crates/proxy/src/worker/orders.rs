//! What a worker is told while it serves. It follows between two of its tasks, so no request ever sees
//! half of a change.

use std::rc::Rc;
use std::time::Duration;

use service::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Limits, Worker};
use crate::log::Sink;
use crate::plan::Plan;
use crate::pool::Endpoint;
use crate::server::{Address, Opened};
use crate::site::Site;
use crate::watch::millis;

/// Something to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Serve another configuration from now on.
    Serve {
        /// What it says.
        plan: Plan,
        /// Listeners for new addresses.
        open: Vec<Opened>,
        /// Addresses to listen on no more.
        close: Vec<Address>,
        /// Told when it is done.
        taken: oneshot::Sender<()>,
    },
    /// Write the access log to this from now on.
    Log(Option<Sink>),
    /// Let what is open end by itself when the end comes, since another process serves.
    Patience,
}

/// The loops that accept connections.
#[derive(Default)]
pub(super) struct Accepting(Vec<Loop>);

struct Loop {
    address: Address,
    stop: Shutdown,
    task: JoinHandle<()>,
}

impl Accepting {
    /// Waits until all have accepted what is left to accept.
    pub(super) async fn ended(self) {
        for one in self.0 {
            let _ = one.task.await;
        }
    }
}

impl Worker {
    /// Does as it is told.
    pub(super) fn follow(
        self: &Rc<Self>,
        order: Order,
        accepting: &mut Accepting,
        stop: &Shutdown,
    ) {
        match order {
            Order::Log(sink) => self.books.log.redirect(sink),
            Order::Patience => self.patient.set(true),
            Order::Serve { plan, open, close, taken } => {
                self.take(&plan);
                self.listen(open, accepting, stop);
                accepting.0.retain(|one| {
                    let stays = !close.contains(&one.address);
                    if !stays {
                        // The loop ends by itself, after what the kernel has queued.
                        one.stop.cancel();
                    }
                    stays
                });
                let _ = taken.send(());
            }
        }
    }

    /// Starts to accept connections.
    pub(super) fn listen(
        self: &Rc<Self>,
        opened: Vec<Opened>,
        accepting: &mut Accepting,
        stop: &Shutdown,
    ) {
        for Opened { address, socket } in opened {
            match TcpListener::from_std(socket) {
                Ok(listener) => {
                    let stop = stop.child_token();
                    let accept = self.clone().accept(listener, address.wanted, stop.clone());
                    let task = tokio::task::spawn_local(accept);
                    accepting.0.push(Loop { address, stop, task });
                }
                Err(error) => {
                    tracing::error!(addr = %address.bound, %error, "a worker can't listen");
                }
            }
        }
    }

    /// Puts another site in the place of the one that is served.
    fn take(self: &Rc<Self>, plan: &Plan) {
        let server = &plan.config.server;
        let before = self.site();
        let next = Rc::new(Site::new(plan, &self.books.stats, self.number, Some(&before)));
        self.books.log.redirect(plan.sink.clone());
        self.books.log.reformat(server.access_log_format);
        self.books.keep_alive_ms.set(millis(server.keep_alive));
        self.limits.set(Limits::share(server));
        self.books.stats.retain(&plan.config);
        self.books.stats.spans.want(plan.config.exports_traces());
        *self.site.borrow_mut() = next.clone();
        before.retire(&next);
        let removed = before.beyond(&next);
        if let Some(limit) = server.reload_timeout
            && !removed.is_empty()
        {
            tokio::task::spawn_local(self.clone().part_with(removed, limit));
        }
    }

    /// Cuts off what is still under way with these servers after a while, unless another reload brought them back.
    async fn part_with(self: Rc<Self>, removed: Vec<Rc<Endpoint>>, limit: Duration) {
        tokio::time::sleep(limit).await;
        let site = self.site();
        for endpoint in removed.iter().filter(|endpoint| !endpoint.is_named(&site.config)) {
            endpoint.cut_off();
        }
        self.watches.wake();
    }
}
