//! `/healthz`: the process is alive. `/readyz`: it can do its work, or says what it waits for. The same in both services.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use sqlx::PgPool;

use crate::store::database::readiness;

/// Both routes, for any router.
pub fn routes<S: Clone + Send + Sync + 'static>(pool: PgPool) -> Router<S> {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(move || async move { ready(&pool).await }))
}

/// Ready, or 503 with the reason. The reason names no host: the gateway's route is public.
async fn ready(pool: &PgPool) -> Response {
    match readiness(pool).await.waits_for() {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "waiting", "for": what })))
            .into_response(),
    }
}
