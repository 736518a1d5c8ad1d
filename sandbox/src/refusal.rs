//! How the control API says no. In: a status and a sentence. Out: `{"error": "…"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A control call that could not be carried out; never used for a vendor's own answers.
#[derive(Debug)]
pub(crate) struct Refusal(StatusCode, String);

impl Refusal {
    /// The named thing does not exist.
    pub(crate) fn missing(what: impl std::fmt::Display) -> Self {
        Self(StatusCode::NOT_FOUND, format!("no such {what}"))
    }

    /// The sandbox is not in a state where this makes sense.
    pub(crate) fn conflict(why: impl Into<String>) -> Self {
        Self(StatusCode::CONFLICT, why.into())
    }

    /// The call cannot be understood.
    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    /// The status and the sentence, for a page.
    pub(crate) fn into_parts(self) -> (StatusCode, String) {
        (self.0, self.1)
    }

    /// The product did not react in time.
    pub(crate) fn timed_out(why: impl Into<String>) -> Self {
        Self(StatusCode::GATEWAY_TIMEOUT, why.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
