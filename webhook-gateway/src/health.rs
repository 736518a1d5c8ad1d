//! `/healthz`: the process is alive. `/readyz`: it can do its work, or says what it waits for.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use shared::store::database::readiness;
use sqlx::PgPool;

/// Alive.
pub async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// Ready, or 503 with the reason. The reason names no host: this route is public.
pub async fn ready(pool: &PgPool) -> Response {
    match readiness(pool).await.waits_for() {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "waiting", "for": what })))
            .into_response(),
    }
}
