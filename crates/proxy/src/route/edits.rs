//! Headers that a route takes away, sets or adds.

use http::{HeaderMap, HeaderName, HeaderValue};

/// What happens to the headers of a message, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits {
    /// Every line with this name goes.
    pub remove: Vec<HeaderName>,
    /// One line with this name, whatever there was.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// One more line.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

impl Edits {
    /// Makes the changes.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_removed_then_set_then_added() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let pair = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let edits = Edits {
            remove: vec![HeaderName::from_static("a"), HeaderName::from_static("zz")],
            set: vec![pair("b", "2"), pair("a", "3")],
            add: vec![pair("a", "4"), pair("c", "2")],
        };
        edits.apply(&mut headers);
        let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("a"), ["3", "4"]);
        assert_eq!(all("b"), ["2"]);
        assert_eq!(all("c"), ["1", "2"]);
    }
}
