//! What is answered instead of a route's own answer: a fixed public sentence; the private cause goes to the log. A handler
//! returns a [`Problem`]; `http::middleware` shows it as a page where the route is for browsers.
//!
//! Here are those that any route may have. What only one handler says stands beside that handler.

use std::time::Duration;

use axum::http::StatusCode;
pub use shared::http::problem::{METHOD_NOT_ALLOWED, NOT_FOUND, Problem};

pub const PLAIN_HTTP: Problem = Problem::new(
    "plain_http",
    StatusCode::FORBIDDEN,
    "https only",
    "This request came over plain http. What it held may have been read by others; use https.",
);
/// A change that did not come from our own pages.
pub const FOREIGN_ORIGIN: Problem = Problem::new(
    "foreign_origin",
    StatusCode::FORBIDDEN,
    "Foreign origin",
    "Changes are accepted from this site's own pages only.",
);

/// The caller's address is over a rate limit, for so long.
pub fn limited(retry_after: Duration) -> Problem {
    Problem {
        retry_after: Some(retry_after),
        ..Problem::new(
            "limited",
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "You ask too often. Signed events are not counted.",
        )
    }
}
