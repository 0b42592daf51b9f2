//! The cookies: the session's, the half session's, that of an exchange with a passkey, those of a sign-in by OpenID Connect and of someone who
//! is to choose a name, and the mark of a known device.
//!
//! With an https origin all have the `__Host-` prefix (RFC 6265bis §4.1.3.2), with which a browser
//! refuses any that another host or plain http tried to set. Which names are used is decided by our
//! configuration, never by a header. Exactly one name is read, and a second cookie of it is an error:
//! one of the two is someone else's.

use cookie::{Cookie, SameSite, time::Duration};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use service::Problem;

use crate::secret::SecretHash;

/// Days that a browser keeps the mark of a device.
const DEVICE_DAYS: i64 = 180;

/// Names and attributes of our cookies.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    https: bool,
}

impl Cookies {
    /// Cookies for an https origin, or for plain http.
    pub fn new(https: bool) -> Self {
        Self { https }
    }

    /// The name of the session's cookie.
    pub fn session_name(self) -> &'static str {
        if self.https { "__Host-session" } else { "session" }
    }

    fn device_name(self) -> &'static str {
        if self.https { "__Host-device" } else { "device" }
    }

    /// The hash of the session's token that a request brings; none if it brings nothing of that shape.
    ///
    /// # Errors
    /// 400 `duplicate_cookie`.
    pub fn session(self, headers: &HeaderMap) -> Result<Option<SecretHash>, Problem> {
        let name = self.session_name();
        match values(headers, name).as_slice() {
            [] => Ok(None),
            [token] => Ok(SecretHash::of_token(token)),
            [_, _, ..] => Err(Problem::bad_request(
                "duplicate_cookie",
                format!(
                    "there is more than one cookie {name}: remove this site's cookies and sign in again"
                ),
            )),
        }
    }

    fn half_name(self) -> &'static str {
        if self.https { "__Host-half" } else { "half" }
    }

    /// The hash of the half session's token, if there is exactly one.
    pub fn half(self, headers: &HeaderMap) -> Option<SecretHash> {
        match values(headers, self.half_name()).as_slice() {
            [token] => SecretHash::of_token(token),
            _ => None,
        }
    }

    fn passkey_name(self) -> &'static str {
        if self.https { "__Host-passkey" } else { "passkey" }
    }

    /// The hash of the token of an exchange with a passkey, if there is exactly one.
    pub fn passkey(self, headers: &HeaderMap) -> Option<SecretHash> {
        match values(headers, self.passkey_name()).as_slice() {
            [token] => SecretHash::of_token(token),
            _ => None,
        }
    }

    fn oidc_name(self) -> &'static str {
        if self.https { "__Host-oidc" } else { "oidc" }
    }

    /// The hash of the token of a sign-in that is at the provider, if there is exactly one.
    pub fn oidc(self, headers: &HeaderMap) -> Option<SecretHash> {
        match values(headers, self.oidc_name()).as_slice() {
            [token] => SecretHash::of_token(token),
            _ => None,
        }
    }

    fn newcomer_name(self) -> &'static str {
        if self.https { "__Host-newcomer" } else { "newcomer" }
    }

    /// The hash of the token of someone who is to choose a name, if there is exactly one.
    pub fn newcomer(self, headers: &HeaderMap) -> Option<SecretHash> {
        match values(headers, self.newcomer_name()).as_slice() {
            [token] => SecretHash::of_token(token),
            _ => None,
        }
    }

    /// The hash of the device's mark, if there is exactly one.
    pub fn device(self, headers: &HeaderMap) -> Option<SecretHash> {
        match values(headers, self.device_name()).as_slice() {
            [mark] => SecretHash::of_token(mark),
            _ => None,
        }
    }

    /// Sets the session's cookie, for as long as the browser runs or for so many seconds.
    pub fn set_session(self, token: &str, seconds: Option<i64>) -> Option<HeaderValue> {
        self.set(self.session_name(), token, seconds)
    }

    /// Removes the session's cookie.
    pub fn clear_session(self) -> Option<HeaderValue> {
        self.set(self.session_name(), "", Some(0))
    }

    /// Sets the half session's cookie, for so many seconds.
    pub fn set_half(self, token: &str, seconds: i64) -> Option<HeaderValue> {
        self.set(self.half_name(), token, Some(seconds))
    }

    /// Removes the half session's cookie.
    pub fn clear_half(self) -> Option<HeaderValue> {
        self.set(self.half_name(), "", Some(0))
    }

    /// Sets the cookie of an exchange with a passkey, for so many seconds.
    pub fn set_passkey(self, token: &str, seconds: i64) -> Option<HeaderValue> {
        self.set(self.passkey_name(), token, Some(seconds))
    }

    /// Removes the cookie of an exchange with a passkey.
    pub fn clear_passkey(self) -> Option<HeaderValue> {
        self.set(self.passkey_name(), "", Some(0))
    }

    /// Sets the cookie of a sign-in that is at the provider, for so many seconds. It has to come along when the provider sends the browser
    /// back: `SameSite=Lax` lets it, since the browser goes to a page then.
    pub fn set_oidc(self, token: &str, seconds: i64) -> Option<HeaderValue> {
        self.set(self.oidc_name(), token, Some(seconds))
    }

    /// Removes the cookie of a sign-in that is at the provider.
    pub fn clear_oidc(self) -> Option<HeaderValue> {
        self.set(self.oidc_name(), "", Some(0))
    }

    /// Sets the cookie of someone who is to choose a name, for so many seconds.
    pub fn set_newcomer(self, token: &str, seconds: i64) -> Option<HeaderValue> {
        self.set(self.newcomer_name(), token, Some(seconds))
    }

    /// Removes the cookie of someone who is to choose a name.
    pub fn clear_newcomer(self) -> Option<HeaderValue> {
        self.set(self.newcomer_name(), "", Some(0))
    }

    /// Marks this device as known.
    pub fn set_device(self, mark: &str) -> Option<HeaderValue> {
        self.set(self.device_name(), mark, Some(DEVICE_DAYS * 86_400))
    }

    /// The text is ASCII of our own making, so it always is a header's value.
    fn set(self, name: &str, value: &str, seconds: Option<i64>) -> Option<HeaderValue> {
        let mut cookie = Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.https);
        if let Some(seconds) = seconds {
            cookie = cookie.max_age(Duration::seconds(seconds));
        }
        let mut value = HeaderValue::try_from(cookie.build().to_string()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// All values of a cookie's name, over all `Cookie` lines.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().trim_matches('"'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Option<HeaderValue>) -> String {
        value.unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn with_https_the_cookie_is_bound_to_this_host() {
        let cookie = text(Cookies::new(true).set_session("abc", None));
        assert_eq!(cookie, "__Host-session=abc; HttpOnly; SameSite=Lax; Secure; Path=/");
    }

    #[test]
    fn with_plain_http_it_is_the_same_without_secure() {
        let cookie = text(Cookies::new(false).set_session("abc", Some(60)));
        assert_eq!(cookie, "session=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=60");
        assert!(text(Cookies::new(false).clear_session()).contains("Max-Age=0"));
    }

    #[test]
    fn one_name_is_read_and_a_second_of_it_is_refused() {
        let token = "a".repeat(43);
        let mut headers = HeaderMap::new();
        let line = format!("theme=dark; session={token}; __Host-session=other");
        headers.append(COOKIE, line.parse().unwrap());
        let hash = Cookies::new(false).session(&headers).unwrap();
        assert_eq!(hash, SecretHash::of_token(&token));
        headers.append(COOKIE, "session=x".parse().unwrap());
        let problem = Cookies::new(false).session(&headers).unwrap_err();
        assert_eq!(problem.code(), "duplicate_cookie");
    }
}
