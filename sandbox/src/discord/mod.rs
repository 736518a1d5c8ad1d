//! A fake Discord. In: a port and perhaps a token. Out: REST under `/api/v10`, a gateway, and the control API.

mod accounts;
mod adding;
mod application;
mod audit;
mod audit_log;
mod ban;
mod behaviour;
mod channels;
mod client;
mod control;
mod door;
mod gateway;
mod gateway_faults;
mod guild;
mod interaction_responses;
mod interactions;
mod interactions_control;
mod limits;
mod messages;
mod middleware;
mod oauth;
mod oauth_grants;
mod oauth_page;
mod people;
mod profile;
mod records;
mod reply;
mod rest;
mod session;
mod snowflake;
mod state;
mod wire;
mod wire_ids;
mod world;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::fault_proxy::{self, FaultProxy};
use crate::server::{Port, Running};
use reply::No;
use state::Discord;

pub use crate::{Fault, FaultKind, Request, Transcript};
pub use client::Control;
pub use records::{Action, Actor, AuditEntry, Interaction, Limits, Message};

/// The user id of the bot in every sandbox, which is also its application id.
pub const BOT_ID: u64 = wire_ids::BOT_ID;

/// What to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// The only bot token accepted; any non-empty one if unset.
    pub token: Option<String>,
}

/// Starts a fake Discord.
pub async fn serve(options: Options) -> anyhow::Result<Running> {
    let port = Port::bind(options.port).await?;
    let discord = Arc::new(Discord::new(options.token, &port.authority()));
    Ok(port.serve(router(discord), CancellationToken::new()))
}

fn router(discord: Arc<Discord>) -> Router {
    let proxy = FaultProxy::new(reply::plain);
    let guarded = rest::routes()
        .merge(adding::routes())
        .merge(application::routes())
        .merge(audit::routes())
        .merge(channels::routes())
        .route_layer(from_fn_with_state(discord.clone(), middleware::authorize))
        .method_not_allowed_fallback(async || No::MethodNotAllowed);
    // Interaction answers carry their own token and are outside the bot's global limit.
    // So are a person's tokens, which the application's secret guards.
    let api = guarded.merge(interactions::routes()).merge(oauth::routes()).fallback(async || No::NotFound);
    // Outside the nest, because inside it the path has lost its prefix.
    let observed = Router::new()
        .nest("/api/v10", api)
        .layer(from_fn_with_state(proxy.clone(), fault_proxy::misbehave))
        .layer(from_fn_with_state((discord.clone(), proxy.clone()), middleware::ban))
        .layer(from_fn_with_state(proxy.clone(), fault_proxy::record));
    Router::new()
        .merge(observed)
        .merge(oauth::pages())
        .route("/gateway", get(gateway::connect))
        .route("/gateway/", get(gateway::connect))
        .nest("/_sandbox", control::routes().merge(fault_proxy::control(proxy)))
        .fallback(async || No::NotFound)
        .with_state(discord)
}
