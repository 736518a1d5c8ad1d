//! The security headers of every response, errors included. In: who the response is for. Out: its headers.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

/// Who a response is for. A route that answers pages puts [`Surface::Page`] into the response's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Surface {
    /// Programs: nothing of it is ever rendered.
    #[default]
    Api,
    /// A browser: own scripts and styles from files, nothing inline, nothing foreign.
    Page,
}

/// No `*-src` but our own files; forms go home; nobody frames us.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const FOR_ALL: [(&str, &str); 7] = [
    // Two years. Ignored by browsers on plain http, as RFC 6797 wants.
    ("strict-transport-security", "max-age=63072000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), \
         payment=(), publickey-credentials-get=(), usb=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
];

pub fn of(surface: Surface) -> impl Iterator<Item = (&'static str, &'static str)> {
    // No other site is told of an address. With `no-referrer` browsers send our own forms with `Origin: null`, which is anybody's.
    let (policy, referrer) = match surface {
        Surface::Api => (API_POLICY, "no-referrer"),
        Surface::Page => (PAGE_POLICY, "same-origin"),
    };
    let of_surface =
        [("content-security-policy", policy), ("referrer-policy", referrer), ("cache-control", "no-store")];
    FOR_ALL.into_iter().chain(of_surface)
}

/// Sets the headers of its surface on a response. `Cache-Control` stays if the route chose one; nothing else can be chosen.
pub fn apply(response: &mut Response) {
    let surface = response.extensions().get::<Surface>().copied().unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in of(surface) {
        let name = HeaderName::from_static(name);
        if name != header::CACHE_CONTROL || !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    headers.remove(header::SERVER);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(mut response: Response) -> axum::http::HeaderMap {
        apply(&mut response);
        response.headers().clone()
    }

    #[test]
    fn a_page_may_load_its_own_files_and_nothing_inline() {
        let mut page = Response::default();
        page.extensions_mut().insert(Surface::Page);
        let policy = applied(page)[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(
            policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        let api = applied(Response::default());
        assert_eq!(api[header::CONTENT_SECURITY_POLICY], API_POLICY);
    }

    #[test]
    fn a_route_can_choose_how_long_it_is_kept_and_nothing_else() {
        let mut response = Response::default();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        response.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        response.headers_mut().insert(header::SERVER, HeaderValue::from_static("x/1.0"));
        let headers = applied(response);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=60");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert!(!headers.contains_key(header::SERVER));
        assert_eq!(applied(Response::default())[header::CACHE_CONTROL], "no-store");
    }
}
