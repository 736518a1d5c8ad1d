//! What the control API tells about a fake Discord. In: JSON from the sandbox. Out: types for tests and the demo.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::snowflake;

/// Who changed a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The product, through the REST API.
    Bot,
    /// A moderator, through the control API.
    Human,
}

/// What happened to a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The member did not hold the role and now does.
    RoleAdd,
    /// The member held the role and no longer does.
    RoleRemove,
}

/// One line of a guild's audit log. Calls that changed nothing leave no line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// RFC 3339 time.
    pub at: String,
    /// Who did it.
    pub actor: Actor,
    pub action: Action,
    #[serde(with = "snowflake")]
    pub user_id: u64,
    #[serde(with = "snowflake")]
    pub role_id: u64,
    /// The decoded `X-Audit-Log-Reason`.
    pub reason: Option<String>,
}

/// How fast the bot may call. 0 means unlimited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Role PUT and DELETE together, per guild and window.
    pub role_limit: u32,
    /// Length of that window in milliseconds.
    pub role_window_ms: u64,
    /// Member GET, per guild and window.
    pub member_get_limit: u32,
    /// Length of that window in milliseconds.
    pub member_get_window_ms: u64,
    /// All authenticated calls together, per second.
    pub global_per_second: u32,
    /// After so many invalid requests (401, 403, 429 unless shared) within a window the address is banned.
    pub invalid_limit: u32,
    /// Length of that window in milliseconds.
    pub invalid_window_ms: u64,
    /// How long the ban lasts.
    pub ban_ms: u64,
    /// How long an interaction waits for its first answer.
    pub callback_ms: u64,
    /// How long an interaction's token is good for further answers.
    pub token_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            role_limit: 10,
            role_window_ms: 10_000,
            member_get_limit: 5,
            member_get_window_ms: 1_000,
            global_per_second: 50,
            invalid_limit: 10_000,
            invalid_window_ms: 600_000,
            ban_ms: 3_600_000,
            callback_ms: 3_000,
            token_ms: 900_000,
        }
    }
}

impl Limits {
    /// No limit at all, for tests that are about something else. Bans stay: nothing should come near one.
    pub fn none() -> Self {
        Self { role_limit: 0, member_get_limit: 0, global_per_second: 0, callback_ms: 0, ..Self::default() }
    }
}

/// A message the bot showed in answer to a command.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Message {
    pub id: String,
    pub content: String,
    pub embeds: Vec<Value>,
    pub components: Vec<Value>,
    /// Message flags; 64 is ephemeral.
    pub flags: u64,
}

impl Message {
    /// Whether only the invoking user sees it.
    pub fn is_ephemeral(&self) -> bool {
        self.flags & 64 != 0
    }
}

/// A command's visible answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Interaction {
    /// The first callback as sent: `{type, data}`.
    pub callback: Value,
    /// The messages shown so far, the original first.
    pub messages: Vec<Message>,
}

impl Interaction {
    /// Everything a user can read: contents, embed titles, descriptions and fields, a line each.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for message in &self.messages {
            lines.push(message.content.as_str());
            for embed in &message.embeds {
                lines.extend(["title", "description"].iter().filter_map(|key| embed[key].as_str()));
                for field in embed["fields"].as_array().into_iter().flatten() {
                    lines.extend(["name", "value"].iter().filter_map(|key| field[key].as_str()));
                }
            }
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}
