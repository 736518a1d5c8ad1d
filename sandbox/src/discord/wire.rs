//! Discord's JSON shapes. In: the world's plain data. Out: objects with every field Discord's description requires.
//!
//! Strict clients drop what lacks a field without a word, so the shapes are complete rather than minimal.

use serde_json::{Value, json};

use super::guild::{Channel, Guild, Member, Role};
use super::profile::Profile;
use super::wire_ids::{BOT_ID, OWNER_ID, VIEW};
use crate::clock;

/// A user; the only bot in this world is ours.
pub(crate) fn user(id: u64, username: &str) -> Value {
    json!({
        "id": id.to_string(), "username": username, "discriminator": "0", "global_name": null,
        "avatar": null, "bot": id == BOT_ID, "system": false, "banner": null, "accent_color": null,
        "public_flags": 0, "flags": 0, "avatar_decoration_data": null, "collectibles": null,
        "primary_guild": null,
    })
}

/// The bot as it sees itself.
pub(crate) fn myself() -> Value {
    let mut me = user(BOT_ID, "Nexrole");
    me["mfa_enabled"] = true.into();
    me["locale"] = "en-US".into();
    me["verified"] = true.into();
    me["email"] = Value::Null;
    me["premium_type"] = 0.into();
    me
}

/// A person as they see themselves. `email`: whether they let their address be seen.
pub(crate) fn person(id: u64, username: &str, profile: &Profile, email: bool) -> Value {
    let mut me = user(id, username);
    me["global_name"] = profile.global_name.clone().into();
    me["mfa_enabled"] = false.into();
    me["locale"] = "en-US".into();
    me["premium_type"] = 0.into();
    if email {
        me["email"] = profile.email.clone().into();
        me["verified"] = profile.verified.into();
    }
    me
}

/// The bot's application. Its id equals the bot's user id, as for every application created since 2016.
pub(crate) fn application(guilds: usize, members_intent: bool, redirect_uris: &[String]) -> Value {
    // GATEWAY_GUILD_MEMBERS_LIMITED: the intent of an application in fewer than 100 guilds.
    let flags = u64::from(members_intent) << 15;
    json!({
        "id": BOT_ID.to_string(), "name": "Nexrole", "icon": null, "description": "", "type": null,
        "bot": user(BOT_ID, "Nexrole"), "bot_public": true, "bot_require_code_grant": false,
        "verify_key": "0".repeat(64), "flags": flags, "flags_new": flags.to_string(), "redirect_uris": redirect_uris,
        "interactions_endpoint_url": null, "role_connections_verification_url": null,
        "owner": user(OWNER_ID, "owner"), "approximate_guild_count": guilds,
        "approximate_user_install_count": 0, "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0, "team": null, "eligible_oauth2_scopes": [], "rpc_origins": [],
        "integration_types_config": { "0": {} },
    })
}

pub(crate) fn role(role: &Role) -> Value {
    let mut shape = json!({
        "id": role.id.to_string(), "name": role.name, "position": role.position,
        "permissions": role.permissions.to_string(), "managed": role.managed, "color": 0,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
        "hoist": false, "mentionable": false, "icon": null, "unicode_emoji": null, "flags": 0,
    });
    if role.of_bot {
        shape["tags"] = json!({ "bot_id": BOT_ID.to_string() });
    } else if !role.tags.is_null() {
        shape["tags"] = role.tags.clone();
    }
    shape
}

pub(crate) fn member(id: u64, member: &Member) -> Value {
    json!({
        "user": user(id, &member.username), "nick": null, "avatar": null, "banner": null,
        "roles": texts(&member.roles), "joined_at": member.joined_at, "premium_since": null,
        "deaf": false, "mute": false, "pending": member.pending, "flags": u8::from(member.rejoined),
        "communication_disabled_until": null, "avatar_decoration_data": null, "collectibles": null,
    })
}

/// A guild as the REST API shows it.
pub(crate) fn guild(guild: &Guild) -> Value {
    json!({
        "id": guild.id.to_string(), "name": guild.name, "icon": null, "description": null,
        "home_header": null, "splash": null, "discovery_splash": null, "features": [], "banner": null,
        "owner_id": OWNER_ID.to_string(), "application_id": null, "region": "us-west",
        "afk_channel_id": null, "afk_timeout": 300, "system_channel_id": null, "system_channel_flags": 0,
        "widget_enabled": false, "widget_channel_id": null, "verification_level": 0,
        "roles": guild.roles.values().map(role).collect::<Vec<_>>(), "default_message_notifications": 1,
        "mfa_level": 0, "explicit_content_filter": 0, "max_presences": null, "max_members": 500_000,
        "max_stage_video_channel_users": 50, "max_video_channel_users": 25, "vanity_url_code": null,
        "premium_tier": 0, "premium_subscription_count": 0, "preferred_locale": "en-US",
        "rules_channel_id": null, "safety_alerts_channel_id": null, "public_updates_channel_id": null,
        "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0, "emojis": [],
        "stickers": [], "incidents_data": null,
    })
}

/// A guild as the gateway announces it. Without the presence intent its member list holds only the bot.
pub(crate) fn guild_create(full: &Guild) -> Value {
    let mut shape = guild(full);
    let bot = full.members.get(&BOT_ID);
    shape["joined_at"] = bot.map_or_else(clock::iso, |bot| bot.joined_at.clone()).into();
    shape["large"] = false.into();
    shape["unavailable"] = false.into();
    shape["member_count"] = full.members.len().into();
    shape["members"] = bot.map(|bot| member(BOT_ID, bot)).into_iter().collect();
    shape["channels"] = channels(full).into();
    for empty in ["voice_states", "threads", "presences", "stage_instances", "guild_scheduled_events"] {
        shape[empty] = json!([]);
    }
    shape["soundboard_sounds"] = json!([]);
    shape
}

/// A registered slash command, from what the bot sent.
pub(crate) fn command(id: u64, version: u64, guild: Option<u64>, sent: &Value) -> Value {
    let mut shape = json!({
        "type": 1, "description": "", "default_member_permissions": null, "nsfw": false,
        "contexts": null, "integration_types": [0], "options": [],
    });
    if let (Some(shape), Some(sent)) = (shape.as_object_mut(), sent.as_object()) {
        shape.extend(sent.clone());
    }
    shape["id"] = id.to_string().into();
    shape["application_id"] = BOT_ID.to_string().into();
    shape["version"] = version.to_string().into();
    if let Some(guild) = guild {
        shape["guild_id"] = guild.to_string().into();
    }
    shape
}

pub(crate) fn message(id: u64, channel: u64, author: &Value) -> Value {
    json!({
        "id": id.to_string(), "channel_id": channel.to_string(), "type": 0, "author": author, "content": "",
        "timestamp": clock::iso(), "edited_timestamp": null, "tts": false, "mention_everyone": false,
        "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "components": [],
        "pinned": false, "flags": 0,
    })
}

/// A guild's channels, as the gateway shows them: those that the bot cannot view without what they are.
pub(crate) fn channels(guild: &Guild) -> Vec<Value> {
    let shown = guild.channels.iter().enumerate();
    let shape = |(position, (id, channel)): (usize, (&u64, &Channel))| {
        if channel.is_hidden(guild) {
            hidden(*id, position, guild)
        } else {
            seen(*id, position, channel, guild)
        }
    };
    shown.map(shape).collect()
}

/// A guild's channels, as the REST API lists them: only those that the bot can view.
pub(crate) fn visible_channels(guild: &Guild) -> Vec<Value> {
    let visible = guild.channels.iter().enumerate().filter(|(_, (_, channel))| !channel.is_hidden(guild));
    visible.map(|(position, (id, channel))| seen(*id, position, channel, guild)).collect()
}

fn seen(id: u64, position: usize, channel: &Channel, guild: &Guild) -> Value {
    let denied = json!({
        "id": BOT_ID.to_string(), "type": 1, "allow": "0", "deny": channel.bot_denied.to_string(),
    });
    let overwrites = if channel.bot_denied == 0 { json!([]) } else { json!([denied]) };
    json!({
        "id": id.to_string(), "type": 0, "guild_id": guild.id.to_string(), "name": channel.name,
        "position": position, "permission_overwrites": overwrites, "flags": 0, "parent_id": null,
        "topic": null, "nsfw": false, "rate_limit_per_user": 0, "last_message_id": null,
    })
}

/// Since 2026-11-16 every bot is shown such channels with nothing but their id, kind and place
/// (<https://discord.com/developers/docs/resources/channel>). Which fields are null is not published: here all that may be.
fn hidden(id: u64, position: usize, guild: &Guild) -> Value {
    let denied = json!({ "id": guild.id.to_string(), "type": 0, "allow": "0", "deny": VIEW.to_string() });
    json!({
        "id": id.to_string(), "type": 0, "guild_id": guild.id.to_string(), "name": "___hidden___",
        "position": position, "permission_overwrites": [denied], "flags": 1 << 17, "parent_id": null,
        "topic": null, "nsfw": null, "rate_limit_per_user": null, "last_message_id": null,
    })
}

/// A conversation of two.
pub(crate) fn direct(id: u64, with: &Value) -> Value {
    json!({ "id": id.to_string(), "type": 1, "flags": 0, "last_message_id": null, "recipients": [with] })
}

/// Ids as Discord lists them.
pub(crate) fn texts<'a>(ids: impl IntoIterator<Item = &'a u64>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}
