//! People whom the bot adds to a guild, by a token that they agreed to. In: the bot's call, and what keeps people out. Out: a new member,
//! or why not, as Discord says it.
//!
//! <https://discord.com/developers/docs/resources/guild#add-guild-member>. The order of the checks is not published; that a member is one
//! whatever else is wrong with them is (<https://github.com/discord/discord-api-docs/issues/6888>), and what 50025 stands for
//! (<https://github.com/discord/discord-api-docs/issues/5951>).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::door::Door;
use super::limits::Bucket;
use super::reply::No;
use super::rest::{id, limited};
use super::state::Discord;
use super::wire;
use super::wire_ids::{ADMINISTRATOR, CREATE_INSTANT_INVITE, MANAGE_ROLES};
use super::world::{Joining, World};
use crate::fault_proxy::percent_decoded;
use crate::refusal::Refusal;

/// What may be said of a newcomer; anything else is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    access_token: String,
    roles: Option<Vec<String>>,
}

impl World {
    /// The member as they came in; `None`: they were there.
    fn add_as_bot(
        &mut self,
        guild: u64,
        user: u64,
        params: &Params,
        reason: Option<String>,
    ) -> Result<Option<Value>, No> {
        let seen = self.seen_by_bot(guild)?;
        let grant = self.oauth.by_access_token(&params.access_token);
        // Somebody else's, or one that does not say so.
        if !grant.is_some_and(|grant| grant.user == user && grant.scopes.contains("guilds.join")) {
            return Err(No::InvalidAccessToken);
        }
        let may = |permission| seen.bot_permissions() & (permission | ADMINISTRATOR) != 0;
        if !may(CREATE_INSTANT_INVITE) {
            return Err(No::MissingPermissions);
        }
        let roles = params.roles.iter().flatten().map(|role| id(role)).collect::<Result<BTreeSet<_>, _>>()?;
        for role in &roles {
            let role = seen.roles.get(role).ok_or(No::UnknownRole)?;
            if !may(MANAGE_ROLES) || !seen.bot_may_touch(role) {
                return Err(No::MissingPermissions);
            }
        }
        if seen.members.contains_key(&user) {
            return Ok(None);
        }
        if self.door.banned.contains(&user) {
            return Err(No::Banned);
        }
        if self.door.full.contains(&user) {
            return Err(No::TooManyGuilds);
        }
        let pending = self.door.screening;
        self.join(guild, Joining { user: Some(user), name: None, pending, roles, reason })?;
        Ok(self.seen_by_bot(guild)?.members.get(&user).map(|member| wire::member(user, member)))
    }
}

/// `PUT /guilds/{guild}/members/{user}`
async fn add(
    State(discord): State<Arc<Discord>>,
    Path((guild, user)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, No> {
    let (guild, user) = (id(&guild)?, id(&user)?);
    let reason = headers.get("x-audit-log-reason").map(|reason| percent_decoded(reason.as_bytes()));
    Ok(limited(&discord, Bucket::MemberAdd(guild), |world| {
        world.seen_by_bot(guild)?;
        let params: Params = serde_json::from_slice(&body).map_err(|_| No::InvalidForm)?;
        let added = world.add_as_bot(guild, user, &params, reason)?;
        Ok(match added {
            Some(member) => (StatusCode::CREATED, Json(member)).into_response(),
            None => StatusCode::NO_CONTENT.into_response(),
        })
    }))
}

/// The bot's.
pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new().route("/guilds/{guild}/members/{user}", put(add))
}

/// The test's.
pub(crate) fn control() -> Router<Arc<Discord>> {
    Router::new().route("/door", put(set))
}

async fn set(State(discord): State<Arc<Discord>>, Json(door): Json<Door>) -> Result<Json<Value>, Refusal> {
    discord.with(|world| world.door = door);
    Ok(Json(Value::Null))
}
