//! The rules that pages and cookies need. In: headers, and our own origin. Out: cookies that only this host can set and read,
//! and whether a request that changes something came from our own pages. Pure.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, header};

/// When a browser sends a cookie along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Only from our own pages. For sessions.
    Strict,
    /// Also when another site's link leads here. For the way back from a vendor's login page.
    Lax,
}

/// A cookie that browsers accept from this very host over https only, and never show to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCookie {
    name: &'static str,
    same_site: SameSite,
}

/// The value has characters that a cookie cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cookie's value may have letters, digits, '-', '_' and '.' only")]
pub struct BadValue;

impl HostCookie {
    /// `name` is without its prefix: letters and `-`.
    pub const fn new(name: &'static str, same_site: SameSite) -> Self {
        Self { name, same_site }
    }

    /// For `Set-Cookie`. `keep`: how long; `None`: until the browser is closed.
    pub fn set(&self, value: &str, keep: Option<Duration>) -> Result<HeaderValue, BadValue> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if value.is_empty() || !value.bytes().all(plain) {
            return Err(BadValue);
        }
        self.header(value, keep)
    }

    /// For `Set-Cookie`: the browser forgets it.
    pub fn clear(&self) -> Result<HeaderValue, BadValue> {
        self.header("", Some(Duration::ZERO))
    }

    fn header(&self, value: &str, keep: Option<Duration>) -> Result<HeaderValue, BadValue> {
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
        };
        let keep = keep.map(|keep| format!("; Max-Age={}", keep.as_secs())).unwrap_or_default();
        // `__Host-`: no Domain, Path=/ and Secure, or browsers refuse it; so no other host can plant one.
        let text =
            format!("__Host-{}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{keep}", self.name);
        HeaderValue::from_str(&text).map_err(|_| BadValue)
    }

    /// Its value in a request; `None` also if it is there twice: which one counts would be anybody's guess.
    pub fn read<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut ours = pairs.filter(|(name, _)| name.strip_prefix("__Host-") == Some(self.name));
        ours.next().map(|(_, value)| value).filter(|_| ours.next().is_none())
    }
}

/// Why a request is not taken for one of our own pages'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// `Origin` names somebody else, or is there twice.
    #[error("another origin")]
    Origin,
    /// `Sec-Fetch-Site` says so.
    #[error("another site")]
    Site,
    /// Neither header: every browser in use sends one.
    #[error("no origin")]
    Unknown,
}

/// Whether a request may change something: it must come from a page of `own`, an origin as [`crate::config::Reader::origin`]
/// reads it. Reading is always allowed.
pub fn check_mutation(method: &Method, headers: &HeaderMap, own: &str) -> Result<(), Foreign> {
    if method.is_safe() {
        return Ok(());
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if origin.as_bytes() == own.as_bytes() => return Ok(()),
        (Some(_), _) => return Err(Foreign::Origin),
        (None, _) => {}
    }
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) if site == "same-origin" => Ok(()),
        (Some(_), _) => Err(Foreign::Site),
        (None, _) => Err(Foreign::Unknown),
    }
}

/// The entry of `allowed` that an `Origin` header names, byte for byte; `None`: no CORS headers. Never for `null`, which any
/// page in a sandboxed frame can send.
pub fn allowed_origin<'a>(allowed: &'a [String], origin: &[u8]) -> Option<&'a str> {
    let entry = allowed.iter().find(|entry| entry.as_bytes() == origin)?;
    (entry != "null" && entry != "*").then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://roles.example.com";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_cookie_is_bound_to_the_host_and_hidden_from_scripts() {
        let session = HostCookie::new("session", SameSite::Strict);
        assert_eq!(
            session.set("a-_.9", Some(Duration::from_secs(60))).unwrap(),
            "__Host-session=a-_.9; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60"
        );
        assert_eq!(
            session.clear().unwrap(),
            "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
        );
        let oauth = HostCookie::new("oauth", SameSite::Lax);
        assert_eq!(oauth.set("x", None).unwrap(), "__Host-oauth=x; Path=/; Secure; HttpOnly; SameSite=Lax");
        for bad in ["", "a;b", "a b", "a\r\nset-cookie: x=y", "a,b", "\"a\"", "ä", "a=b"] {
            assert_eq!(session.set(bad, None), Err(BadValue), "{bad:?}");
        }
    }

    #[test]
    fn a_cookie_is_read_only_if_it_is_there_once_under_its_whole_name() {
        let session = HostCookie::new("session", SameSite::Strict);
        for (lines, expected) in [
            (&["__Host-session=abc"][..], Some("abc")),
            (&["a=b; __Host-session=abc; c=d"], Some("abc")),
            (&["a=b", "__Host-session=abc"], Some("abc")),
            (&["__Host-session=abc; __Host-session=def"], None),
            (&["__Host-session=abc", "__Host-session=abc"], None),
            (&["session=abc"], None),
            (&["__host-session=abc"], None),
            (&["__Host-session2=abc"], None),
            (&[], None),
        ] {
            let pairs: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            assert_eq!(session.read(&headers(&pairs)), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_our_own_pages_may_change_anything() {
        for (pairs, expected) in [
            (&[("origin", OWN)][..], Ok(())),
            (&[("origin", OWN), ("sec-fetch-site", "cross-site")], Ok(())),
            (&[("sec-fetch-site", "same-origin")], Ok(())),
            (&[], Err(Foreign::Unknown)),
            (&[("origin", "null")], Err(Foreign::Origin)),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], Err(Foreign::Origin)),
            (&[("origin", "https://roles.example.com.evil.example")], Err(Foreign::Origin)),
            (&[("origin", "https://evil-roles.example.com")], Err(Foreign::Origin)),
            (&[("origin", "http://roles.example.com")], Err(Foreign::Origin)),
            (&[("origin", "https://roles.example.com:444")], Err(Foreign::Origin)),
            (&[("origin", "https://ROLES.example.com")], Err(Foreign::Origin)),
            (&[("origin", OWN), ("origin", "https://evil.example")], Err(Foreign::Origin)),
            (&[("sec-fetch-site", "same-site")], Err(Foreign::Site)),
            (&[("sec-fetch-site", "cross-site")], Err(Foreign::Site)),
            (&[("sec-fetch-site", "none")], Err(Foreign::Site)),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], Err(Foreign::Site)),
        ] {
            assert_eq!(check_mutation(&Method::POST, &headers(pairs), OWN), expected, "{pairs:?}");
            assert_eq!(check_mutation(&Method::GET, &headers(pairs), OWN), Ok(()));
        }
    }

    #[test]
    fn an_origin_is_allowed_to_the_letter_or_not_at_all() {
        let allowed = [OWN, "https://shop.example", "null", "*"].map(str::to_owned);
        assert_eq!(allowed_origin(&allowed, b"https://shop.example"), Some("https://shop.example"));
        for foreign in [
            "null",
            "*",
            "",
            "https://shop.example.evil.example",
            "https://evilshop.example",
            "https://shop.exampl",
            "https://Shop.example",
            "http://shop.example",
            "https://shop.example/",
            "https://shop.example:443",
            "https://shop.example\u{0}",
            " https://shop.example",
        ] {
            assert_eq!(allowed_origin(&allowed, foreign.as_bytes()), None, "{foreign:?}");
        }
    }
}
