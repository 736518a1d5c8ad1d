//! What stands around the API's handlers: a request id on every answer, and the caller's key.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request as Call, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use crate::stripe::objects;
use crate::stripe::state::Stripe;

/// Which limit a 429 is about.
pub(crate) const LIMITED: &str = "stripe-rate-limited-reason";

/// What `request-id` says about a call.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(super) String);

/// The key, then "read only".
pub(crate) async fn authorize(
    State(stripe): State<Arc<Stripe>>,
    Extension(RequestId(request)): Extension<RequestId>,
    mut call: Call,
    next: Next,
) -> Response {
    match stripe.with(|world| Caller::identify(world, call.headers())) {
        Err(failure) => failure.into_response(),
        Ok(caller) if call.method() != Method::GET => {
            caller.refusal("").logged(&request, caller.live()).into_response()
        }
        Ok(caller) => {
            call.extensions_mut().insert(caller);
            next.run(call).await
        }
    }
}

/// A request id on whatever is answered, injected faults included.
pub(crate) async fn with_headers(mut call: Call, next: Next) -> Response {
    let id = objects::fresh_id("req");
    let version = call.headers().get("stripe-version").cloned();
    call.extensions_mut().insert(RequestId(id.clone()));
    let mut answer = next.run(call).await;
    let limited = answer.status() == StatusCode::TOO_MANY_REQUESTS;
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("request-id", id);
    }
    if limited && !headers.contains_key(LIMITED) {
        headers.insert(LIMITED, HeaderValue::from_static("global-rate"));
    }
    headers
        .insert("stripe-version", version.unwrap_or_else(|| HeaderValue::from_static(objects::API_VERSION)));
    answer
}
