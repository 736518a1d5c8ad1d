//! `/healthz`: the process is alive. `/readyz`: database and schema are there. The worker needs no Gateway connection,
//! so a Gateway outage is no reason to be restarted.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use shared::store::database::readiness;
use sqlx::PgPool;

/// Both routes.
pub fn app(pool: PgPool) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(move || async move { ready(&pool).await }))
}

async fn ready(pool: &PgPool) -> Response {
    match readiness(pool).await.waits_for() {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "waiting", "for": what })))
            .into_response(),
    }
}
