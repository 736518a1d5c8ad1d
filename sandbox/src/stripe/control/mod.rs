//! The control API of the fake Stripe. In: what a test wants to happen. Out: ids, events, delivery results.

mod answer;
mod catalogue;
mod checkout;
mod delivery;
mod payments;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::Stripe;
use super::world::due::Move;
use super::world::keys::{KeyChange, NewKey};
use super::world::pause::{PauseCause, ResumeOn};
use super::world::versions;
use super::world::{NewCustomer, NewSubscription, Settings};
use crate::refusal::Refusal;
use answer::{Answer, Shared, created};

pub(crate) fn routes() -> Router<Arc<Stripe>> {
    Router::new()
        .route("/customers", post(create_customer))
        .route("/customers/{id}", patch(update_customer).delete(delete_customer))
        .merge(catalogue::routes())
        .merge(checkout::routes())
        .merge(payments::routes())
        .route("/subscriptions", post(subscribe))
        .route("/subscriptions/{id}", post(set_subscription).delete(cancel))
        .route("/subscriptions/{id}/portal_cancel", post(portal_cancel))
        .route("/subscriptions/{id}/pause", post(pause))
        .route("/subscriptions/{id}/resume", post(resume))
        .route("/keys", post(create_key))
        .route("/keys/{key}", patch(change_key))
        .route("/portal", patch(change_portal))
        .route("/clock", get(clock).post(move_clock))
        .route("/settings", post(set_settings))
        .merge(delivery::routes())
}

async fn create_customer(State(stripe): Shared, Json(params): Json<NewCustomer>) -> Json<Value> {
    created(stripe.with(|world| world.create_customer(&params)))
}

async fn update_customer(State(stripe): Shared, Path(id): Path<String>, Json(change): Json<Value>) -> Answer {
    stripe.with(|world| world.update_customer(&id, &change))?;
    Ok(created(id))
}

async fn delete_customer(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.delete_customer(&id))?;
    Ok(created(id))
}

async fn subscribe(State(stripe): Shared, Json(params): Json<NewSubscription>) -> Answer {
    stripe.with(|world| world.subscribe(&params)).map(created)
}

async fn set_subscription(
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(change): Json<Value>,
) -> Answer {
    stripe.with(|world| world.set_subscription(&id, change))?;
    Ok(created(id))
}

async fn portal_cancel(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.cancel_in_portal(&id))?;
    Ok(created(id))
}

#[derive(Deserialize)]
struct Pause {
    #[serde(default)]
    cause: PauseCause,
}

async fn pause(State(stripe): Shared, Path(id): Path<String>, Json(order): Json<Pause>) -> Answer {
    stripe.with(|world| world.pause(&id, order.cause))?;
    Ok(created(id))
}

#[derive(Deserialize)]
struct Resume {
    #[serde(default)]
    payment_behavior: ResumeOn,
}

async fn resume(State(stripe): Shared, Path(id): Path<String>, Json(order): Json<Resume>) -> Answer {
    stripe.with(|world| world.resume(&id, order.payment_behavior))?;
    Ok(created(id))
}

async fn create_key(State(stripe): Shared, Json(params): Json<NewKey>) -> Answer {
    let key = stripe.with(|world| world.create_key(params))?;
    Ok(Json(json!({ "key": key })))
}

async fn change_key(State(stripe): Shared, Path(key): Path<String>, Json(change): Json<KeyChange>) -> Answer {
    stripe.with(|world| world.change_key(&key, change))?;
    Ok(Json(json!({ "key": key })))
}

async fn change_portal(State(stripe): Shared, Json(change): Json<Value>) -> Answer {
    stripe.with(|world| world.change_portal(&change))?;
    Ok(Json(json!({})))
}

async fn cancel(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    let change = json!({ "status": "canceled" });
    stripe.with(|world| world.set_subscription(&id, change))?;
    Ok(created(id))
}

async fn clock(State(stripe): Shared) -> Json<Value> {
    Json(json!({ "now": stripe.with(|world| world.now()) }))
}

async fn move_clock(State(stripe): Shared, Json(params): Json<Move>) -> Answer {
    let now = stripe.with(|world| world.move_clock(&params))?;
    Ok(Json(json!({ "now": now })))
}

async fn set_settings(State(stripe): Shared, Json(settings): Json<Settings>) -> Answer {
    if !matches!(settings.lost_cursor_status, 400 | 404) {
        return Err(Refusal::malformed("lost_cursor_status: 400 or 404"));
    }
    versions::known(&settings.api_version)
        .ok_or_else(|| Refusal::malformed("api_version: YYYY-MM-DD[.name]"))?;
    stripe.with(|world| world.settings = settings);
    Ok(Json(json!({})))
}
