//! Everything that calls Discord's REST API for roles and for messages to members: thin calls, a pure reading of answers, and pacing;
//! and what `nexrole doctor` reads.

pub mod adding;
pub mod classify;
pub mod client;
pub mod fuzz;
pub mod inspect;
pub mod messages;
pub mod rate_limit;
pub mod role_list;
pub mod server;
pub mod session_budget;

/// Every route of Discord's REST API that this bot calls, by the worker or through serenity, spelt as Discord's own
/// description spells it. The end-to-end tests fail on a call that is not here, and on a line that is never called.
pub const ROUTES: [(&str, &str); 13] = [
    ("GET", "/gateway/bot"),
    ("GET", "/guilds/{guild_id}"),
    ("GET", "/guilds/{guild_id}/roles"),
    ("GET", "/guilds/{guild_id}/roles/member-counts"),
    ("GET", "/guilds/{guild_id}/members/{user_id}"),
    ("PUT", "/guilds/{guild_id}/members/{user_id}"),
    ("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}"),
    ("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}"),
    ("PUT", "/applications/{application_id}/commands"),
    ("POST", "/users/@me/channels"),
    ("POST", "/channels/{channel_id}/messages"),
    ("POST", "/interactions/{interaction_id}/{interaction_token}/callback"),
    ("POST", "/webhooks/{webhook_id}/{webhook_token}"),
];
