//! The bot's answers to interactions. In: callbacks, and calls to the interaction's webhook. Out: Discord's answers.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::interaction_responses::{Desk, Exchange};
use super::reply::No;
use super::rest::id;
use super::state::Discord;
use super::world::World;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/interactions/{id}/{token}/callback", post(call_back))
        .route("/webhooks/{application}/{token}", post(follow_up))
        .route(
            "/webhooks/{application}/{token}/messages/{message}",
            get(read).patch(edit).delete(delete_message),
        )
}

/// The exchange of a token, and where its messages are written. Searched from the newest.
fn find<'a>(world: &'a mut World, token: &str) -> Result<(&'a mut Exchange, Desk<'a>), No> {
    let found = world.exchanges.iter_mut().rev().find(|exchange| exchange.token == token);
    let desk = Desk { messages: &mut world.messages, mint: &mut world.mint, limits: world.meter.limits() };
    Ok((found.ok_or(No::UnknownWebhook)?, desk))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    with_response: bool,
}

async fn call_back(
    State(discord): State<Arc<Discord>>,
    Path((interaction, token)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    Json(callback): Json<Value>,
) -> Result<Response, No> {
    let interaction = id(&interaction)?;
    discord.with(|world| {
        let (exchange, mut desk) = find(world, &token).map_err(|_| No::UnknownInteraction)?;
        if exchange.id != interaction {
            return Err(No::UnknownInteraction);
        }
        let response = exchange.call_back(&mut desk, callback)?;
        Ok(if wanted.with_response {
            Json(response).into_response()
        } else {
            StatusCode::NO_CONTENT.into_response()
        })
    })
}

async fn follow_up(
    State(discord): State<Arc<Discord>>,
    Path((_, token)): Path<(String, String)>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (exchange, mut desk) = find(world, &token)?;
        exchange.follow_up(&mut desk, &sent).map(Json)
    })
}

async fn read(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (exchange, desk) = find(world, &token)?;
        exchange.read(&desk, &message).map(Json)
    })
}

async fn edit(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (exchange, mut desk) = find(world, &token)?;
        exchange.edit(&mut desk, &message, &sent).map(Json)
    })
}

async fn delete_message(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
) -> Result<StatusCode, No> {
    discord.with(|world| {
        let (exchange, mut desk) = find(world, &token)?;
        exchange.delete(&mut desk, &message)?;
        Ok(StatusCode::NO_CONTENT)
    })
}
