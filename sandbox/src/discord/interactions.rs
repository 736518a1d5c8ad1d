//! The bot's answers to interactions. In: callbacks, and calls to the interaction's webhook. Out: Discord's answers.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::interaction_responses::{InteractionResponses, ResponseStore};
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

/// The interaction of a token, with its responses, and where its messages are written. Searched from the newest.
fn find<'a>(
    world: &'a mut World,
    token: &str,
) -> Result<(&'a mut InteractionResponses, ResponseStore<'a>), No> {
    let found = world.interactions.iter_mut().rev().find(|responses| responses.token == token);
    let store =
        ResponseStore { messages: &mut world.messages, mint: &mut world.mint, limits: world.meter.limits() };
    Ok((found.ok_or(No::UnknownWebhook)?, store))
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
        let (responses, mut store) = find(world, &token).map_err(|_| No::UnknownInteraction)?;
        if responses.id != interaction {
            return Err(No::UnknownInteraction);
        }
        let response = responses.call_back(&mut store, callback)?;
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
        let (responses, mut store) = find(world, &token)?;
        responses.follow_up(&mut store, &sent).map(Json)
    })
}

async fn read(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (responses, store) = find(world, &token)?;
        responses.read(&store, &message).map(Json)
    })
}

async fn edit(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (responses, mut store) = find(world, &token)?;
        responses.edit(&mut store, &message, &sent).map(Json)
    })
}

async fn delete_message(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
) -> Result<StatusCode, No> {
    discord.with(|world| {
        let (responses, mut store) = find(world, &token)?;
        responses.delete(&mut store, &message)?;
        Ok(StatusCode::NO_CONTENT)
    })
}
