//! A map that never holds more than so many entries: the ones unused for longest go first.
//!
//! Two generations instead of a list: new and used entries live in the young one; when that is half of
//! the limit, it becomes the old one, and what was still in the old one is forgotten. An entry that is
//! used at all is therefore kept for at least `limit / 2` others.

use std::collections::HashMap;
use std::hash::Hash;

/// The map.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// A map of at most `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (limit / 2).max(1) }
    }

    /// The entry, when it is remembered; counts as a use.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key)?;
            return Some(self.put(key, value));
        }
        self.young.get_mut(&key)
    }

    /// The entry, made if it isn't remembered; counts as a use.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if self.young.contains_key(&key) {
            // Looked up twice, since a borrow may not outlive the branch that returns it.
            return self.young.entry(key).or_insert_with(make);
        }
        let value = self.old.remove(&key).unwrap_or_else(make);
        self.put(key, value)
    }

    /// Forgets an entry, and gives it.
    pub fn take(&mut self, key: &K) -> Option<V> {
        let (young, old) = (self.young.remove(key), self.old.remove(key));
        young.or(old)
    }

    /// Forgets an entry.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Entries that are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn put(&mut self, key: K, value: V) -> &mut V {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).or_insert(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let mut map = Recent::new(100);
        for number in 0..10_000_u32 {
            *map.entry(0, || 0) += 1;
            map.entry(number + 1, || 0);
            assert!(map.len() <= 100);
        }
        assert_eq!(map.get_mut(0), Some(&mut 10_000));
        assert_eq!(map.get_mut(1), None);
        map.remove(&0);
        assert_eq!(map.get_mut(0), None);
    }
}
