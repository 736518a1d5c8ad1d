//! Errors as `application/problem+json` (RFC 9457): a fixed public sentence; the private cause goes to the log.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::http::problem;

/// Every error that a route of the gateway answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Signature missing, malformed, wrong or stale, or the endpoint is unknown: one answer for all.
    BadSignature,
    /// The same, too often from one address.
    TooManyBadSignatures(Duration),
    /// Too much of anything else from one address.
    Limited(Duration),
    /// Correctly signed, but not an event.
    NotAnEvent,
    /// Over the size limit.
    TooLarge,
    /// The body did not arrive whole.
    BodyBroken,
    /// The body took too long.
    BodySlow,
    /// The event could not be stored; Stripe is to send it again.
    Unavailable,
    /// No such page.
    NotFound,
    /// The page exists, the method does not; these do.
    MethodNotAllowed(&'static str),
    /// Without TLS.
    PlainHttp,
    /// A change that did not come from our own pages.
    ForeignOrigin,
}

impl Problem {
    /// One word, for counting.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::TooManyBadSignatures(_) => "limited",
            Self::Limited(_) => "limited",
            Self::NotAnEvent => "not_an_event",
            Self::TooLarge => "too_large",
            Self::BodyBroken => "body_broken",
            Self::BodySlow => "body_slow",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::PlainHttp => "plain_http",
            Self::ForeignOrigin => "foreign_origin",
        }
    }

    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadSignature => (
                StatusCode::BAD_REQUEST,
                "Signature not accepted",
                "No valid Stripe-Signature for this endpoint. Check the endpoint's address and signing secret.",
            ),
            Self::TooManyBadSignatures(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many bad signatures",
                "This address sent too many requests that were not signed for an endpoint of ours. Signed events are accepted \
                 all the same; only an endpoint that was connected within the last minute may have to wait for Retry-After.",
            ),
            Self::Limited(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "This address asks too often. Signed events are not counted.",
            ),
            Self::NotAnEvent => (
                StatusCode::BAD_REQUEST,
                "Not a Stripe event",
                "The signature is right, but the body is not a JSON event with an id and a type.",
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "Body too large", "An event may have at most 1 MiB.")
            }
            Self::BodyBroken => {
                (StatusCode::BAD_REQUEST, "Body incomplete", "The body did not arrive whole. Send it again.")
            }
            Self::BodySlow => (
                StatusCode::REQUEST_TIMEOUT,
                "Body too slow",
                "The body did not arrive within 10 seconds. Send it again.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not stored",
                "The event could not be stored just now. Send it again.",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not found", "There is nothing at this address."),
            Self::MethodNotAllowed(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "This address does not take that method.",
            ),
            Self::PlainHttp => (
                StatusCode::FORBIDDEN,
                "https only",
                "This request came over plain http. What it held may have been read by others; use https.",
            ),
            Self::ForeignOrigin => (
                StatusCode::FORBIDDEN,
                "Foreign origin",
                "Changes are accepted from this site's own pages only.",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, detail) = self.parts();
        let retry_after = match self {
            Self::TooManyBadSignatures(wait) | Self::Limited(wait) => Some(wait),
            Self::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        };
        let mut response = problem::Problem { status, title, detail, retry_after }.into_response();
        if let Self::MethodNotAllowed(allowed) = self {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}
