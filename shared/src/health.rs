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
    routing::{MethodRouter, get},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::db::readiness::{Readiness, readiness};

/// How long an answer of `/readyz` stands. It is public: many who ask cost the database one query.
const STANDS: Duration = Duration::from_millis(500);
/// A database that takes longer to say how it is does not answer. Whoever asks meanwhile waits for the same answer, and most
/// probes give up after ten seconds.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Both routes, for any router. `complaint` is what a ready service says of something that does not hold its work up; the
/// route may be public.
pub fn routes_with<S: Clone + Send + Sync + 'static>(
    pool: Pool,
    complaint: impl Fn() -> Option<String> + Clone + Send + Sync + 'static,
) -> Router<S> {
    let last = Arc::new(Mutex::new(None));
    let ready = get(move || async move { look(&pool, &last, complaint()).await });
    Router::new().route("/healthz", alive()).route("/readyz", ready)
}

/// `/healthz`.
pub fn alive<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    get(|| async { Json(json!({ "status": "alive" })) })
}

/// `/readyz`.
pub fn ready<S: Clone + Send + Sync + 'static>(pool: Pool) -> MethodRouter<S> {
    let last = Arc::new(Mutex::new(None));
    get(move || async move { look(&pool, &last, None).await })
}

type Answer = (Instant, Option<&'static str>);

/// Ready, or 503 with the reason. The reason names no host: the gateway's route is public.
async fn look(pool: &Pool, last: &Mutex<Option<Answer>>, complaint: Option<String>) -> Response {
    // Whoever comes while one looks waits for that one's answer.
    let mut last = last.lock().await;
    let waits_for = match *last {
        Some((at, waits_for)) if at.elapsed() < STANDS => waits_for,
        _ => {
            let looked = tokio::time::timeout(LOOK_WITHIN, readiness(pool)).await;
            let silent = || Readiness::Away(format!("silent for {} seconds", LOOK_WITHIN.as_secs()));
            let waits_for = looked.unwrap_or_else(|_| silent()).waits_for();
            *last = Some((Instant::now(), waits_for));
            waits_for
        }
    };
    drop(last);
    match (waits_for, complaint) {
        (None, None) => Json(json!({ "status": "ready" })).into_response(),
        (None, Some(detail)) => Json(json!({ "status": "ready", "detail": detail })).into_response(),
        (Some(what), _) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not ready", what).into_response(),
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
        let (pool, last) = (pool::pool(&url, 2, Login::Gateway).unwrap(), Mutex::default());
        let began = Instant::now();
        // Those who come together share one look.
        let (one, other, third) =
            tokio::join!(look(&pool, &last, None), look(&pool, &last, None), look(&pool, &last, None));
        for answer in [one, other, third] {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    }
}
