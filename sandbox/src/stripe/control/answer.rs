//! What every control call of a test gets and gives back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::stripe::state::Stripe;

pub(super) type Answer = Result<Json<Value>, Refusal>;
pub(super) type Shared = State<Arc<Stripe>>;

pub(super) fn created(id: String) -> Json<Value> {
    Json(json!({ "id": Value::String(id) }))
}
