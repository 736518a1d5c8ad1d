//! A guild's audit log over REST. In: the bot's call and its filters. Out: entries, and whom they name.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Json, Router, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::audit_log::{Line, MEMBER_ROLE_UPDATE};
use super::reply::No;
use super::rest::id;
use super::state::Discord;
use super::wire_ids::VIEW_AUDIT_LOG;

const PAGE: usize = 50;
const LARGEST_PAGE: usize = 100;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new().route("/guilds/{guild}/audit-logs", get(read))
}

#[derive(Deserialize)]
struct Filters {
    user_id: Option<u64>,
    target_id: Option<u64>,
    action_type: Option<u64>,
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<usize>,
}

impl Filters {
    fn pass(&self, line: &Line) -> bool {
        let is = |wanted: Option<u64>, value: u64| wanted.is_none_or(|wanted| wanted == value);
        is(self.user_id, line.user)
            && is(self.target_id, line.target)
            && is(self.action_type, line.action)
            && self.before.is_none_or(|before| line.id < before)
            && self.after.is_none_or(|after| line.id > after)
    }
}

async fn read(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<String>,
    filters: Result<Query<Filters>, QueryRejection>,
) -> Result<Json<Value>, No> {
    let guild = id(&guild)?;
    let Query(filters) = filters.map_err(|_| No::InvalidForm)?;
    let limit = filters.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(No::InvalidForm);
    }
    discord.with(|world| {
        let place = world.seen_by_bot(guild)?;
        if place.bot_permissions() & VIEW_AUDIT_LOG == 0 {
            return Err(No::MissingPermissions);
        }
        let fitting = place.log.iter().filter(|line| filters.pass(line));
        // Newest first, unless a caller reads on from an entry.
        let lines: Vec<&Line> = if filters.after.is_some() {
            fitting.take(limit).collect()
        } else {
            fitting.rev().take(limit).collect()
        };
        let mut users: Vec<u64> = lines.iter().map(|line| line.user).collect();
        users.extend(lines.iter().filter(|line| line.action == MEMBER_ROLE_UPDATE).map(|line| line.target));
        users.sort_unstable();
        users.dedup();
        let users: Vec<Value> = users.into_iter().map(|user| world.user(user)).collect();
        let entries: Vec<&Value> = lines.iter().map(|line| &line.entry).collect();
        Ok(Json(json!({
            "audit_log_entries": entries, "users": users, "integrations": [], "webhooks": [],
            "guild_scheduled_events": [], "threads": [], "application_commands": [],
            "auto_moderation_rules": [],
        })))
    })
}
