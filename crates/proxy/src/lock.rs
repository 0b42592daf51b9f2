//! The one way in which mutexes are locked here: nobody holds one across anything that could leave half of a
//! change behind, so a thread that panicked with it means nothing to the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
