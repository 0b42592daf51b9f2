//! A connection of a pool while it is in use.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::{Endpoint, Idle};
use crate::link::Link;
use crate::watch::now_ms;

/// A connection in use. Dropped after a whole exchange it goes back to the pool; dropped in the middle
/// of one it is closed, because what is still under way on it belongs to nobody.
pub(crate) struct Lease {
    link: Option<Link>,
    /// It is a stream: its connection stays where it is.
    shared: bool,
    endpoint: Rc<Endpoint>,
}

impl Lease {
    /// Counts as a use of the server from now on.
    pub(super) fn new(link: Link, endpoint: Rc<Endpoint>) -> Self {
        endpoint.in_use.set(endpoint.in_use.get() + 1);
        Self { shared: link.is_shared(), link: Some(link), endpoint }
    }

    /// The server at its other end.
    pub(crate) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    /// Takes the connection out of the pool for good; the second part counts as its use until dropped.
    pub(crate) fn detach(mut self) -> Option<(Link, Lease)> {
        let link = self.link.take()?;
        Some((link, self))
    }
}

impl Deref for Lease {
    type Target = Link;
    #[expect(
        clippy::expect_used,
        reason = "a lease is without its link only inside detach and drop"
    )]
    fn deref(&self) -> &Link {
        self.link.as_ref().expect("a lease holds a link")
    }
}

impl DerefMut for Lease {
    #[expect(
        clippy::expect_used,
        reason = "a lease is without its link only inside detach and drop"
    )]
    fn deref_mut(&mut self) -> &mut Link {
        self.link.as_mut().expect("a lease holds a link")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let endpoint = &self.endpoint;
        endpoint.in_use.set(endpoint.in_use.get() - 1);
        match self.link.take() {
            link if self.shared => drop(link),
            Some(link)
                if link.is_idle() && !endpoint.known.is_gone() && !endpoint.retired.get() =>
            {
                endpoint.idle.borrow_mut().push(Idle { link, since: now_ms() });
            }
            _ => endpoint.open.set(endpoint.open.get() - 1),
        }
        endpoint.queue.call();
    }
}
