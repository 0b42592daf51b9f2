//! The connections that a worker has, counted from the moment they are accepted: the tasks that serve them begin
//! later, and by then many more may have come.

use std::cell::Cell;
use std::rc::Rc;

/// All that are taken.
#[derive(Debug, Default)]
pub(super) struct Places(Rc<Cell<usize>>);

/// One connection's, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Rc<Cell<usize>>);

impl Places {
    /// Takes one.
    pub(super) fn take(&self) -> Place {
        self.0.set(self.0.get() + 1);
        Place(self.0.clone())
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.0.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
