//! From a request to its response. In: a complete head, and a body that is still coming. Out: the router's response, or a problem
//! that says why there is none; always with its security headers.
//!
//! Each request runs in a task of its own. A client that goes away cancels nothing: a database call that is dropped half-way
//! can leave a connection inside a transaction. And a handler that panics costs its own answer only.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::Request,
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use super::{connection_state::ConnectionState, tracked_body::TrackedBody};
use crate::http::{
    headers,
    limits::Limits,
    log_throttle::LogThrottle,
    problem::{BUSY, PANICKED, URI_TOO_LONG},
};

const MAX_URI: usize = 2048;

#[derive(Clone)]
pub(super) struct Responder {
    router: TowerToHyperService<Router>,
    limits: Limits,
    in_flight: Arc<Semaphore>,
    refusals: Arc<LogThrottle>,
}

impl Responder {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        let in_flight = Arc::new(Semaphore::new(limits.requests));
        Self { router: TowerToHyperService::new(router), limits, in_flight, refusals: Arc::default() }
    }

    pub(super) async fn respond(
        &self,
        request: Request<Incoming>,
        state: &Arc<ConnectionState>,
        peer: SocketAddr,
    ) -> Response {
        let request = request.map(|body| TrackedBody::new(body, Arc::clone(state)));
        let mut response = self.route(request, peer).await;
        headers::apply(&mut response);
        response
    }

    async fn route(&self, request: Request<TrackedBody>, peer: SocketAddr) -> Response {
        let uri = request.uri();
        if uri.path_and_query().map_or(0, |path| path.as_str().len()) > MAX_URI {
            return URI_TOO_LONG.into_response();
        }
        let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            if let Some(refused) = self.refusals.record(Instant::now()) {
                tracing::warn!(refused, requests = self.limits.requests, "too many requests at once");
            }
            return BUSY.into_response();
        };
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let method = request.method().clone();
        let response = self.router.call(request);
        let task = tokio::spawn(async move {
            let response = response.await;
            drop(permit);
            response
        });
        match tokio::time::timeout(self.limits.request, task).await {
            Ok(Ok(Ok(response))) => response,
            // Neither path nor message is logged: the one may hold an id, the other what was sent.
            Ok(Err(_)) => {
                tracing::error!(%method, "a request's handler panicked");
                PANICKED.into_response()
            }
            Err(_) => {
                tracing::error!(%method, after_s = self.limits.request.as_secs(), "a request was not answered in time");
                BUSY.into_response()
            }
        }
    }
}
