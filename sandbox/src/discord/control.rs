//! The control API of the fake Discord. In: what a test wants to be true. Out: the changed world, or its state.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::interactions_control::interact;
use super::records::{Action, Actor, Limits};
use super::reply::No;
use super::snowflake;
use super::state::Discord;
use super::wire::texts;
use super::wire_ids::BOT_ID;
use super::world::{Joining, World};
use super::{accounts, adding, gateway_faults, people};
use crate::refusal::Refusal;

type Answer = Result<Json<Value>, Refusal>;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/state", get(state))
        .route("/guilds", post(create_guild))
        .route("/guilds/{guild}/bot", put(invite_bot).delete(kick_bot))
        .route("/guilds/{guild}/outage", post(outage))
        .route("/guilds/{guild}/roles", post(create_role))
        .route("/guilds/{guild}/roles/{role}", patch(set_role).delete(delete_role))
        .route("/guilds/{guild}/members", post(join))
        .route("/guilds/{guild}/members/{user}", delete(leave))
        .route("/guilds/{guild}/members/{user}/rules", put(accept_rules))
        .route("/guilds/{guild}/members/{user}/roles/{role}", put(give_role).delete(take_role))
        .route("/interactions", post(interact))
        .route("/limits", post(set_limits))
        .merge(gateway_faults::routes())
        .merge(accounts::routes())
        .merge(adding::control())
        .merge(people::routes())
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        match no {
            No::UnknownGuild => Self::missing("guild"),
            No::UnknownChannel => Self::missing("channel"),
            No::UnknownRole => Self::missing("role"),
            No::UnknownMember => Self::missing("member"),
            other => Self::conflict(format!("{other:?}")),
        }
    }
}

async fn state(State(discord): State<Arc<Discord>>) -> Json<Value> {
    Json(discord.with(snapshot))
}

fn snapshot(world: &mut World) -> Value {
    let guilds = world.guilds.values().map(|guild| {
        let roles = guild.roles.values().map(|role| {
            json!({
                "id": role.id.to_string(), "name": role.name, "position": role.position,
                "permissions": role.permissions.to_string(), "managed": role.managed,
            })
        });
        let members = guild.members.iter().map(|(id, member)| {
            json!({
                "id": id.to_string(), "username": member.username, "bot": *id == BOT_ID,
                "roles": texts(&member.roles), "joined_at": member.joined_at,
            })
        });
        json!({
            "id": guild.id.to_string(), "name": guild.name, "bot_in_guild": guild.bot_in_guild,
            "roles": roles.collect::<Vec<_>>(), "members": members.collect::<Vec<_>>(),
            "audit_log": guild.audit,
            "channels": guild.channels.iter().map(|(id, channel)| {
                json!({ "id": id.to_string(), "name": channel.name })
            }).collect::<Vec<_>>(),
        })
    });
    let commands: Vec<&Value> =
        world.commands.iter().chain(world.guild_commands.values().flatten()).collect();
    let invalid = world.ban.shown(world.meter.limits(), std::time::Instant::now());
    json!({
        "guilds": guilds.collect::<Vec<_>>(), "commands": commands, "sessions": world.gateway.connected(),
        "gateway": world.gateway.shown(), "invalid_requests": invalid,
        "oauth_grants": world.oauth.granted(),
    })
}

#[derive(Deserialize)]
struct NewGuild {
    #[serde(default, deserialize_with = "snowflake::optional")]
    id: Option<u64>,
    name: String,
}

async fn create_guild(State(discord): State<Arc<Discord>>, Json(params): Json<NewGuild>) -> Answer {
    let created = discord.with(|world| world.create_guild(params.id, &params.name));
    let id = created.ok_or_else(|| Refusal::conflict("this guild exists"))?;
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn invite_bot(State(discord): State<Arc<Discord>>, Path(guild): Path<u64>) -> Answer {
    discord.with(|world| world.invite_bot(guild))?;
    Ok(Json(json!({})))
}

async fn kick_bot(State(discord): State<Arc<Discord>>, Path(guild): Path<u64>) -> Answer {
    discord.with(|world| world.kick_bot(guild))?;
    Ok(Json(json!({})))
}

async fn outage(State(discord): State<Arc<Discord>>, Path(guild): Path<u64>) -> Answer {
    discord.with(|world| world.outage(guild))?;
    Ok(Json(json!({})))
}

/// What may be said about a role; unsaid properties stay.
#[derive(Deserialize)]
struct RoleParams {
    name: Option<String>,
    position: Option<u32>,
    #[serde(default, deserialize_with = "snowflake::optional")]
    permissions: Option<u64>,
    managed: Option<bool>,
    /// As Discord writes them: `{"premium_subscriber": null}`.
    tags: Option<Value>,
}

impl RoleParams {
    fn apply(self, role: &mut super::guild::Role) {
        role.name = self.name.unwrap_or_else(|| role.name.clone());
        role.position = self.position.unwrap_or(role.position);
        role.permissions = self.permissions.unwrap_or(role.permissions);
        role.managed = self.managed.unwrap_or(role.managed);
        role.tags = self.tags.unwrap_or_else(|| role.tags.clone());
    }
}

async fn create_role(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<u64>,
    Json(params): Json<RoleParams>,
) -> Answer {
    let id = discord.with(|world| {
        let id = world.create_role(guild, params.name.as_deref().unwrap_or("new role"), params.position)?;
        if params.permissions.is_some() || params.managed.is_some() || params.tags.is_some() {
            world.set_role(guild, id, |role| params.apply(role))?;
        }
        Ok::<_, No>(id)
    })?;
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn set_role(
    State(discord): State<Arc<Discord>>,
    Path((guild, role)): Path<(u64, u64)>,
    Json(params): Json<RoleParams>,
) -> Answer {
    discord.with(|world| world.set_role(guild, role, |role| params.apply(role)))?;
    Ok(Json(json!({})))
}

async fn delete_role(State(discord): State<Arc<Discord>>, Path((guild, role)): Path<(u64, u64)>) -> Answer {
    discord.with(|world| world.delete_role(guild, role))?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct NewMember {
    #[serde(default, deserialize_with = "snowflake::optional")]
    id: Option<u64>,
    username: Option<String>,
    #[serde(default)]
    pending: bool,
}

async fn join(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<u64>,
    Json(params): Json<NewMember>,
) -> Answer {
    let NewMember { id: user, username, pending } = params;
    let joining = Joining { user, name: username.as_deref(), pending, roles: [].into(), reason: None };
    let id = discord.with(|world| world.join(guild, joining))?;
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn leave(State(discord): State<Arc<Discord>>, Path((guild, user)): Path<(u64, u64)>) -> Answer {
    discord.with(|world| world.leave(guild, user))?;
    Ok(Json(json!({})))
}

async fn accept_rules(State(discord): State<Arc<Discord>>, Path((guild, user)): Path<(u64, u64)>) -> Answer {
    discord.with(|world| world.accept_rules(guild, user))?;
    Ok(Json(json!({})))
}

async fn give_role(
    State(discord): State<Arc<Discord>>,
    Path((guild, user, role)): Path<(u64, u64, u64)>,
) -> Answer {
    discord.with(|world| world.change(Actor::Human, Action::RoleAdd, guild, user, role, None))?;
    Ok(Json(json!({})))
}

async fn take_role(
    State(discord): State<Arc<Discord>>,
    Path((guild, user, role)): Path<(u64, u64, u64)>,
) -> Answer {
    discord.with(|world| world.change(Actor::Human, Action::RoleRemove, guild, user, role, None))?;
    Ok(Json(json!({})))
}

async fn set_limits(State(discord): State<Arc<Discord>>, Json(limits): Json<Limits>) -> Json<Value> {
    discord.with(|world| {
        world.meter.set(limits);
        world.ban = super::ban::Ban::default();
    });
    Json(json!({}))
}
