//! The read half of Stripe's API. In: GETs with a key. Out: objects, pages, and errors in Stripe's words.

mod asked;
mod caller;
mod expand;
mod failure;
mod filters;
mod lists;
mod references;

use std::sync::Arc;

use axum::extract::{Request as Call, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::Stripe;
use super::kinds::Kind;
use super::objects;
use caller::Caller;
use failure::Failure;

pub(crate) use failure::{lock_timeout, plain};

/// What `request-id` says about a call.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(String);

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    let mut routes = Router::new()
        .route("/account", get(lists::account))
        .route("/subscription_items", get(lists::subscription_items));
    for kind in Kind::ALL {
        let path = kind.path();
        let page = move |parts| lists::page(kind, parts);
        let single = move |id, parts| lists::single(kind, id, parts);
        routes = routes.route(path, get(page)).route(&format!("{path}/{{id}}"), get(single));
        if kind.has_line_items() {
            let lines = move |id, parts| lists::line_items(kind, id, parts);
            routes = routes.route(&format!("{path}/{{id}}/line_items"), get(lines));
        }
    }
    for (kind, of, field) in [
        (Kind::Charge, "refund", "refunds"),
        (Kind::Invoice, "line_item", "lines"),
        (Kind::Customer, "subscription", "subscriptions"),
    ] {
        let inside = move |id, parts| lists::sublist(kind, of, field, id, parts);
        routes = routes.route(&format!("{}/{{id}}/{field}", kind.path()), get(inside));
    }
    routes.fallback(unknown)
}

/// Middleware: the key, then "read only".
pub(crate) async fn guard(
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

/// Middleware: a request id on whatever is answered, ordered faults included.
pub(crate) async fn stamp(mut call: Call, next: Next) -> Response {
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

/// Which limit a 429 is about.
pub(crate) const LIMITED: &str = "stripe-rate-limited-reason";

async fn unknown(call: Call) -> Failure {
    let message = format!("Unrecognized request URL ({}: /v1{}).", call.method(), call.uri().path());
    Failure::new(StatusCode::NOT_FOUND, message)
}
