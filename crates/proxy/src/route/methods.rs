//! Which methods a route serves.

use http::{HeaderValue, Method};

/// A set of methods, and the `Allow` header that names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Methods {
    listed: Vec<Method>,
    allow: HeaderValue,
}

impl Methods {
    /// The methods of a list. `GET` brings `HEAD` with it: the two differ in nothing but the body.
    #[must_use]
    pub fn new(mut listed: Vec<Method>) -> Self {
        if let Some(get) = listed.iter().position(|method| *method == Method::GET)
            && !listed.contains(&Method::HEAD)
        {
            listed.insert(get + 1, Method::HEAD);
        }
        let names: Vec<&str> = listed.iter().map(Method::as_str).collect();
        // A method is a token, so it fits into a header.
        let allow = HeaderValue::from_str(&names.join(", "))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { listed, allow }
    }

    /// Whether a method is one of them.
    #[must_use]
    pub fn contains(&self, method: &Method) -> bool {
        self.listed.contains(method)
    }

    /// The value of `Allow` (RFC 9110 §10.2.1).
    #[must_use]
    pub fn allow(&self) -> &HeaderValue {
        &self.allow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_brings_head_with_it() {
        let methods = Methods::new(vec![Method::GET, Method::POST]);
        assert!(methods.contains(&Method::HEAD) && !methods.contains(&Method::PUT));
        assert_eq!(methods.allow(), "GET, HEAD, POST");
        assert_eq!(Methods::new(vec![Method::HEAD, Method::GET]).allow(), "HEAD, GET");
        assert_eq!(Methods::new(vec![Method::DELETE]).allow(), "DELETE");
    }
}
