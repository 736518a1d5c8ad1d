//! The control API of the fake Stripe. In: what a test wants to happen. Out: ids, events, delivery results.

mod catalogue;
mod checkout;
mod payments;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Stripe;
use super::courier::accepted;
use super::kinds::Kind;
use super::records::{Attempt, Delivery, Mode, Released};
use super::sign;
use super::world::{NewCustomer, NewSubscription, Webhook};
use crate::clock;
use crate::refusal::Refusal;

type Answer = Result<Json<Value>, Refusal>;
type Shared = State<Arc<Stripe>>;

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    Router::new()
        .route("/customers", post(create_customer))
        .route("/customers/{id}", patch(update_customer).delete(delete_customer))
        .merge(catalogue::routes())
        .merge(checkout::routes())
        .merge(payments::routes())
        .route("/subscriptions", post(subscribe))
        .route("/subscriptions/{id}", post(set_subscription).delete(cancel))
        .route("/webhook", post(set_webhook))
        .route("/delivery", post(set_mode))
        .route("/deliveries", get(deliveries))
        .route("/deliveries/release", post(release))
        .route("/events", get(events))
        .route("/events/{id}/deliver", post(deliver))
        .route("/sign", post(sign_body))
        .route("/post_event", post(post_event))
}

fn created(id: String) -> Json<Value> {
    Json(json!({ "id": Value::String(id) }))
}

async fn create_customer(State(stripe): Shared, Json(wish): Json<NewCustomer>) -> Json<Value> {
    created(stripe.with(|world| world.create_customer(&wish)))
}

async fn update_customer(State(stripe): Shared, Path(id): Path<String>, Json(change): Json<Value>) -> Answer {
    stripe.with(|world| world.update_customer(&id, &change))?;
    Ok(created(id))
}

async fn delete_customer(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.delete_customer(&id))?;
    Ok(created(id))
}

async fn subscribe(State(stripe): Shared, Json(wish): Json<NewSubscription>) -> Answer {
    stripe.with(|world| world.subscribe(&wish)).map(created)
}

async fn set_subscription(
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(change): Json<Value>,
) -> Answer {
    stripe.with(|world| world.set_subscription(&id, change))?;
    Ok(created(id))
}

async fn cancel(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    let change = json!({ "status": "canceled" });
    stripe.with(|world| world.set_subscription(&id, change))?;
    Ok(created(id))
}

#[derive(Deserialize)]
struct NewWebhook {
    url: String,
    secret: String,
}

async fn set_webhook(State(stripe): Shared, Json(wish): Json<NewWebhook>) -> Json<Value> {
    let webhook = Webhook { url: wish.url, secret: wish.secret };
    stripe.with(|world| world.webhook = Some(webhook));
    Json(json!({}))
}

#[derive(Deserialize)]
struct NewMode {
    mode: Mode,
}

async fn set_mode(State(stripe): Shared, Json(wish): Json<NewMode>) -> Json<Value> {
    stripe.with(|world| world.mode = wish.mode);
    Json(json!({}))
}

async fn events(State(stripe): Shared) -> Json<Vec<Value>> {
    Json(stripe.with(|world| world.shelf(Kind::Event).oldest_first().cloned().collect()))
}

async fn deliveries(State(stripe): Shared) -> Json<Vec<Attempt>> {
    Json(stripe.with(|world| world.attempts.clone()))
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    order: Vec<String>,
}

/// One after another, each awaited; what the receiver refuses is retried like any other event.
async fn release(
    State(stripe): Shared,
    Json(Release { order }): Json<Release>,
) -> Result<Json<Vec<Released>>, Refusal> {
    let events = stripe.with(|world| {
        let order = if order.is_empty() { world.held.clone() } else { order };
        world.held.retain(|held| !order.contains(held));
        let find = |id: &String| {
            world.shelf(Kind::Event).get(id).cloned().ok_or_else(|| Refusal::missing(format!("event: {id}")))
        };
        order.iter().map(find).collect::<Result<Vec<_>, _>>()
    })?;
    let mut released = Vec::new();
    for event in events {
        let delivery = stripe.deliver(&event).await.ok_or_else(no_endpoint)?;
        released.push(Released {
            event: super::world::id_of(&event),
            status: (delivery.status != 0).then_some(delivery.status),
        });
        if !accepted(&delivery) {
            stripe.spawn_delivery(event, 1);
        }
    }
    Ok(Json(released))
}

#[derive(Deserialize)]
struct Copies {
    copies: Option<usize>,
    #[serde(default)]
    parallel: bool,
}

async fn deliver(
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(wish): Json<Copies>,
) -> Result<Json<Vec<Delivery>>, Refusal> {
    let event = stripe.with(|world| world.shelf(Kind::Event).get(&id).cloned());
    let event = event.ok_or_else(|| Refusal::missing(format!("event: {id}")))?;
    let copies = (0..wish.copies.unwrap_or(1)).map(|_| stripe.deliver(&event));
    let delivered: Option<Vec<Delivery>> = if wish.parallel {
        futures::future::join_all(copies).await.into_iter().collect()
    } else {
        let mut one_by_one = Vec::new();
        for copy in copies {
            one_by_one.push(copy.await);
        }
        one_by_one.into_iter().collect()
    };
    delivered.map(Json).ok_or_else(no_endpoint)
}

async fn sign_body(State(stripe): Shared, body: Bytes) -> Answer {
    let webhook = stripe.with(|world| world.webhook.clone()).ok_or_else(no_endpoint)?;
    Ok(Json(json!({ "header": sign::header(&webhook.secret, clock::unix(), &body) })))
}

async fn post_event(
    State(stripe): Shared,
    Json(event): Json<Value>,
) -> Result<(StatusCode, Json<Delivery>), Refusal> {
    let delivery = stripe.deliver(&event).await.ok_or_else(no_endpoint)?;
    Ok((StatusCode::OK, Json(delivery)))
}

fn no_endpoint() -> Refusal {
    Refusal::conflict("no webhook endpoint is set")
}
