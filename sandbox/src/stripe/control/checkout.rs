//! Control of Checkout. In: buyers on payment links and sessions. Out: the session, and what its purchase led to.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::answer::{Answer, Shared, created};
use crate::stripe::state::Stripe;
use crate::stripe::world::checkout::{NewSession, Purchase};

pub(super) fn routes() -> Router<Arc<Stripe>> {
    Router::new()
        .route("/checkout/sessions", post(open))
        .route("/checkout/sessions/{id}/complete", post(complete))
        .route("/checkout/sessions/{id}/expire", post(expire))
        .route("/checkout/sessions/{id}/settle", post(settle))
        .route("/payment_links/{id}/buy", post(buy))
}

async fn open(State(stripe): Shared, Json(params): Json<NewSession>) -> Answer {
    stripe.with(|world| world.open_session(&params)).map(created)
}

async fn complete(State(stripe): Shared, Path(id): Path<String>, Json(params): Json<Purchase>) -> Answer {
    stripe.with(|world| world.complete_session(&id, &params)).map(Json)
}

async fn expire(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.expire_session(&id))?;
    Ok(created(id))
}

#[derive(Deserialize)]
struct Settled {
    paid: bool,
}

async fn settle(
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(Settled { paid }): Json<Settled>,
) -> Answer {
    stripe.with(|world| world.settle_session(&id, paid))?;
    Ok(created(id))
}

/// A session and its purchase in one.
#[derive(Deserialize)]
struct Visit {
    #[serde(flatten)]
    session: NewSession,
    #[serde(flatten)]
    purchase: Purchase,
}

async fn buy(State(stripe): Shared, Path(id): Path<String>, Json(visit): Json<Visit>) -> Answer {
    let mut params = visit.session;
    params.payment_link = Some(id);
    let outcome = stripe.with(|world| {
        let session = world.open_session(&params)?;
        world.complete_session(&session, &visit.purchase)
    });
    outcome.map(Json)
}
