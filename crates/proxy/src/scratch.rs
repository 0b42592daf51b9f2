//! One buffer that all connections of a worker read into, so that a silent one needs none of its own.

use std::cell::RefCell;
use std::io::IoSlice;

/// Bytes read at once.
const SIZE: usize = 32 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SIZE]);
}

/// Lends the buffer, whatever is in it. Whoever has it may not ask for it again.
pub(crate) fn lend<T>(to: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| to(buffer))
}

/// Up to so many bytes are cheaper to copy than to be written as several slices.
const FEW: usize = 4 * 1024;

/// Lends slices as one, if they are few bytes; a single one as it is.
pub(crate) fn lend_joined<T>(slices: &[IoSlice<'_>], to: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if let [one] = slices {
        return Some(to(one));
    }
    let length: usize = slices.iter().map(|slice| slice.len()).sum();
    if length > FEW {
        return None;
    }
    Some(lend(|buffer| {
        let mut at = 0;
        for slice in slices {
            buffer[at..at + slice.len()].copy_from_slice(slice);
            at += slice.len();
        }
        to(&buffer[..length])
    }))
}
