//! A guild's audit log as Discord keeps it. In: what was changed, by whom and why. Out: entries, over REST and as events.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Json, Router, routing::get};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Discord;
use super::records::Actor;
use super::reply::No;
use super::rest::id;
use super::wire;
use super::world::{BOT_ID, World};

/// <https://discord.com/developers/docs/resources/audit-log#audit-log-entry-object-audit-log-events>
pub(crate) const MEMBER_ROLE_UPDATE: u64 = 25;
pub(crate) const ROLE_CREATE: u64 = 30;
pub(crate) const ROLE_UPDATE: u64 = 31;
pub(crate) const ROLE_DELETE: u64 = 32;

/// Intent for the event of each new entry.
const INTENT_MODERATION: u64 = 1 << 2;
const VIEW_AUDIT_LOG: u64 = 0x80;
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 100;

/// One entry.
pub(crate) struct Line {
    id: u64,
    action: u64,
    user: u64,
    target: u64,
    entry: Value,
}

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new().route("/guilds/{guild}/audit-logs", get(read))
}

/// A role as entries about members name it: in `$add` and `$remove`.
pub(crate) fn role_change(key: &str, role: u64, name: &str) -> Value {
    json!([{ "key": key, "new_value": [{ "id": role.to_string(), "name": name }] }])
}

/// What differs between two shapes of the same thing.
pub(crate) fn differences(before: &Value, after: &Value) -> Value {
    let mut changes = Vec::new();
    for key in ["name", "permissions", "position", "managed"] {
        if before[key] != after[key] {
            let mut change = Map::from_iter([("key".to_owned(), json!(key))]);
            for (word, value) in [("old_value", &before[key]), ("new_value", &after[key])] {
                if !value.is_null() {
                    change.insert(word.to_owned(), value.clone());
                }
            }
            changes.push(Value::Object(change));
        }
    }
    changes.into()
}

impl World {
    /// Writes an entry, and tells whoever may read the log.
    pub(crate) fn audit(
        &mut self,
        guild: u64,
        actor: Actor,
        (action, target): (u64, u64),
        changes: &Value,
        reason: Option<&str>,
    ) {
        let (id, user) = (
            self.mint.next(),
            match actor {
                Actor::Bot => BOT_ID,
                Actor::Human => wire::OWNER_ID,
            },
        );
        let mut entry = json!({
            "id": id.to_string(), "action_type": action, "user_id": user.to_string(),
            "target_id": target.to_string(), "changes": changes,
        });
        if let Some(reason) = reason {
            entry["reason"] = reason.into();
        }
        let Some(place) = self.guilds.get_mut(&guild) else { return };
        let readable = place.bot_permissions() & VIEW_AUDIT_LOG != 0;
        let mut event = entry.clone();
        event["guild_id"] = guild.to_string().into();
        place.log.push(Line { id, action, user, target, entry });
        if readable {
            self.tell(guild, INTENT_MODERATION, "GUILD_AUDIT_LOG_ENTRY_CREATE", &event);
        }
    }
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
