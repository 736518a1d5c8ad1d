//! Stripe's error bodies. In: what is wrong with a call. Out: a status and `{"error": {…}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error in Stripe's shape.
pub(crate) struct Failure(StatusCode, Value);

impl Failure {
    /// An error without a code.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self(status, json!({ "type": "invalid_request_error", "message": message }))
    }

    /// An error with a code, about a parameter.
    pub(super) fn coded(status: StatusCode, code: &str, param: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let doc = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
        let error = json!({
            "code": code, "doc_url": doc, "message": message, "param": param, "type": "invalid_request_error",
        });
        Self(status, error)
    }

    /// A parameter whose value makes no sense.
    pub(super) fn parameter(param: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let error = json!({ "message": message, "param": param, "type": "invalid_request_error" });
        Self(StatusCode::BAD_REQUEST, error)
    }

    /// A parameter that the endpoint does not have.
    pub(super) fn unknown_parameter(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::coded(StatusCode::BAD_REQUEST, "parameter_unknown", param, message)
    }

    /// An object that does not exist, as far as this key can see.
    pub(super) fn missing(kind: &str, param: &str, id: &str) -> Self {
        let message = format!("No such {kind}: '{id}'");
        Self::coded(StatusCode::NOT_FOUND, "resource_missing", param, message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The shape of errors that have no cause of their own, such as a 503.
pub(crate) fn plain(status: StatusCode) -> Value {
    let kind = if status == StatusCode::TOO_MANY_REQUESTS { "invalid_request_error" } else { "api_error" };
    let message = status.canonical_reason().unwrap_or("Error");
    json!({ "error": { "type": kind, "message": message } })
}
