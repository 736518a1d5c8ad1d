//! The tap in front of a vendor's API. In: a call. Out: its answer, recorded, unless a fault was ordered for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, Request as Call, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::{Fault, FaultKind, Faults};
use crate::journal::{Journal, Request};
use crate::server::Line;

/// The record of one sandbox's calls and the faults ordered for them.
pub(crate) struct Traffic {
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    /// The vendor's own error shape, for faults that bring no body.
    error_body: fn(StatusCode) -> Value,
}

impl Traffic {
    pub(crate) fn new(error_body: fn(StatusCode) -> Value) -> Arc<Self> {
        Arc::new(Self { journal: Mutex::default(), faults: Mutex::default(), error_body })
    }
}

/// A panic elsewhere must not turn every later call into a panic; the data is plain and stays usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Middleware: records the call and lets an ordered fault happen to it.
pub(crate) async fn observe(
    State(traffic): State<Arc<Traffic>>,
    ConnectInfo(line): ConnectInfo<Line>,
    call: Call,
    next: Next,
) -> Response {
    let method = call.method().as_str().to_owned();
    let path_and_query = call.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let reason = call.headers().get("x-audit-log-reason").map(|value| percent_decoded(value.as_bytes()));
    let path = call.uri().path().to_owned();
    let seq = lock(&traffic.journal).open(&method, &path, &path_and_query, reason);
    let fault = lock(&traffic.faults).take(&method, &path_and_query);

    let answer = match fault {
        None => next.run(call).await,
        Some(fault) => match fault.kind {
            FaultKind::Status => failed(&fault, traffic.error_body),
            FaultKind::Hang => {
                tokio::time::sleep(Duration::from_millis(fault.hang_ms)).await;
                next.run(call).await
            }
            FaultKind::ApplyThenHang => {
                let answer = next.run(call).await;
                tokio::time::sleep(Duration::from_millis(fault.hang_ms)).await;
                answer
            }
            FaultKind::Reset => {
                line.cut();
                // Never leaves this process: writing to a cut line fails.
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        },
    };
    let scope = answer.headers().get("x-ratelimit-scope").and_then(|scope| scope.to_str().ok());
    lock(&traffic.journal).close(seq, answer.status().as_u16(), scope.map(ToOwned::to_owned));
    answer
}

/// The control routes for faults and the record.
pub(crate) fn control<S: Clone + Send + Sync + 'static>(traffic: Arc<Traffic>) -> Router<S> {
    Router::new()
        .route("/faults", post(order_fault).delete(clear_faults))
        .route("/requests", get(requests).delete(clear_requests))
        .with_state(traffic)
}

/// Undoes percent-encoding; text that was never encoded passes unchanged.
pub(crate) fn percent_decoded(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, tail @ ..] = rest {
        let mut decoded = [0_u8];
        match rest {
            [b'%', high, low, after @ ..] if hex::decode_to_slice([*high, *low], &mut decoded).is_ok() => {
                bytes.push(decoded[0]);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn failed(fault: &Fault, error_body: fn(StatusCode) -> Value) -> Response {
    let status =
        StatusCode::from_u16(fault.status.unwrap_or(500)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = fault.body.clone().unwrap_or_else(|| error_body(status));
    let mut answer = (status, Json(body)).into_response();
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

async fn order_fault(State(traffic): State<Arc<Traffic>>, Json(fault): Json<Fault>) -> Json<Value> {
    lock(&traffic.faults).order(fault);
    Json(json!({}))
}

async fn clear_faults(State(traffic): State<Arc<Traffic>>) -> Json<Value> {
    lock(&traffic.faults).clear();
    Json(json!({}))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn requests(
    State(traffic): State<Arc<Traffic>>,
    Query(Since { since }): Query<Since>,
) -> Json<Vec<Request>> {
    Json(lock(&traffic.journal).since(since).to_vec())
}

async fn clear_requests(State(traffic): State<Arc<Traffic>>) -> Json<Value> {
    lock(&traffic.journal).clear();
    Json(json!({}))
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn reasons_are_decoded_as_discord_decodes_them() {
        assert_eq!(percent_decoded(b"gr%C3%B6%C3%9Fe%20%2F%20job%207"), "größe / job 7");
        assert_eq!(percent_decoded(b"100% sure, 5%"), "100% sure, 5%");
    }
}
