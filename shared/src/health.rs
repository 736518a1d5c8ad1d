//! `/healthz`: the process is alive. `/readyz`: it can do its work, or says what it waits for. The same in both services.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{http::problem::Problem, store::database::Pool};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::store::database::readiness;

/// How long an answer of `/readyz` stands. It is public: many who ask cost the database one query.
const STANDS: Duration = Duration::from_millis(500);

/// Both routes, for any router.
pub fn routes<S: Clone + Send + Sync + 'static>(pool: Pool) -> Router<S> {
    Router::new().route("/healthz", alive()).route("/readyz", ready(pool))
}

/// `/healthz`.
pub fn alive<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    get(|| async { Json(json!({ "status": "alive" })) })
}

/// `/readyz`.
pub fn ready<S: Clone + Send + Sync + 'static>(pool: Pool) -> MethodRouter<S> {
    let last = Arc::new(Mutex::new(None));
    get(move || async move { look(&pool, &last).await })
}

type Answer = (Instant, Option<&'static str>);

/// Ready, or 503 with the reason. The reason names no host: the gateway's route is public.
async fn look(pool: &Pool, last: &Mutex<Option<Answer>>) -> Response {
    // Whoever comes while one looks waits for that one's answer.
    let mut last = last.lock().await;
    let waits_for = match *last {
        Some((at, waits_for)) if at.elapsed() < STANDS => waits_for,
        _ => {
            let waits_for = readiness(pool).await.waits_for();
            *last = Some((Instant::now(), waits_for));
            waits_for
        }
    };
    drop(last);
    match waits_for {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(what) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not ready", what).into_response(),
    }
}
