//! The bot's own affairs over REST. In: who am I, where is the gateway, these are my commands. Out: the answers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::oauth;
use super::reply::No;
use super::rest::id;
use super::snowflake::Mint;
use super::state::Discord;
use super::wire;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/gateway", get(gateway))
        .route("/gateway/bot", get(gateway_bot))
        .route("/users/@me", get(oauth::myself))
        .route("/applications/@me", get(application))
        .route("/oauth2/applications/@me", get(application))
        .route("/applications/{application}/commands", get(commands).put(set_commands))
        .route(
            "/applications/{application}/guilds/{guild}/commands",
            get(guild_commands).put(set_guild_commands),
        )
}

async fn gateway(State(discord): State<Arc<Discord>>) -> Json<Value> {
    Json(json!({ "url": discord.gateway_url }))
}

async fn gateway_bot(State(discord): State<Arc<Discord>>) -> Json<Value> {
    let (left, after) = discord.with(|world| world.gateway.identifies_left());
    let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    let budget = json!({ "total": 1000, "remaining": left, "reset_after": after, "max_concurrency": 1 });
    Json(json!({ "url": discord.gateway_url, "shards": 1, "session_start_limit": budget }))
}

async fn application(State(discord): State<Arc<Discord>>) -> Json<Value> {
    discord.with(|world| {
        let present = world.guilds.values().filter(|guild| guild.bot_in_guild).count();
        Json(wire::application(present, world.gateway.members_intent, &world.oauth.redirect_uris))
    })
}

async fn commands(State(discord): State<Arc<Discord>>) -> Json<Vec<Value>> {
    Json(discord.with(|world| world.commands.clone()))
}

async fn set_commands(State(discord): State<Arc<Discord>>, Json(sent): Json<Vec<Value>>) -> Json<Vec<Value>> {
    Json(discord.with(|world| {
        world.commands = registered(&mut world.mint, &world.commands, None, &sent);
        world.commands.clone()
    }))
}

async fn guild_commands(
    State(discord): State<Arc<Discord>>,
    Path((_, guild)): Path<(String, String)>,
) -> Result<Json<Vec<Value>>, No> {
    let guild = id(&guild)?;
    discord.with(|world| {
        world.seen_by_bot(guild)?;
        Ok(Json(world.guild_commands.get(&guild).cloned().unwrap_or_default()))
    })
}

async fn set_guild_commands(
    State(discord): State<Arc<Discord>>,
    Path((_, guild)): Path<(String, String)>,
    Json(sent): Json<Vec<Value>>,
) -> Result<Json<Vec<Value>>, No> {
    let guild = id(&guild)?;
    discord.with(|world| {
        world.seen_by_bot(guild)?;
        let before = world.guild_commands.get(&guild).map_or(&[][..], Vec::as_slice);
        let now = registered(&mut world.mint, before, Some(guild), &sent);
        world.guild_commands.insert(guild, now.clone());
        Ok(Json(now))
    })
}

/// Overwrites the whole list; a command that keeps its name keeps its id.
fn registered(mint: &mut Mint, before: &[Value], guild: Option<u64>, sent: &[Value]) -> Vec<Value> {
    sent.iter()
        .map(|sent| {
            let kept = before.iter().find(|old| old["name"] == sent["name"]);
            let id = kept.and_then(|old| old["id"].as_str()?.parse().ok());
            let version = mint.next();
            wire::command(id.unwrap_or(version), version, guild, sent)
        })
        .collect()
}
