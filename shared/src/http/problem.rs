//! Errors as everybody may see them. In: a status and two fixed public sentences. Out: a response, `application/problem+json`
//! (RFC 9457) for programs, a page for browsers.

use std::{fmt::Write as _, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::headers::{self, Surface};

const CONTENT_TYPE: &str = "application/problem+json";

/// An error without its private cause, which goes to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// For metrics and comparisons; not shown.
    pub kind: &'static str,
    pub status: StatusCode,
    /// The same for every occurrence.
    pub title: &'static str,
    /// What the caller can do.
    pub detail: &'static str,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}

impl Problem {
    pub const fn new(
        kind: &'static str,
        status: StatusCode,
        title: &'static str,
        detail: &'static str,
    ) -> Self {
        Self { kind, status, title, detail, retry_after: None }
    }

    fn json(&self) -> String {
        let Self { status, title, detail, .. } = self;
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail })
            .to_string()
    }

    fn page(&self) -> String {
        let (title, detail) = (escaped(self.title), escaped(self.detail));
        let again = self.retry_after.map(|wait| format!("<p>Try again in {} s.</p>\n", whole_seconds(wait)));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <link rel=\"stylesheet\" href=\"/assets/page.css\">\n</head>\n<body>\n<main class=\"bad\">\n<h1>{title}</h1>\n\
             <p>{detail}</p>\n{}</main>\n</body>\n</html>\n",
            again.unwrap_or_default()
        )
    }

    /// The whole response as bytes, for a connection that ends with it and that no handler ever saw.
    pub(super) fn to_http_bytes(self) -> Vec<u8> {
        let (status, body) = (self.status, self.json());
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
        let mut response = (self.status, self.json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The same response for a browser: a problem becomes a page, with its status and headers; any other response stays as it is.
pub fn as_page(response: Response) -> Response {
    let Some(problem) = response.extensions().get::<Problem>().copied() else { return response };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, Body::from(problem.page()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
    Problem::new("not_found", StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.");
/// The address exists, the method does not.
pub const METHOD_NOT_ALLOWED: Problem = Problem::new(
    "method_not_allowed",
    StatusCode::METHOD_NOT_ALLOWED,
    "Method not allowed",
    "This address does not take that method.",
);
pub(super) const BAD_REQUEST: Problem = Problem::new(
    "bad_request",
    StatusCode::BAD_REQUEST,
    "Bad request",
    "This is not a request that HTTP/1.1 allows.",
);
/// The address is longer than any of ours.
pub(super) const URI_TOO_LONG: Problem = Problem::new(
    "uri_too_long",
    StatusCode::URI_TOO_LONG,
    "Address too long",
    "No address here is longer than 2048 bytes.",
);
/// Headers are too many, or too long.
pub(super) const HEAD_TOO_LARGE: Problem = Problem::new(
    "head_too_large",
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "Headers too large",
    "A request may have at most 64 headers and 16 KiB of them.",
);
/// A head that did not become complete in time.
pub(super) const HEAD_TOO_SLOW: Problem = Problem::new(
    "head_too_slow",
    StatusCode::REQUEST_TIMEOUT,
    "Request too slow",
    "The request's headers did not arrive in time. Send it again.",
);
/// A defect of ours.
pub(super) const PANICKED: Problem = Problem::new(
    "internal",
    StatusCode::INTERNAL_SERVER_ERROR,
    "Internal error",
    "This is a defect of the server; it has been logged.",
);
/// Too much at once, or a response that took too long.
pub(super) const BUSY: Problem = Problem {
    kind: "busy",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "Busy",
    detail: "The server has too much to do just now. Send it again.",
    retry_after: Some(Duration::from_secs(1)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_browser_gets_a_problem_as_a_page_and_everything_else_as_it_is() {
        let busy = as_page(Problem { detail: "1 < 2 & so on", ..BUSY }.into_response());
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(busy.headers()[header::RETRY_AFTER], "1");
        let page = axum::body::to_bytes(busy.into_body(), 1000).await.unwrap();
        let page = str::from_utf8(&page).unwrap();
        assert!(
            page.contains("<h1>Busy</h1>\n<p>1 &lt; 2 &amp; so on</p>\n<p>Try again in 1 s.</p>"),
            "{page}"
        );
        let fine = as_page("{}".into_response());
        assert_eq!(fine.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    }

    #[test]
    fn waits_are_never_told_too_short() {
        for (millis, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_000, 59)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
