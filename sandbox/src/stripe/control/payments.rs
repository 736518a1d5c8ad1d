//! Control of money. In: how customers pay, what banks and owners do about it. Out: ids.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::answer::{Answer, Shared, created};
use crate::stripe::state::Stripe;
use crate::stripe::world::disputes::Stage;
use crate::stripe::world::reversals::{NewDispute, NewRefund, Verdict};
use crate::stripe::world::{InvoiceStep, Payer};

pub(super) fn routes() -> Router<Arc<Stripe>> {
    Router::new()
        .route("/customers/{id}/payer", post(set_payer))
        .route("/subscriptions/{id}/invoices", post(bill))
        .route("/invoices/{id}/{step}", post(step_invoice))
        .route("/refunds", post(refund))
        .route("/refunds/{id}/fail", post(fail_refund))
        .route("/disputes", post(dispute))
        .route("/disputes/{id}", post(advance_dispute))
        .route("/disputes/{id}/close", post(close_dispute))
}

#[derive(Deserialize)]
struct NewPayer {
    payer: Payer,
}

async fn set_payer(State(stripe): Shared, Path(id): Path<String>, Json(params): Json<NewPayer>) -> Answer {
    stripe.with(|world| world.set_payer(&id, params.payer))?;
    Ok(created(id))
}

async fn bill(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.bill_now(&id)).map(created)
}

async fn step_invoice(State(stripe): Shared, Path((id, step)): Path<(String, InvoiceStep)>) -> Answer {
    stripe.with(|world| world.step_invoice(&id, step))?;
    Ok(created(id))
}

async fn refund(State(stripe): Shared, Json(params): Json<NewRefund>) -> Answer {
    stripe.with(|world| world.refund(&params)).map(created)
}

async fn fail_refund(State(stripe): Shared, Path(id): Path<String>) -> Answer {
    stripe.with(|world| world.fail_refund(&id))?;
    Ok(created(id))
}

async fn dispute(State(stripe): Shared, Json(params): Json<NewDispute>) -> Answer {
    stripe.with(|world| world.dispute(&params)).map(created)
}

#[derive(Deserialize)]
struct Advanced {
    status: Stage,
}

async fn advance_dispute(
    State(stripe): Shared,
    Path(id): Path<String>,
    Json(order): Json<Advanced>,
) -> Answer {
    stripe.with(|world| world.advance_dispute(&id, order.status))?;
    Ok(created(id))
}

#[derive(Deserialize)]
struct Closed {
    status: Verdict,
}

async fn close_dispute(State(stripe): Shared, Path(id): Path<String>, Json(params): Json<Closed>) -> Answer {
    stripe.with(|world| world.close_dispute(&id, params.status))?;
    Ok(created(id))
}
