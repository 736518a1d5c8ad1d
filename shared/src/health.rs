//! `/healthz`: the process is alive. `/readyz`: it can do its work, or says what it waits for. The same in both services.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{db::pool::Pool, http::problem::Problem};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::db::readiness::{Readiness, readiness};

/// How long an answer of `/readyz` is reused. It is public: many who ask cost the database one query.
const READINESS_TTL: Duration = Duration::from_millis(500);
/// A database that takes longer to say how it is does not answer. Whoever asks meanwhile waits for the same answer, and most
/// probes give up after ten seconds.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Both routes, for any router. `complaint` is what a ready service says of something that does not hold its work up; the
/// route may be public.
pub fn routes_with<S: Clone + Send + Sync + 'static>(
    pool: Pool,
    complaint: impl Fn() -> Option<String> + Clone + Send + Sync + 'static,
) -> Router<S> {
    let readiness = ReadinessProbe::new(pool);
    let ready = get(async move || readiness.answer(complaint()).await);
    Router::new().route("/healthz", get(alive)).route("/readyz", ready)
}

/// `/healthz`.
pub async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// Answers `/readyz`.
#[derive(Debug, Clone)]
pub struct ReadinessProbe {
    pool: Pool,
    last: Arc<Mutex<Option<Checked>>>,
}

/// When, and what the database was found to wait for.
type Checked = (Instant, Option<&'static str>);

impl ReadinessProbe {
    pub fn new(pool: Pool) -> Self {
        Self { pool, last: Arc::default() }
    }

    /// Ready, or 503 with the reason. The reason names no host: the gateway's route is public.
    pub async fn answer(&self, complaint: Option<String>) -> Response {
        match (self.check().await, complaint) {
            (None, None) => Json(json!({ "status": "ready" })).into_response(),
            (None, Some(detail)) => Json(json!({ "status": "ready", "detail": detail })).into_response(),
            (Some(what), _) => {
                Problem::new("not_ready", StatusCode::SERVICE_UNAVAILABLE, "Not ready", what).into_response()
            }
        }
    }

    /// What the database waits for. Whoever asks during one check waits for its result.
    async fn check(&self) -> Option<&'static str> {
        let mut last = self.last.lock().await;
        if let Some((at, waits_for)) = *last
            && at.elapsed() < READINESS_TTL
        {
            return waits_for;
        }
        let checked = tokio::time::timeout(CHECK_TIMEOUT, readiness(&self.pool)).await;
        let silent = || Readiness::Away(format!("silent for {} seconds", CHECK_TIMEOUT.as_secs()));
        let waits_for = checked.unwrap_or_else(|_| silent()).waits_for();
        *last = Some((Instant::now(), waits_for));
        waits_for
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::db::{pg_roles::Login, pool};

    #[tokio::test]
    async fn a_database_that_takes_connections_and_says_nothing_is_away_within_seconds() {
        let black_hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://nobody@{}/x?sslmode=disable", black_hole.local_addr().unwrap());
        let probe = ReadinessProbe::new(pool::pool(&url, 2, Login::Gateway).unwrap());
        let began = Instant::now();
        // Those who ask at the same time share one check.
        let (one, other, third) = tokio::join!(probe.answer(None), probe.answer(None), probe.answer(None));
        for answer in [one, other, third] {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    }
}
