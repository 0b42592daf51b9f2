//! [`Lab`]: a small network of machines inside this one: a switch, a server, and as many hosts as a test wants.
//!
//! Each is a network namespace. No machine has a route to anywhere but to the others, and this machine's own
//! network is not touched: an interface that leads out of the lab doesn't exist. The test itself lives on the
//! server: what it binds and calls is the server's, and so are the programs that it starts, unless a
//! [`Host`] is told to run them.

mod host;
mod netns;
mod rights;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

pub use host::Host;
pub use netns::Netns;

/// The network.
#[derive(Debug)]
pub struct Lab {
    switch: Arc<Netns>,
    server: Host,
    plugged: AtomicU8,
}

/// Runs a test in a lab of its own. Everything is gone afterwards, also when it failed or was killed.
///
/// It takes the rights of root over namespaces. Without them the test runs itself again in a user namespace
/// (user_namespaces(7)), where it has them.
///
/// # Panics
/// When the test does, or when user namespaces are switched off and the caller isn't root.
pub fn run(test: impl AsyncFnOnce(Lab) + Send) {
    if !rights::here() {
        return rights::again_in_a_user_namespace();
    }
    let lab = Lab::new();
    // A namespace is a thread's: this one's ends with it, and the test runner's threads keep their own.
    let outcome = std::thread::scope(|scope| {
        let body = move || {
            lab.server.netns().enter();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(test(lab));
        };
        std::thread::Builder::new().name("lab".to_owned()).spawn_scoped(scope, body).unwrap().join()
    });
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Lab {
    fn new() -> Self {
        let switch = Arc::new(Netns::new());
        switch.ip("link add switch type bridge\nlink set switch up\n");
        let server = Host::plug("server", address(1), switch.clone());
        Self { switch, server, plugged: AtomicU8::new(1) }
    }

    /// The machine on which the test lives, and the programs that it starts.
    pub fn server(&self) -> &Host {
        &self.server
    }

    /// One more machine.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn host(&self, name: &str) -> Host {
        Host::plug(name, self.free_address(), self.switch.clone())
    }

    /// An address of the segment that no machine has.
    pub fn free_address(&self) -> Ipv4Addr {
        address(1 + self.plugged.fetch_add(1, Ordering::Relaxed))
    }

    /// No UDP passes between two machines any more; all else does.
    pub fn block_udp(&self, one: &Host, other: &Host) {
        one.block_udp(other.addr());
        other.block_udp(one.addr());
    }

    /// Everything passes again.
    pub fn unblock(&self, one: &Host, other: &Host) {
        one.unblock();
        other.unblock();
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, number)
}
