//! The proxy in front of a vendor's API. In: a call. Out: its answer, recorded, unless a fault was queued for it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Query, Request as Call, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::{Fault, FaultKind, Faults, ban_page};
use crate::lock::lock;
use crate::request_log::{Request, RequestLog, Transcript};
use crate::server::Line;

/// The record of one sandbox's calls and the faults queued for them.
pub(crate) struct FaultProxy {
    request_log: Mutex<RequestLog>,
    faults: Mutex<Faults>,
    /// The vendor's own error shape, for faults that bring no body.
    error_body: fn(StatusCode) -> Value,
}

impl FaultProxy {
    pub(crate) fn new(error_body: fn(StatusCode) -> Value) -> Arc<Self> {
        Arc::new(Self { request_log: Mutex::default(), faults: Mutex::default(), error_body })
    }
}

/// Larger bodies are cut off; neither vendor takes or sends one.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// Long enough for what was written before to leave the process.
const FLUSH: Duration = Duration::from_millis(30);

/// A call's place in the request log, for those behind it.
#[derive(Clone, Copy)]
struct Seq(u64);

/// Middleware, the outermost: records the call and its answer.
pub(crate) async fn record(State(proxy): State<Arc<FaultProxy>>, call: Call, next: Next) -> Response {
    let method = call.method().as_str().to_owned();
    let path_and_query = call.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let path = call.uri().path().to_owned();
    let reason = call.headers().get("x-audit-log-reason").map(|value| percent_decoded(value.as_bytes()));
    let seq = lock(&proxy.request_log).open(&method, &path, &path_and_query, reason);

    let (mut head, body) = call.into_parts();
    let Ok(sent) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let transcript = Transcript {
        authorization: text(&head.headers, header::AUTHORIZATION)
            .and_then(|value| value.split_once(' ').map(|(scheme, _)| scheme.to_owned())),
        user_agent: text(&head.headers, header::USER_AGENT),
        sent_type: text(&head.headers, header::CONTENT_TYPE),
        sent: String::from_utf8_lossy(&sent).into_owned(),
        ..Transcript::default()
    };
    lock(&proxy.request_log).sent(seq, transcript);
    head.extensions.insert(Seq(seq));
    let answer = next.run(Call::from_parts(head, Body::from(sent))).await;

    let (head, body) = answer.into_parts();
    let (body, answered) = if head.extensions.get::<Unread>().is_some() {
        (body, Bytes::new())
    } else {
        // The sandbox's own answers are made of memory: reading them does not fail.
        let read = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
        (Body::from(read.clone()), read)
    };
    let scope = text(&head.headers, HeaderName::from_static("x-ratelimit-scope"));
    if head.extensions.get::<Lost>().is_none() {
        let content_type = text(&head.headers, header::CONTENT_TYPE);
        let answered = String::from_utf8_lossy(&answered).into_owned();
        lock(&proxy.request_log).close(seq, head.status.as_u16(), scope, content_type, answered);
    }
    Response::from_parts(head, body)
}

/// Marks an answer whose connection is cut: it never leaves this process.
#[derive(Clone, Copy)]
struct Lost;

/// Marks an answer whose body breaks off, and cannot be read to its end.
#[derive(Clone, Copy)]
struct Unread;

/// Middleware, inside of `record`: lets a queued fault happen to the call.
pub(crate) async fn misbehave(
    State(proxy): State<Arc<FaultProxy>>,
    ConnectInfo(line): ConnectInfo<Line>,
    call: Call,
    next: Next,
) -> Response {
    let path_and_query = call.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let Some(fault) = lock(&proxy.faults).take(call.method().as_str(), &path_and_query) else {
        return next.run(call).await;
    };
    proxy.mark_faulted(&call, fault.kind);
    match fault.kind {
        FaultKind::Status => failed(&fault, proxy.error_body),
        FaultKind::Ban => {
            ban_page(fault.headers.get("retry-after").and_then(|s| s.parse().ok()).unwrap_or(3600))
        }
        FaultKind::Hang => {
            tokio::time::sleep(Duration::from_millis(fault.hang_ms)).await;
            next.run(call).await
        }
        FaultKind::ApplyThenHang => {
            let answer = next.run(call).await;
            tokio::time::sleep(Duration::from_millis(fault.hang_ms)).await;
            answer
        }
        FaultKind::Reset => lost(&line),
        FaultKind::ApplyThenReset => {
            next.run(call).await;
            lost(&line)
        }
        FaultKind::Truncate => truncated(next.run(call).await, &line).await,
    }
}

impl FaultProxy {
    /// Notes that this call's answer is not what the vendor's description says.
    pub(crate) fn mark_faulted(&self, call: &Call, fault: FaultKind) {
        if let Some(Seq(seq)) = call.extensions().get() {
            lock(&self.request_log).mark_faulted(*seq, fault);
        }
    }
}

fn lost(line: &Line) -> Response {
    line.cut();
    (StatusCode::INTERNAL_SERVER_ERROR, Extension(Lost)).into_response()
}

/// The first half of an answer that promises the whole.
async fn truncated(answer: Response, line: &Line) -> Response {
    let (mut head, body) = answer.into_parts();
    let whole = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    if whole.is_empty() {
        return lost(line);
    }
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    head.extensions.insert(Unread);
    let half = whole.slice(..whole.len() / 2);
    let line = line.clone();
    let parts = futures::stream::once(async move { Ok(half) }).chain(futures::stream::once(async move {
        tokio::time::sleep(FLUSH).await;
        line.cut();
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    }));
    Response::from_parts(head, Body::from_stream(parts))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

/// The control routes for faults and the record.
pub(crate) fn control<S: Clone + Send + Sync + 'static>(proxy: Arc<FaultProxy>) -> Router<S> {
    Router::new()
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/requests", get(requests).delete(clear_requests))
        .with_state(proxy)
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
    let mut answer = match &fault.text {
        Some(text) => (status, Html(text.clone())).into_response(),
        None => (status, Json(fault.body.clone().unwrap_or_else(|| error_body(status)))).into_response(),
    };
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

async fn add_fault(State(proxy): State<Arc<FaultProxy>>, Json(fault): Json<Fault>) -> Json<Value> {
    lock(&proxy.faults).add(fault);
    Json(json!({}))
}

async fn clear_faults(State(proxy): State<Arc<FaultProxy>>) -> Json<Value> {
    lock(&proxy.faults).clear();
    Json(json!({}))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    since: u64,
    /// Whether to tell what was said, too.
    #[serde(default)]
    transcripts: bool,
}

async fn requests(State(proxy): State<Arc<FaultProxy>>, Query(wanted): Query<Wanted>) -> Json<Vec<Request>> {
    let request_log = lock(&proxy.request_log);
    let calls = request_log.since(wanted.since);
    if wanted.transcripts {
        return Json(calls.to_vec());
    }
    let brief = |call: &Request| Request {
        method: call.method.clone(),
        path: call.path.clone(),
        path_and_query: call.path_and_query.clone(),
        reason: call.reason.clone(),
        scope: call.scope.clone(),
        transcript: None,
        ..*call
    };
    Json(calls.iter().map(brief).collect())
}

async fn clear_requests(State(proxy): State<Arc<FaultProxy>>) -> Json<Value> {
    lock(&proxy.request_log).clear();
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
