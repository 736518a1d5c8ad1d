//! The read half of Stripe's API. In: GETs with a restricted key. Out: objects, pages, and errors in Stripe's words.

mod asked;
mod failure;
mod filters;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, Request as Call, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use super::Stripe;
use super::kinds::Kind;
use super::objects;
use super::shelf::{Shelf, UnknownCursor};
use super::world::World;
use asked::Asked;
use failure::Failure;

pub(crate) use failure::plain;

/// The one key every fake Stripe accepts.
pub const KEY: &str = "rk_test_sandbox";
/// `rk_test_sandbox:` in base64, as HTTP Basic sends it.
const BASIC: &str = "Basic cmtfdGVzdF9zYW5kYm94Og==";

type Answer = Result<Json<Value>, Failure>;
type Shared = State<Arc<Stripe>>;

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    let mut routes = Router::new().route("/account", get(async || Json(objects::account())));
    for kind in Kind::ALL {
        let path = kind.path();
        let page = move |stripe, query| list(kind, stripe, query);
        let one = move |stripe, id, query| single(kind, stripe, id, query);
        routes = routes.route(path, get(page)).route(&format!("{path}/{{id}}"), get(one));
        if kind.has_line_items() {
            let lines = move |stripe, id, query| line_items(kind, stripe, id, query);
            routes = routes.route(&format!("{path}/{{id}}/line_items"), get(lines));
        }
    }
    routes.fallback(unknown)
}

/// Middleware: the key, then "read only".
pub(crate) async fn guard(call: Call, next: Next) -> Response {
    let sent = call.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match sent {
        None => Failure::new(StatusCode::UNAUTHORIZED, "You did not provide an API key.").into_response(),
        Some(sent) if sent != BASIC && sent.strip_prefix("Bearer ") != Some(KEY) => {
            let hint: String = sent.rsplit(' ').next().unwrap_or_default().chars().take(8).collect();
            let message = format!("Invalid API Key provided: {hint}***");
            Failure::new(StatusCode::UNAUTHORIZED, message).into_response()
        }
        Some(_) if call.method() != Method::GET => {
            let message = format!(
                "The provided key '{KEY}' does not have the required permissions for this endpoint on \
                 account 'acct_1SandboxNexrole'."
            );
            Failure::new(StatusCode::FORBIDDEN, message).into_response()
        }
        Some(_) => next.run(call).await,
    }
}

/// Middleware: a request id on whatever is answered, ordered faults included.
pub(crate) async fn stamp(call: Call, next: Next) -> Response {
    let mut answer = next.run(call).await;
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&objects::fresh_id("req")) {
        headers.insert("request-id", id);
    }
    headers.insert("stripe-version", HeaderValue::from_static(objects::API_VERSION));
    answer
}

async fn list(kind: Kind, State(stripe): Shared, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    asked.only(&filters::names(kind))?;
    let cursor = asked.cursor()?;
    stripe.with(|world| {
        // Filters are tried on one object first, so that a malformed one is told even when nothing is there.
        filters::pass(kind, &asked, &Value::Null)?;
        let wanted = |object: &Value| filters::pass(kind, &asked, object).unwrap_or(false);
        let unknown = |UnknownCursor(id)| {
            let param = if cursor.ending_before.is_some() { "ending_before" } else { "starting_after" };
            Failure::missing(kind.object(), param, &id)
        };
        let (data, has_more) = world.shelf(kind).page(&cursor, false, wanted).map_err(unknown)?;
        let mut page = objects::list(&format!("/v1{}", kind.path()), data, has_more);
        if asked.all("expand").contains(&"data.customer") {
            for object in page["data"].as_array_mut().into_iter().flatten() {
                expand_customer(world, object);
            }
        }
        Ok(Json(page))
    })
}

async fn single(
    kind: Kind,
    State(stripe): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    stripe.with(|world| {
        let mut object = find(kind, world, &id)?;
        if asked.all("expand").contains(&"customer") {
            expand_customer(world, &mut object);
        }
        Ok(Json(object))
    })
}

async fn line_items(
    kind: Kind,
    State(stripe): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    asked.only(&[])?;
    let cursor = asked.cursor()?;
    stripe.with(|world| {
        find(kind, world, &id)?;
        let lines = world.lines.get(&id).cloned().unwrap_or_default();
        // Lines are shown in their own order, so that the shelf's "newest first" is turned round.
        let mut shelf = Shelf::default();
        lines.into_iter().rev().for_each(|line| shelf.add(line, false));
        let missing = |UnknownCursor(id)| Failure::missing("item", "starting_after", &id);
        let (data, has_more) = shelf.page(&cursor, false, |_| true).map_err(missing)?;
        Ok(Json(objects::list(&format!("/v1{}/{id}/line_items", kind.path()), data, has_more)))
    })
}

/// Only of customers does Stripe still show a stub when they are deleted.
fn find(kind: Kind, world: &World, id: &str) -> Result<Value, Failure> {
    let there = |object: &&Value| kind == Kind::Customer || object["deleted"] != true;
    let object = world.shelf(kind).get(id).filter(there).cloned();
    object.ok_or_else(|| Failure::missing(kind.object(), kind.id_param(), id))
}

/// Puts the whole customer where only its id was.
fn expand_customer(world: &World, object: &mut Value) {
    let customer = object["customer"].as_str().and_then(|id| world.shelf(Kind::Customer).get(id));
    if let Some(customer) = customer {
        object["customer"] = customer.clone();
    }
}

async fn unknown(call: Call) -> Failure {
    let message = format!("Unrecognized request URL ({}: /v1{}).", call.method(), call.uri().path());
    Failure::new(StatusCode::NOT_FOUND, message)
}
