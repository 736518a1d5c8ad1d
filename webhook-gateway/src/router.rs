//! Every route of the gateway, in one table by audience. In: what the handlers need. Out: a router in which nothing else is
//! reachable. The JSON API becomes one more list.

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
            Access::{self, Link, Page, Signed},
            Limit::{self, Failures, Probe},
            Route,
        },
        security_txt::{self, SecurityTxt},
    },
    ingest::webhook::{self, Webhook},
    login::discord::CALLBACK,
    pages::{Pages, arrival, assets, claim, claim_code, give_up, join, log_in, mail_stop, moving, subscribe},
};

/// What handlers need; each takes its part.
#[derive(Clone)]
pub struct AppState {
    pub webhook: Arc<Webhook>,
    pub readiness: ReadinessProbe,
    /// Whom to tell of a vulnerability.
    pub security_txt: Option<SecurityTxt>,
    pub pages: Arc<Pages>,
}

impl FromRef<AppState> for Arc<Pages> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.pages)
    }
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
    [webhooks(), pages(), health()].concat()
}

fn webhooks() -> Vec<Route<AppState>> {
    vec![
        Route::post("/webhooks/stripe", Signed, Failures, webhook::receive),
        Route::post("/webhooks/stripe/{endpoint_id}", Signed, Failures, webhook::receive_for),
    ]
}

/// For subscribers' browsers.
fn pages() -> Vec<Route<AppState>> {
    vec![
        Route::get("/assets/page.css", Access::Public, Limit::Public, assets::style),
        Route::get("/assets/live.js", Access::Public, Limit::Public, assets::live),
        Route::get("/login/discord", Page, Limit::Login, log_in::begin),
        Route::get(CALLBACK, Page, Limit::Login, log_in::finish),
        Route::get("/account", Page, Limit::Public, log_in::account),
        Route::post("/logout", Page, Limit::Public, log_in::end),
        Route::post("/logout/everywhere", Page, Limit::Public, log_in::end_everywhere),
        Route::get("/claim", Page, Limit::Public, claim::ask_of_only_server),
        Route::post("/claim", Page, Limit::Login, claim::bind_of_only_server),
        Route::get("/claim/{guild}", Page, Limit::Public, claim::ask_of_server),
        Route::post("/claim/{guild}", Page, Limit::Login, claim::bind_of_server),
        Route::get("/claim/{guild}/email", Page, Limit::Public, claim_code::ask_address),
        Route::post("/claim/{guild}/email", Page, Limit::Login, claim_code::send),
        Route::get("/claim/{guild}/email/{code}", Page, Limit::Public, claim_code::ask_code),
        Route::post("/claim/{guild}/email/{code}", Page, Limit::Login, claim_code::redeem),
        Route::get("/roles/{guild}", Page, Limit::Public, claim::roles),
        Route::get("/roles/{guild}/events", Page, Limit::Public, arrival::events),
        Route::get("/join/{guild}", Page, Limit::Public, join::ask),
        Route::post("/join/{guild}", Page, Limit::Login, join::join),
        Route::get("/mail/{guild}/stop/{invitation}/{secret}", Link, Limit::Public, mail_stop::ask),
        // A mailbox's button sends it.
        Route::post("/mail/{guild}/stop/{invitation}/{secret}", Link, Limit::Public, mail_stop::stop),
        Route::get("/move/{guild}", Page, Limit::Public, moving::ask),
        Route::post("/move/{guild}", Page, Limit::Login, moving::offer),
        Route::post("/move/{guild}/accept", Page, Limit::Login, moving::accept),
        Route::get("/unlink/{guild}", Page, Limit::Public, give_up::ask),
        Route::post("/unlink/{guild}", Page, Limit::Login, give_up::give_up),
        Route::get("/subscribe/{guild}", Page, Limit::Public, subscribe::ask),
        Route::post("/subscribe/{guild}", Page, Limit::Login, subscribe::choose),
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
