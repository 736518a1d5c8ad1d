//! The read half of Stripe's API. In: GETs with a key. Out: objects, pages, and errors in Stripe's words.

mod asked;
mod caller;
mod expand;
mod failure;
mod filters;
mod lists;
mod middleware;
mod references;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request as Call;
use axum::http::StatusCode;
use axum::routing::get;

use super::kinds::Kind;
use super::state::Stripe;
use failure::Failure;

pub(crate) use failure::{lock_timeout, plain};
pub(crate) use middleware::{LIMITED, authorize, with_headers};

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    let mut routes = Router::new()
        .route("/account", get(lists::account))
        .route("/accounts", get(lists::connected_accounts))
        .route("/accounts/{id}", get(lists::account_by_id))
        .route("/subscription_items", get(lists::subscription_items))
        .route("/products/{id}/features", get(lists::features))
        .route("/products/{id}/features/{feature}", get(lists::feature));
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
        (Kind::Customer, "source", "sources"),
    ] {
        let inside = move |id, parts| lists::sublist(kind, of, field, id, parts);
        routes = routes.route(&format!("{}/{{id}}/{field}", kind.path()), get(inside));
    }
    routes.fallback(unknown)
}

async fn unknown(call: Call) -> Failure {
    let message = format!("Unrecognized request URL ({}: /v1{}).", call.method(), call.uri().path());
    Failure::new(StatusCode::NOT_FOUND, message)
}
