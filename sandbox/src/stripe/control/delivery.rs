//! Control of webhooks. In: endpoints, secrets, which events go out when and in which order. Out: what receivers said.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Shared, created};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::records::{Attempt, Delivery, Mode, Released};
use crate::stripe::state::Stripe;
use crate::stripe::webhook_delivery::accepted;
use crate::stripe::world::endpoints::{EndpointChange, NewEndpoint, Roll};
use crate::stripe::world::{Endpoint, Signing, World, id_of};

pub(super) fn routes() -> Router<Arc<Stripe>> {
    Router::new()
        .route("/webhook", post(set_webhook))
        .route("/webhook_endpoints", post(create_endpoint))
        .route("/webhook_endpoints/{id}", patch(change_endpoint).delete(delete_endpoint))
        .route("/webhook_endpoints/{id}/roll", post(roll))
        .route("/signing", post(set_signing))
        .route("/delivery", post(set_mode))
        .route("/deliveries", get(deliveries))
        .route("/deliveries/release", post(release))
        .route("/events", get(events))
        .route("/events/{id}/deliver", post(deliver))
        .route("/sign", post(sign_body))
        .route("/post_event", post(post_event))
}

#[derive(Deserialize)]
struct NewWebhook {
    url: String,
    secret: String,
}

async fn set_webhook(State(stripe): Shared, Json(params): Json<NewWebhook>) -> Json<Value> {
    stripe.with(|world| world.set_main_endpoint(params.url, params.secret));
    Json(json!({}))
}

async fn create_endpoint(State(stripe): Shared, Json(params): Json<NewEndpoint>) -> Answer {
    let (id, secret) = stripe.with(|world| world.create_endpoint(params))?;
    Ok(Json(json!({ "id": id, "secret": secret })))
}

async fn change_endpoint(
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(change): Json<EndpointChange>,
) -> Answer {
    stripe.with(|world| world.change_endpoint(&id, change))?;
    Ok(created(id))
}

async fn delete_endpoint(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.delete_endpoint(&id))?;
    Ok(created(id))
}

async fn roll(State(stripe): Shared, Path(id): Path<String>, Json(params): Json<Roll>) -> Answer {
    let secret = stripe.with(|world| world.roll_secret(&id, params))?;
    Ok(Json(json!({ "id": id, "secret": secret })))
}

async fn set_signing(State(stripe): Shared, Json(signing): Json<Signing>) -> Json<Value> {
    stripe.with(|world| world.signing = signing);
    Json(json!({}))
}

#[derive(Deserialize)]
struct NewMode {
    mode: Mode,
}

async fn set_mode(State(stripe): Shared, Json(params): Json<NewMode>) -> Json<Value> {
    stripe.with(|world| world.mode = params.mode);
    Json(json!({}))
}

async fn events(State(stripe): Shared) -> Json<Vec<Value>> {
    Json(stripe.with(|world| world.collection(Kind::Event).oldest_first().cloned().collect()))
}

async fn deliveries(State(stripe): Shared) -> Json<Vec<Attempt>> {
    Json(stripe.with(|world| world.attempts.clone()))
}

/// An event, as one endpoint is to get it.
struct PendingDelivery {
    event: Value,
    endpoint: Endpoint,
    body: Vec<u8>,
}

impl PendingDelivery {
    async fn send(&self, stripe: &Arc<Stripe>) -> Delivery {
        stripe.deliver(&self.endpoint, &self.event, self.body.clone()).await
    }
}

/// One delivery per endpoint that wants the event; the id of a thin twin means only those that are told of that.
fn pending_deliveries(world: &World, id: &str) -> Result<Vec<PendingDelivery>, Refusal> {
    let event = world.event(id).ok_or_else(|| Refusal::missing(format!("event: {id}")))?;
    let twin = id_of(event) != id;
    let pack = |endpoint: Endpoint| {
        let body = world.body_for(&endpoint, event);
        PendingDelivery { event: event.clone(), endpoint, body }
    };
    let told = world.audience(event).into_iter().filter(|endpoint| !twin || endpoint.id_of(event) == id);
    let pending_deliveries: Vec<PendingDelivery> = told.map(pack).collect();
    if pending_deliveries.is_empty() { Err(no_endpoint()) } else { Ok(pending_deliveries) }
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    order: Vec<String>,
}

/// One after another, each awaited; what a receiver refuses is retried like any other event. An event's status is that
/// of the first endpoint that refused it, else 2xx.
async fn release(
    State(stripe): Shared,
    Json(Release { order }): Json<Release>,
) -> Result<Json<Vec<Released>>, Refusal> {
    let events = stripe.with(|world| {
        let order = if order.is_empty() { world.held.clone() } else { order };
        world.held.retain(|held| !order.contains(held));
        order.iter().map(|id| pending_deliveries(world, id)).collect::<Result<Vec<_>, _>>()
    })?;
    let mut released = Vec::new();
    for pending_deliveries in events {
        let mut outcomes = Vec::new();
        for pending in &pending_deliveries {
            let delivery = pending.send(&stripe).await;
            if !accepted(&delivery) {
                stripe.spawn_delivery(pending.event.clone(), pending.endpoint.id.clone(), 1);
            }
            outcomes.push(delivery);
        }
        let telling = outcomes.iter().find(|delivery| !accepted(delivery)).or(outcomes.first());
        let event = pending_deliveries.first().map(|pending| id_of(&pending.event)).unwrap_or_default();
        let status = telling.map(|delivery| delivery.status).filter(|status| *status != 0);
        released.push(Released { event, status });
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
    Json(params): Json<Copies>,
) -> Result<Json<Vec<Delivery>>, Refusal> {
    let pending_deliveries = stripe.with(|world| pending_deliveries(world, &id))?;
    let copies = (0..params.copies.unwrap_or(1))
        .flat_map(|_| &pending_deliveries)
        .map(|pending| pending.send(&stripe));
    if params.parallel {
        return Ok(Json(futures::future::join_all(copies).await));
    }
    let mut one_by_one = Vec::new();
    for copy in copies {
        one_by_one.push(copy.await);
    }
    Ok(Json(one_by_one))
}

/// Who is meant, by id; the first endpoint unless said.
#[derive(Deserialize)]
struct Addressee {
    endpoint: Option<String>,
}

impl Addressee {
    fn find(&self, stripe: &Arc<Stripe>) -> Result<Endpoint, Refusal> {
        let found = stripe.with(|world| match &self.endpoint {
            Some(id) => world.endpoint(id),
            None => world.first_endpoint(),
        });
        found.ok_or_else(no_endpoint)
    }
}

async fn sign_body(State(stripe): Shared, Query(to): Query<Addressee>, body: Bytes) -> Answer {
    let endpoint = to.find(&stripe)?;
    Ok(Json(json!({ "header": stripe.with(|world| world.signature(&endpoint, &body)) })))
}

/// As it is: not rendered for the endpoint's version, and not checked.
async fn post_event(
    State(stripe): Shared,
    Query(to): Query<Addressee>,
    Json(event): Json<Value>,
) -> Result<Json<Delivery>, Refusal> {
    let endpoint = to.find(&stripe)?;
    let body = serde_json::to_vec_pretty(&event).unwrap_or_default();
    Ok(Json(stripe.deliver(&endpoint, &event, body).await))
}

fn no_endpoint() -> Refusal {
    Refusal::conflict("no webhook endpoint wants this")
}
