//! Stripe's error bodies. In: what is wrong with a call. Out: a status and `{"error": {…}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::stripe::collection::UnknownCursor;

/// An error in Stripe's shape.
pub(crate) struct Failure(StatusCode, Value);

impl Failure {
    /// An error without a code.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self(status, json!({ "type": "invalid_request_error", "message": message }))
    }

    /// A key that does not open.
    pub(super) fn unauthorized(message: impl Into<String>, code: Option<&str>) -> Self {
        let mut failure = Self::new(StatusCode::UNAUTHORIZED, message);
        if let Some(code) = code {
            failure.1["code"] = code.into();
            failure.1["doc_url"] = doc_url(code).into();
        }
        failure
    }

    /// An error with a code, about a parameter.
    pub(super) fn coded(status: StatusCode, code: &str, param: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let error = json!({
            "code": code, "doc_url": doc_url(code), "message": message, "param": param, "type": "invalid_request_error",
        });
        Self(status, error)
    }

    /// A parameter whose value makes no sense.
    pub(super) fn parameter(param: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let error = json!({ "message": message, "param": param, "type": "invalid_request_error" });
        Self(StatusCode::BAD_REQUEST, error)
    }

    /// A parameter that must be there.
    pub(super) fn required(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::coded(StatusCode::BAD_REQUEST, "parameter_missing", param, message)
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

    /// An account that is not the key's.
    pub(super) fn no_account(id: &str) -> Self {
        let message = format!(
            "The provided key does not have access to account '{id}' (or that account does not exist). Application access may \
             have been revoked."
        );
        let (code, kind) = ("account_invalid", "invalid_request_error");
        let error = json!({ "code": code, "doc_url": doc_url(code), "message": message, "type": kind });
        Self(StatusCode::FORBIDDEN, error)
    }

    /// A cursor that leads nowhere.
    pub(super) fn lost_cursor(status: u16, kind: &str, UnknownCursor { param, id }: UnknownCursor) -> Self {
        let Self(_, error) = Self::missing(kind, param, &id);
        Self(StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND), error)
    }

    /// An object of the mode that this key is not for.
    pub(super) fn other_mode(kind: &str, param: &str, id: &str, live: bool) -> Self {
        let (theirs, ours) = if live { ("test", "live") } else { ("live", "test") };
        let message = format!(
            "No such {kind}: '{id}'; a similar object exists in {theirs} mode, but a {ours} mode key was used to \
             make this request."
        );
        Self::coded(StatusCode::NOT_FOUND, "resource_missing", param, message)
    }

    /// Says where the call can be looked up, as Stripe does.
    pub(super) fn logged(mut self, request: &str, live: bool) -> Self {
        let mode = if live { "" } else { "test/" };
        let url = format!("https://dashboard.stripe.com/{mode}logs/{request}?t=0");
        self.1["request_log_url"] = url.into();
        self
    }
}

fn doc_url(code: &str) -> String {
    format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The shape of errors that have no cause of their own, such as a 503.
pub(crate) fn plain(status: StatusCode) -> Value {
    match status {
        StatusCode::TOO_MANY_REQUESTS => json!({ "error": {
            "code": "rate_limit", "doc_url": doc_url("rate_limit"),
            "message": "Request rate limit exceeded. You can learn more about rate limits here \
                        https://stripe.com/docs/rate-limits.",
            "type": "invalid_request_error",
        } }),
        status if status.is_server_error() => json!({ "error": {
            "message": "An unknown error occurred. Please try again.", "type": "api_error",
        } }),
        status => {
            let message = status.canonical_reason().unwrap_or("Error");
            json!({ "error": { "message": message, "type": "invalid_request_error" } })
        }
    }
}

/// The 429 that is about one object rather than about speed.
pub(crate) fn lock_timeout() -> Value {
    json!({ "error": {
        "code": "lock_timeout", "doc_url": doc_url("lock_timeout"),
        "message": "This object cannot be accessed right now because another API request or Stripe process is \
                    currently accessing it. If you see this error intermittently, retry the request.",
        "type": "invalid_request_error",
    } })
}
