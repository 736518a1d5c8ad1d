//! `/healthz`: the process is alive. `/readyz`: it can do its work, or says what it waits for.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use shared::store::database::{Readiness, readiness};
use sqlx::PgPool;

/// Alive.
pub async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// Ready, or 503 with the reason. The reason names no host: this route is public.
pub async fn ready(pool: &PgPool) -> Response {
    let waits_for = match readiness(pool).await {
        Readiness::Ready => return Json(json!({ "status": "ready" })).into_response(),
        Readiness::SchemaBehind => "the schema is behind this release: run `nexrole migrate`",
        Readiness::Away(error) => {
            tracing::warn!(error, "the database does not answer");
            "the database does not answer"
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "waiting", "for": waits_for }))).into_response()
}
