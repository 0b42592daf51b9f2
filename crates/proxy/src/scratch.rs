//! One buffer that all connections of a worker read into, so that a silent one needs none of its own.

use std::cell::RefCell;

/// Bytes read at once.
const SIZE: usize = 32 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SIZE]);
}

/// Lends the buffer, whatever is in it. Whoever has it may not ask for it again.
pub(crate) fn lend<T>(to: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| to(buffer))
}
