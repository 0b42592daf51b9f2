//! How memory is handed out.
//!
//! Each connection has buffers of which it uses the first bytes only. With huge pages (2 MiB, which the
//! allocator asks for) the system hands out the rest of them too: ten thousand idle streams then cost
//! nearly twice of what they touch.

/// Asks the system for small pages from now on, for the whole process. Call it first in `main`.
pub fn small_pages() {
    // A system that has no huge pages refuses, and needs no asking.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(test)]
mod tests {
    #[test]
    fn huge_pages_are_off_afterwards() {
        super::small_pages();
        assert_eq!(rustix::thread::transparent_huge_pages_are_disabled(), Ok(true));
    }
}
