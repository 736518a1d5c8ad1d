//! Errors as `application/problem+json` (RFC 9457). In: a status and two fixed public sentences. Out: a response.

use std::{fmt::Write as _, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::headers::{self, Surface};

const CONTENT_TYPE: &str = "application/problem+json";

/// An error as everybody may see it; the private cause goes to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// The same for every occurrence.
    pub title: &'static str,
    /// What the caller can do.
    pub detail: &'static str,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Without a hint when to ask again.
    pub const fn new(status: StatusCode, title: &'static str, detail: &'static str) -> Self {
        Self { status, title, detail, retry_after: None }
    }

    fn body(&self) -> String {
        let Self { status, title, detail, .. } = self;
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail })
            .to_string()
    }

    /// The whole response as bytes, for a connection that ends with it and that no handler ever saw.
    pub(super) fn to_http_bytes(&self) -> Vec<u8> {
        let (status, body) = (self.status, self.body());
        let mut text = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {}\r\nconnection: close\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            body.len(),
        );
        for (name, value) in headers::of(Surface::Api) {
            write!(text, "{name}: {value}\r\n").expect("a String takes everything");
        }
        write!(text, "\r\n{body}").expect("a String takes everything");
        text.into_bytes()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// Whole seconds, rounded up and at least one: a wait of half a second must not read as none.
pub fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The routes, and a problem for whatever they do not name. For listeners that nothing else guards.
pub fn with_problem_fallbacks(routes: Router) -> Router {
    routes.fallback(async || NOT_FOUND).method_not_allowed_fallback(async || METHOD_NOT_ALLOWED)
}

/// An address that the listener does not have.
pub const NOT_FOUND: Problem =
    Problem::new(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.");
/// The address exists, the method does not.
pub const METHOD_NOT_ALLOWED: Problem = Problem::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "Method not allowed",
    "This address does not take that method.",
);
/// Not HTTP.
pub(super) const BAD_REQUEST: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "Bad request", "This is not a request that HTTP/1.1 allows.");
/// The address is longer than any of ours.
pub(super) const URI_TOO_LONG: Problem =
    Problem::new(StatusCode::URI_TOO_LONG, "Address too long", "No address here is longer than 2048 bytes.");
/// Headers are too many, or too long.
pub(super) const HEAD_TOO_LARGE: Problem = Problem::new(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "Headers too large",
    "A request may have at most 64 headers and 16 KiB of them.",
);
/// A head that did not become complete in time.
pub(super) const HEAD_TOO_SLOW: Problem = Problem::new(
    StatusCode::REQUEST_TIMEOUT,
    "Request too slow",
    "The request's headers did not arrive in time. Send it again.",
);
/// A defect of ours.
pub(super) const PANICKED: Problem = Problem::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "Internal error",
    "This is a defect of the server; it has been logged.",
);
/// Too much at once, or a response that took too long.
pub(super) const BUSY: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "Busy",
    detail: "The server has too much to do just now. Send it again.",
    retry_after: Some(Duration::from_secs(1)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_never_told_too_short() {
        for (millis, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_000, 59)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
