//! `/healthz`: the process is alive. `/readyz`: database and schema are there. The worker needs no Gateway connection,
//! so a Gateway outage is no reason to be restarted.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use shared::store::database::{Readiness, readiness};
use sqlx::PgPool;

/// Both routes.
pub fn app(pool: PgPool) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(move || async move { ready(&pool).await }))
}

async fn ready(pool: &PgPool) -> Response {
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
