//! Control of what is for sale. In: parameters of products, prices and payment links. Out: their ids.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{patch, post};
use axum::{Json, Router};
use serde_json::Value;

use super::answer::{Answer, Shared, created};
use crate::stripe::kinds::Kind;
use crate::stripe::state::Stripe;
use crate::stripe::world::catalogue::{NewFeature, NewLink, NewPrice, NewProduct};
use crate::stripe::world::trial_offers::NewTrialOffer;

pub(super) fn routes() -> Router<Arc<Stripe>> {
    let update = |kind| patch(move |stripe, id, params| change(kind, stripe, id, params));
    let delete = |kind| move |stripe, id| delete(kind, stripe, id);
    Router::new()
        .route("/products", post(create_product))
        .route("/products/{id}", update(Kind::Product).delete(delete(Kind::Product)))
        .route("/products/{id}/features", post(add_feature))
        .route("/prices", post(create_price))
        .route("/prices/{id}", update(Kind::Price).delete(delete(Kind::Price)))
        .route("/trial_offers", post(create_trial_offer))
        .route("/payment_links", post(create_link))
        .route("/payment_links/{id}", update(Kind::PaymentLink))
}

async fn create_product(State(stripe): Shared, Json(params): Json<NewProduct>) -> Json<Value> {
    created(stripe.with(|world| world.create_product(&params)))
}

async fn add_feature(State(stripe): Shared, Path(id): Path<String>, Json(new): Json<NewFeature>) -> Answer {
    stripe.with(|world| world.add_feature(&id, &new)).map(created)
}

async fn create_price(State(stripe): Shared, Json(params): Json<NewPrice>) -> Answer {
    stripe.with(|world| world.create_price(&params)).map(created)
}

async fn create_trial_offer(State(stripe): Shared, Json(new): Json<NewTrialOffer>) -> Answer {
    stripe.with(|world| world.create_trial_offer(&new)).map(created)
}

async fn create_link(State(stripe): Shared, Json(params): Json<NewLink>) -> Answer {
    stripe.with(|world| world.create_link(&params)).map(created)
}

async fn change(
    kind: Kind,
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(params): Json<Value>,
) -> Answer {
    stripe.with(|world| world.change_catalogue(kind, &id, params))?;
    Ok(created(id))
}

async fn delete(kind: Kind, State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.delete_from_catalogue(kind, &id))?;
    Ok(created(id))
}
