//! What people do in channels. In: control calls. Out: messages, read and written, and who accepts direct ones.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::guild::Channel;
use super::reply::No;
use super::snowflake;
use super::state::Discord;
use crate::refusal::Refusal;

type Answer = Result<Json<Value>, Refusal>;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/guilds/{guild}/channels", post(create))
        .route("/guilds/{guild}/channels/{channel}", patch(change).delete(delete))
        .route("/channels/{channel}/messages", get(messages).post(write))
        .route("/users/{user}/messages", get(direct_messages))
        .route("/users/{user}/direct", put(set_direct))
}

#[derive(Deserialize)]
struct ChannelParams {
    name: Option<String>,
    #[serde(default, deserialize_with = "snowflake::optional")]
    bot_denied: Option<u64>,
}

async fn create(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<u64>,
    Json(params): Json<ChannelParams>,
) -> Answer {
    let id = discord.with(|world| {
        let id = world.mint.next();
        let place = world.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let name = params.name.unwrap_or_else(|| "channel".to_owned());
        place.channels.insert(id, Channel { name, bot_denied: params.bot_denied.unwrap_or_default() });
        Ok::<_, No>(id)
    })?;
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn change(
    State(discord): State<Arc<Discord>>,
    Path((guild, channel)): Path<(u64, u64)>,
    Json(params): Json<ChannelParams>,
) -> Answer {
    discord.with(|world| {
        let place = world.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let channel = place.channels.get_mut(&channel).ok_or(No::UnknownChannel)?;
        channel.bot_denied = params.bot_denied.unwrap_or(channel.bot_denied);
        channel.name = params.name.unwrap_or_else(|| channel.name.clone());
        Ok::<_, No>(())
    })?;
    Ok(Json(json!({})))
}

async fn delete(State(discord): State<Arc<Discord>>, Path((guild, channel)): Path<(u64, u64)>) -> Answer {
    discord.with(|world| {
        let place = world.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        place.channels.remove(&channel).ok_or(No::UnknownChannel)
    })?;
    Ok(Json(json!({})))
}

async fn messages(State(discord): State<Arc<Discord>>, Path(channel): Path<u64>) -> Json<Vec<Value>> {
    Json(discord.with(|world| world.messages.in_channel(channel).map(|(_, shape)| shape.clone()).collect()))
}

#[derive(Deserialize)]
struct Said {
    #[serde(deserialize_with = "snowflake::deserialize")]
    user_id: u64,
    content: String,
}

async fn write(
    State(discord): State<Arc<Discord>>,
    Path(channel): Path<u64>,
    Json(said): Json<Said>,
) -> Answer {
    let id = discord.with(|world| {
        let author = world.user(said.user_id);
        world.messages.post(&mut world.mint, channel, &author, &json!({ "content": said.content }))
    });
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn direct_messages(State(discord): State<Arc<Discord>>, Path(user): Path<u64>) -> Json<Vec<Value>> {
    Json(discord.with(|world| {
        let channel = world.direct(user);
        world.messages.in_channel(channel).map(|(_, shape)| shape.clone()).collect()
    }))
}

#[derive(Deserialize)]
struct DirectMessages {
    open: bool,
}

async fn set_direct(
    State(discord): State<Arc<Discord>>,
    Path(user): Path<u64>,
    Json(setting): Json<DirectMessages>,
) -> Json<Value> {
    discord.with(|world| if setting.open { world.closed.remove(&user) } else { world.closed.insert(user) });
    Json(json!({}))
}
