//! Guilds, members and roles over REST. In: the bot's calls. Out: Discord's answers, rate-limit headers included.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::Value;

use super::limits::{Bucket, Pass};
use super::records::Action;
use super::reply::No;
use super::state::Discord;
use super::wire;
use super::world::World;
use crate::fault_proxy::percent_decoded;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/guilds/{guild}", get(guild))
        .route("/guilds/{guild}/roles", get(roles))
        .route("/guilds/{guild}/roles/member-counts", get(role_member_counts))
        .route("/guilds/{guild}/members/{user}", get(member))
        .route("/guilds/{guild}/members/{user}/roles/{role}", put(give_role).delete(take_role))
}

/// Reads an id out of a path.
pub(crate) fn id(text: &str) -> Result<u64, No> {
    text.parse().map_err(|_| No::InvalidForm)
}

async fn guild(State(discord): State<Arc<Discord>>, Path(guild): Path<String>) -> Result<Json<Value>, No> {
    let guild = id(&guild)?;
    discord.with(|world| Ok(Json(wire::guild(world.seen_by_bot(guild)?))))
}

async fn roles(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<String>,
) -> Result<Json<Vec<Value>>, No> {
    let guild = id(&guild)?;
    discord.with(|world| Ok(Json(world.seen_by_bot(guild)?.roles.values().map(wire::role).collect())))
}

/// How many members hold each role; @everyone is left out, and so are roles without holders.
async fn role_member_counts(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<String>,
) -> Result<Json<BTreeMap<String, usize>>, No> {
    let guild = id(&guild)?;
    discord.with(|world| {
        let mut counts = BTreeMap::new();
        for role in world.seen_by_bot(guild)?.members.values().flat_map(|member| &member.roles) {
            *counts.entry(role.to_string()).or_default() += 1;
        }
        Ok(Json(counts))
    })
}

async fn member(
    State(discord): State<Arc<Discord>>,
    Path((guild, user)): Path<(String, String)>,
) -> Result<Response, No> {
    let (guild, user) = (id(&guild)?, id(&user)?);
    Ok(limited(&discord, Bucket::MemberGet(guild), |world| {
        let member = world.seen_by_bot(guild)?.members.get(&user).ok_or(No::UnknownMember)?;
        Ok(Json(wire::member(user, member)))
    }))
}

async fn give_role(
    State(discord): State<Arc<Discord>>,
    Path((guild, user, role)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, No> {
    change_role(&discord, Action::RoleAdd, [&guild, &user, &role], &headers)
}

async fn take_role(
    State(discord): State<Arc<Discord>>,
    Path((guild, user, role)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, No> {
    change_role(&discord, Action::RoleRemove, [&guild, &user, &role], &headers)
}

fn change_role(
    discord: &Discord,
    action: Action,
    [guild, user, role]: [&str; 3],
    headers: &HeaderMap,
) -> Result<Response, No> {
    let (guild, user, role) = (id(guild)?, id(user)?, id(role)?);
    let reason = headers.get("x-audit-log-reason").map(|reason| percent_decoded(reason.as_bytes()));
    Ok(limited(discord, Bucket::Roles(guild), |world| {
        world.change_as_bot(action, guild, user, role, reason)?;
        Ok(StatusCode::NO_CONTENT)
    }))
}

/// Counts the call in its bucket; refusals by Discord's rules count like successes.
pub(crate) fn limited<T: IntoResponse>(
    discord: &Discord,
    bucket: Bucket,
    act: impl FnOnce(&mut World) -> Result<T, No>,
) -> Response {
    discord.with(|world| match world.meter.count(bucket, Instant::now()) {
        Pass::Free => act(world).into_response(),
        Pass::Counted(state) => {
            let mut answer = act(world).into_response();
            state.write(answer.headers_mut());
            answer
        }
        Pass::Refused(state) => state.refusal(),
    })
}
