//! Errors as `application/problem+json` (RFC 9457): a fixed public sentence; the private cause goes to the log.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Every error that a route of the gateway answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Signature missing, malformed, wrong or stale, or the endpoint is unknown: one answer for all.
    BadSignature,
    /// The same, too often from one address.
    TooManyBadSignatures(Duration),
    /// Correctly signed, but not an event.
    NotAnEvent,
    /// Over the size limit.
    TooLarge,
    /// The body did not arrive whole.
    BodyBroken,
    /// The event could not be stored; Stripe is to send it again.
    Unavailable,
    /// No such page.
    NotFound,
    /// The page exists, the method does not.
    MethodNotAllowed,
}

impl Problem {
    /// One word, for counting.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::TooManyBadSignatures(_) => "limited",
            Self::NotAnEvent => "not_an_event",
            Self::TooLarge => "too_large",
            Self::BodyBroken => "body_broken",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
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
                "This address sent too many requests without a valid signature. Signed events are always accepted.",
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
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not stored",
                "The event could not be stored just now. Send it again.",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not found", "There is nothing at this address."),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "This address does not take that method.",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, detail) = self.parts();
        let body =
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let wait = match self {
            Self::TooManyBadSignatures(wait) => Some(wait),
            Self::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        };
        if let Some(wait) = wait {
            // Whole seconds, rounded up: a wait of half a second must not read as none.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}
