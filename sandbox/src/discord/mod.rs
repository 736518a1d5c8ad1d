//! A fake Discord. In: a port and perhaps a token. Out: REST under `/api/v10`, a gateway, and the control API.

mod application;
mod audit;
mod ban;
mod behaviour;
mod channels;
mod client;
mod control;
mod gateway;
mod gateway_faults;
mod interaction_responses;
mod interactions;
mod interactions_control;
mod limits;
mod messages;
mod people;
mod records;
mod reply;
mod rest;
mod session;
mod snowflake;
mod wire;
mod world;

use std::sync::{Arc, Mutex};

use axum::extract::{Request as Call, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http::header};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::fault_proxy::{self, Traffic};
use crate::server::{Port, Running};
use limits::{Lane, Pass};
use reply::No;
use world::World;

pub use crate::{Fault, FaultKind, Request, Transcript};
pub use client::Control;
pub use records::{Action, Actor, AuditEntry, Interaction, Limits, Message};

/// The user id of the bot in every sandbox, which is also its application id.
pub const BOT_ID: u64 = world::BOT_ID;

/// What to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// The only bot token accepted; any non-empty one if unset.
    pub token: Option<String>,
}

/// One running fake Discord, as its handlers see it.
pub(crate) struct Discord {
    world: Mutex<World>,
    /// Wakes those who wait for the bot to do something.
    changed: watch::Sender<()>,
    token: Option<String>,
    gateway_url: String,
}

impl Discord {
    /// Looks at or changes the world; gateway events leave in the order of these calls.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let outcome = act(&mut fault_proxy::lock(&self.world));
        self.changed.send_replace(());
        outcome
    }

    /// Whether this is the bot's token, with or without the `Bot ` prefix.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let token = token.strip_prefix("Bot ").unwrap_or(token).trim();
        match &self.token {
            Some(expected) => token == expected,
            None => !token.is_empty(),
        }
    }
}

/// Starts a fake Discord.
pub async fn serve(options: Options) -> anyhow::Result<Running> {
    let port = Port::bind(options.port).await?;
    let discord = Arc::new(Discord {
        world: Mutex::default(),
        changed: watch::Sender::new(()),
        token: options.token,
        gateway_url: format!("ws://{}/gateway", port.authority()),
    });
    Ok(port.serve(router(discord), CancellationToken::new()))
}

fn router(discord: Arc<Discord>) -> Router {
    let traffic = Traffic::new(reply::plain);
    let guarded = rest::routes()
        .merge(application::routes())
        .merge(audit::routes())
        .merge(channels::routes())
        .route_layer(from_fn_with_state(discord.clone(), guard))
        .method_not_allowed_fallback(async || No::MethodNotAllowed);
    // Interaction answers carry their own token and are outside the bot's global limit.
    let api = guarded.merge(interactions::routes()).fallback(async || No::NotFound);
    // Outside the nest, because inside it the path has lost its prefix.
    let observed = Router::new()
        .nest("/api/v10", api)
        .layer(from_fn_with_state(traffic.clone(), fault_proxy::misbehave))
        .layer(from_fn_with_state((discord.clone(), traffic.clone()), ban::watch))
        .layer(from_fn_with_state(traffic.clone(), fault_proxy::record));
    Router::new()
        .merge(observed)
        .route("/gateway", get(gateway::connect))
        .route("/gateway/", get(gateway::connect))
        .nest("/_sandbox", control::routes().merge(fault_proxy::control(traffic)))
        .fallback(async || No::NotFound)
        .with_state(discord)
}

/// Middleware: the bot's token, then the global limit.
async fn guard(State(discord): State<Arc<Discord>>, call: Call, next: Next) -> Response {
    let token = call.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !token.is_some_and(|token| token.starts_with("Bot ") && discord.accepts(token)) {
        return No::Unauthorized.into_response();
    }
    match discord.with(|world| world.meter.count(Lane::Global, std::time::Instant::now())) {
        Pass::Free | Pass::Counted(_) => next.run(call).await,
        Pass::Refused(stamp) => stamp.refusal(),
    }
}
