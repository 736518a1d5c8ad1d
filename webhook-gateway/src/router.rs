//! Every route of the gateway, in one table by audience. In: what the handlers need. Out: a router in which nothing else is
//! reachable. Pages for browsers and the JSON API become one more list each.

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRef, State},
    response::Response,
};
use shared::health::{self, ReadinessProbe};

use crate::{
    http::{
        middleware::{Admission, guarded},
        route::{
            Access::{self, Signed},
            Limit::{self, Failures, Probe},
            Route,
        },
        security_txt::{self, SecurityTxt},
    },
    ingest::webhook::{self, Webhook},
};

/// What handlers need; each takes its part.
#[derive(Clone)]
pub struct AppState {
    pub webhook: Arc<Webhook>,
    pub readiness: ReadinessProbe,
    /// Whom to tell of a vulnerability.
    pub security_txt: Option<SecurityTxt>,
}

impl FromRef<AppState> for Arc<Webhook> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.webhook)
    }
}

impl FromRef<AppState> for ReadinessProbe {
    fn from_ref(state: &AppState) -> Self {
        state.readiness.clone()
    }
}

impl FromRef<AppState> for Option<SecurityTxt> {
    fn from_ref(state: &AppState) -> Self {
        state.security_txt.clone()
    }
}

pub fn routes() -> Vec<Route<AppState>> {
    [webhooks(), health()].concat()
}

fn webhooks() -> Vec<Route<AppState>> {
    vec![
        Route::post("/webhooks/stripe", Signed, Failures, webhook::receive),
        Route::post("/webhooks/stripe/{endpoint_id}", Signed, Failures, webhook::receive_for),
    ]
}

/// For load balancers, and for whoever found a vulnerability.
fn health() -> Vec<Route<AppState>> {
    vec![
        Route::get("/healthz", Access::Public, Probe, health::alive),
        Route::get("/readyz", Access::Public, Probe, ready),
        Route::get("/.well-known/security.txt", Access::Public, Limit::Public, security),
    ]
}

async fn ready(State(readiness): State<ReadinessProbe>) -> Response {
    readiness.answer(None).await
}

async fn security(State(file): State<Option<SecurityTxt>>) -> Response {
    security_txt::answer(file.as_ref())
}

/// The table as a router, and a 404 for everything else.
pub fn app(state: AppState, admission: &Arc<Admission>) -> Router {
    guarded(routes(), admission).with_state(state)
}

#[cfg(test)]
mod tests;
