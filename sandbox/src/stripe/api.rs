//! The read half of Stripe's API. In: GETs with a restricted key. Out: objects, pages, and errors in Stripe's words.

use std::sync::Arc;

use axum::extract::{Path, Query, RawQuery, Request as Call, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Stripe;
use super::objects;
use super::shelf::{Cursor, Shelf, UnknownCursor};
use super::world::World;

/// The one key every fake Stripe accepts.
pub const KEY: &str = "rk_test_sandbox";
/// `rk_test_sandbox:` in base64, as HTTP Basic sends it.
const BASIC: &str = "Basic cmtfdGVzdF9zYW5kYm94Og==";

/// An error in Stripe's shape.
pub(crate) struct Failure(StatusCode, Value);

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self(status, json!({ "type": "invalid_request_error", "message": message }))
    }

    fn missing(kind: &str, param: &str, id: &str) -> Self {
        let message = format!("No such {kind}: '{id}'");
        let error = json!({
            "code": "resource_missing", "type": "invalid_request_error", "param": param, "message": message,
            "doc_url": "https://stripe.com/docs/error-codes/resource-missing",
        });
        Self(StatusCode::NOT_FOUND, error)
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

type Answer = Result<Json<Value>, Failure>;
type Shared = State<Arc<Stripe>>;

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    Router::new()
        .route("/account", get(async || Json(objects::account())))
        .route("/customers", get(customers))
        .route("/customers/{id}", get(customer))
        .route("/subscriptions", get(subscriptions))
        .route("/subscriptions/{id}", get(subscription))
        .route("/products", get(products))
        .route("/products/{id}", get(product))
        .route("/prices", get(prices))
        .route("/prices/{id}", get(price))
        .route("/events", get(events))
        .route("/events/{id}", get(event))
        .fallback(unknown)
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

/// The query, with `key[]` and `key[0]` read as repetitions of `key`.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, Failure> {
        let uri = Uri::builder().path_and_query(format!("/?{}", query.unwrap_or_default())).build();
        let pairs = uri.ok().and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
        let Query(pairs) =
            pairs.ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, "Invalid query string"))?;
        let bare = |key: &str| key.split('[').next().unwrap_or_default().to_owned();
        Ok(Self(pairs.iter().map(|(key, value)| (bare(key), value.clone())).collect()))
    }

    fn all(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    fn one(&self, key: &str) -> Option<&str> {
        self.all(key).first().copied()
    }

    fn cursor(&self) -> Cursor {
        let limit = self.one("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
        Cursor {
            limit: limit.clamp(1, 100),
            starting_after: self.one("starting_after").map(ToOwned::to_owned),
            ending_before: self.one("ending_before").map(ToOwned::to_owned),
        }
    }
}

fn page(
    kind: &str,
    path: &str,
    shelf: &Shelf,
    asked: &Asked,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value, Failure> {
    let unknown = |UnknownCursor(id)| Failure::missing(kind, "starting_after", &id);
    let (data, has_more) = shelf.page(&asked.cursor(), wanted).map_err(unknown)?;
    Ok(objects::list(path, data, has_more))
}

fn one(kind: &str, shelf: &Shelf, id: &str) -> Result<Value, Failure> {
    shelf.get(id).cloned().ok_or_else(|| Failure::missing(kind, "id", id))
}

/// Puts the whole customer where only its id was.
fn expand_customer(world: &World, subscription: &mut Value) {
    let customer = subscription["customer"].as_str().and_then(|id| world.customers.get(id));
    if let Some(customer) = customer {
        subscription["customer"] = customer.clone();
    }
}

async fn customers(State(stripe): Shared, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    let wanted = |customer: &Value| {
        customer["deleted"] != true && asked.one("email").is_none_or(|email| customer["email"] == email)
    };
    stripe.with(|world| page("customer", "/v1/customers", &world.customers, &asked, wanted).map(Json))
}

async fn customer(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| one("customer", &world.customers, &id).map(Json))
}

async fn subscriptions(State(stripe): Shared, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    let wanted = |subscription: &Value| {
        let status = subscription["status"].as_str().unwrap_or_default();
        let status_fits = match asked.one("status") {
            None => status != "canceled",
            Some("all") => true,
            Some("ended") => matches!(status, "canceled" | "incomplete_expired"),
            Some(exactly) => status == exactly,
        };
        let has_price = |price: &str| {
            let items = subscription["items"]["data"].as_array();
            items.is_some_and(|items| items.iter().any(|item| item["price"]["id"] == price))
        };
        status_fits
            && asked.one("customer").is_none_or(|customer| subscription["customer"] == customer)
            && asked.one("price").is_none_or(has_price)
    };
    stripe.with(|world| {
        let mut list = page("subscription", "/v1/subscriptions", &world.subscriptions, &asked, wanted)?;
        if asked.all("expand").contains(&"data.customer") {
            for subscription in list["data"].as_array_mut().into_iter().flatten() {
                expand_customer(world, subscription);
            }
        }
        Ok(Json(list))
    })
}

async fn subscription(State(stripe): Shared, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    stripe.with(|world| {
        let mut subscription = one("subscription", &world.subscriptions, &id)?;
        if asked.all("expand").contains(&"customer") {
            expand_customer(world, &mut subscription);
        }
        Ok(Json(subscription))
    })
}

async fn products(State(stripe): Shared, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    stripe.with(|world| page("product", "/v1/products", &world.products, &asked, |_| true).map(Json))
}

async fn product(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| one("product", &world.products, &id).map(Json))
}

async fn prices(State(stripe): Shared, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    let wanted = |price: &Value| asked.one("product").is_none_or(|product| price["product"] == product);
    stripe.with(|world| page("price", "/v1/prices", &world.prices, &asked, wanted).map(Json))
}

async fn price(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| one("price", &world.prices, &id).map(Json))
}

async fn events(State(stripe): Shared, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    let kinds = [asked.all("types"), asked.all("type")].concat();
    let wanted =
        |event: &Value| kinds.is_empty() || event["type"].as_str().is_some_and(|kind| kinds.contains(&kind));
    stripe.with(|world| page("event", "/v1/events", &world.events, &asked, wanted).map(Json))
}

async fn event(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| one("event", &world.events, &id).map(Json))
}

async fn unknown(call: Call) -> Failure {
    let message = format!("Unrecognized request URL ({}: /v1{}).", call.method(), call.uri().path());
    Failure::new(StatusCode::NOT_FOUND, message)
}
