//! A fake Stripe. In: a port and a webhook endpoint. Out: a read API under `/v1`, signed webhooks, the control API, a
//! shop for browsers.

mod api;
mod client;
mod collection;
mod control;
mod kinds;
mod objects;
mod records;
mod shop;
mod sign;
mod state;
mod webhook_delivery;
mod world;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio_util::sync::CancellationToken;

use crate::fault_proxy::{self, FaultProxy};
use crate::remote::loopback_client;
use crate::server::{Port, Running};
use state::Stripe;
use world::{Endpoint, World};

pub use crate::{Fault, FaultKind, Request};
pub use client::Control;
pub use records::{Attempt, Delivery, Mode, Released};
pub use world::key::KEY;

/// What to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Where events are delivered; nowhere if unset.
    pub webhook_url: Option<String>,
    /// The endpoint's signing secret.
    pub webhook_secret: Option<String>,
}

/// Starts a fake Stripe.
pub async fn serve(options: Options) -> anyhow::Result<Running> {
    let port = Port::bind(options.port).await?;
    let stop = CancellationToken::new();
    let secret = options.webhook_secret.unwrap_or_default();
    let webhook = options.webhook_url.map(|url| Endpoint::main(url, secret));
    let client = loopback_client(webhook_delivery::TIMEOUT);
    let stripe = Arc::new(Stripe::new(World::new(webhook), client, stop.clone()));
    Ok(port.serve(router(stripe), stop))
}

fn router(stripe: Arc<Stripe>) -> Router {
    let proxy = FaultProxy::new(api::plain);
    // Outside the nest, because inside it the path has lost its prefix.
    let observed = Router::new()
        .nest("/v1", api::routes().layer(from_fn_with_state(stripe.clone(), api::authorize)))
        .layer(from_fn_with_state(proxy.clone(), fault_proxy::misbehave))
        .layer(from_fn_with_state(proxy.clone(), fault_proxy::record))
        .layer(from_fn(api::with_headers));
    Router::new()
        .merge(observed)
        .merge(shop::routes())
        .nest("/_sandbox", control::routes().merge(fault_proxy::control(proxy)))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(stripe)
}
