//! Every route of the gateway, in one table. In: the state they need. Out: a router in which nothing is reachable that the
//! table does not name, with who may call it and what that costs.

use std::sync::Arc;

use axum::{
    Router,
    http::Method,
    middleware,
    routing::{MethodRouter, any},
};
use shared::{db::pool::Pool, health};

use super::error::Problem;
use super::{
    guard::{self, Guard},
    security_txt::{self, SecurityTxt},
};
use crate::ingest::webhook::{self, Webhook};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever signed the body with an endpoint's secret; the handler verifies.
    Signed,
    /// Browsers. What changes something must come from our own pages. No route has this yet.
    Page,
}

/// What a call costs the caller's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nothing, unless the signature is wrong: the handler counts those.
    Failures,
    /// Health checks: often, and cheap.
    Probe,
    /// Everything else that strangers may ask for.
    Public,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Events for the connection that variables describe.
    Webhook,
    /// Events for one tenant's connection.
    TenantWebhook,
    /// The process is alive.
    Alive,
    /// It can do its work.
    Ready,
    /// Whom to tell of a vulnerability.
    SecurityTxt,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Route {
    /// What it does.
    pub name: Name,
    /// GET takes HEAD too.
    pub method: Method,
    /// As axum writes paths.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// At what cost.
    pub limit: Limit,
}

impl Route {
    const fn get(path: &'static str, name: Name, access: Access, limit: Limit) -> Self {
        Self { name, method: Method::GET, path, access, limit }
    }

    const fn post(path: &'static str, name: Name, access: Access, limit: Limit) -> Self {
        Self { name, method: Method::POST, path, access, limit }
    }

    /// For `Allow`.
    pub fn allows(&self) -> &'static str {
        if self.method == Method::GET { "GET,HEAD" } else { "POST" }
    }

    /// Whether the route takes the method.
    pub fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }
}

/// All of them.
pub const ROUTES: [Route; 5] = [
    Route::post("/webhooks/stripe", Name::Webhook, Access::Signed, Limit::Failures),
    Route::post("/webhooks/stripe/{endpoint_id}", Name::TenantWebhook, Access::Signed, Limit::Failures),
    Route::get("/healthz", Name::Alive, Access::Public, Limit::Probe),
    Route::get("/readyz", Name::Ready, Access::Public, Limit::Probe),
    Route::get("/.well-known/security.txt", Name::SecurityTxt, Access::Public, Limit::Public),
];

/// What the routes need.
pub struct State {
    /// Takes events.
    pub webhook: Arc<Webhook>,
    /// Asked whether it is ready.
    pub pool: Pool,
    /// Whom to tell of a vulnerability.
    pub security_txt: Option<SecurityTxt>,
    /// Stands before all of them.
    pub guard: Arc<Guard>,
}

/// The table as a router, and a 404 for everything else.
pub fn app(state: State) -> Router {
    let State { webhook, pool, security_txt, guard } = state;
    let handler = |name| -> MethodRouter<Arc<Webhook>> {
        match name {
            Name::Webhook => any(webhook::receive),
            Name::TenantWebhook => any(webhook::receive_for),
            Name::Alive => health::alive(),
            Name::Ready => health::ready(pool.clone()),
            Name::SecurityTxt => {
                let text = security_txt.clone();
                any(async move || security_txt::answer(text.as_ref()))
            }
        }
    };
    guarded(&ROUTES, handler, &guard).with_state(webhook)
}

/// Routes exactly these, each behind the guard, which knows its line of the table.
pub(super) fn guarded<S: Clone + Send + Sync + 'static>(
    routes: &[Route],
    handler: impl Fn(Name) -> MethodRouter<S>,
    guard: &Arc<Guard>,
) -> Router<S> {
    let mut router = Router::new();
    for route in routes {
        let known = (Arc::clone(guard), Some(Arc::new(route.clone())));
        let layer = middleware::from_fn_with_state(known, guard::stand);
        router = router.route(route.path, handler(route.name).layer(layer));
    }
    let unknown = middleware::from_fn_with_state((Arc::clone(guard), None), guard::stand);
    router.fallback_service(any(async || Problem::NotFound).layer(unknown).with_state(()))
}
