//! All guilds, and Discord's rules about changing them. In: a change. Out: the changed world, its gateway
//! events, or the refusal Discord would give.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::audit_log;
use super::ban::Ban;
use super::door::Door;
use super::guild::{Channel, Guild, Member, Role};
use super::interaction_responses::InteractionResponses;
use super::limits::Meter;
use super::messages::Messages;
use super::oauth_grants::OAuth;
use super::profile::Profile;
use super::records::{Action, Actor, AuditEntry};
use super::reply::No;
use super::session::Sessions;
use super::snowflake::Mint;
use super::wire;
use super::wire_ids::{
    BOT_ID, INTENT_GUILDS, INTENT_MEMBERS, INTENT_MODERATION, MANAGE_ROLES, OWNER_ID, VIEW_AUDIT_LOG,
};
use crate::clock;

/// View channels and send messages, about what @everyone starts with.
const EVERYONE: u64 = 0xC00;
/// Where the bot's own role starts, so that there is room above and below.
const BOT_POSITION: u32 = 50;

/// Who joins; somebody new, unless they are named. `pending`: with rules to accept.
pub(crate) struct Joining<'a> {
    pub(crate) user: Option<u64>,
    pub(crate) name: Option<&'a str>,
    pub(crate) pending: bool,
    /// Given to them by the bot in the same moment.
    pub(crate) roles: BTreeSet<u64>,
    /// Why, for the audit log.
    pub(crate) reason: Option<String>,
}

/// Everything one fake Discord knows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) guilds: BTreeMap<u64, Guild>,
    pub(crate) commands: Vec<Value>,
    pub(crate) guild_commands: BTreeMap<u64, Vec<Value>>,
    pub(crate) gateway: Sessions,
    pub(crate) interactions: Vec<InteractionResponses>,
    pub(crate) meter: Meter,
    pub(crate) ban: Ban,
    pub(crate) mint: Mint,
    pub(crate) messages: Messages,
    /// Direct channels, and with whom.
    pub(crate) directs: BTreeMap<u64, u64>,
    /// Who takes no direct messages.
    pub(crate) closed: BTreeSet<u64>,
    /// Accounts outlive memberships: someone who rejoins has the same name.
    pub(super) names: BTreeMap<u64, String>,
    /// What they say of themselves.
    pub(super) profiles: BTreeMap<u64, Profile>,
    pub(crate) oauth: OAuth,
    pub(crate) door: Door,
}

impl World {
    /// The guild, if the bot can see it.
    pub(crate) fn seen_by_bot(&self, guild: u64) -> Result<&Guild, No> {
        let guild = self.guilds.get(&guild).ok_or(No::UnknownGuild)?;
        if guild.bot_in_guild { Ok(guild) } else { Err(No::MissingAccess) }
    }

    /// The bot's role change, with Discord's checks in Discord's order.
    pub(crate) fn change_as_bot(
        &mut self,
        action: Action,
        guild: u64,
        user: u64,
        role: u64,
        reason: Option<String>,
    ) -> Result<(), No> {
        let seen = self.seen_by_bot(guild)?;
        let wanted = seen.roles.get(&role).ok_or(No::UnknownRole)?;
        seen.members.get(&user).ok_or(No::UnknownMember)?;
        if !seen.bot_may_touch(wanted) {
            return Err(No::MissingPermissions);
        }
        self.change(Actor::Bot, action, guild, user, role, reason)
    }

    /// A role change without a question of rank: a moderator's, or one already checked.
    pub(crate) fn change(
        &mut self,
        actor: Actor,
        action: Action,
        guild: u64,
        user: u64,
        role: u64,
        reason: Option<String>,
    ) -> Result<(), No> {
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let role_name = place.roles.get(&role).ok_or(No::UnknownRole)?.name.clone();
        let member = place.members.get_mut(&user).ok_or(No::UnknownMember)?;
        let changed = match action {
            Action::RoleAdd => member.roles.insert(role),
            Action::RoleRemove => member.roles.remove(&role),
        };
        if changed {
            let mut update = wire::member(user, member);
            update["guild_id"] = guild.to_string().into();
            let at = clock::iso();
            let told = reason.clone();
            place.audit.push(AuditEntry { at, actor, action, user_id: user, role_id: role, reason });
            // The bot hears about itself without the privileged intent.
            let intent = if user == BOT_ID { 0 } else { INTENT_MEMBERS };
            self.tell(guild, intent, "GUILD_MEMBER_UPDATE", &update);
            let key = match action {
                Action::RoleAdd => "$add",
                Action::RoleRemove => "$remove",
            };
            let changes = audit_log::role_change(key, role, &role_name);
            self.audit(guild, actor, (audit_log::MEMBER_ROLE_UPDATE, user), &changes, told.as_deref());
        }
        Ok(())
    }

    /// A new guild with @everyone, the bot, and the bot's role.
    pub(crate) fn create_guild(&mut self, id: Option<u64>, name: &str) -> Option<u64> {
        let id = id.unwrap_or_else(|| self.mint.next());
        if self.guilds.contains_key(&id) {
            return None;
        }
        let bot_role = self.mint.next();
        let everyone = Role {
            id,
            name: "@everyone".to_owned(),
            position: 0,
            permissions: EVERYONE,
            managed: false,
            of_bot: false,
            tags: Value::Null,
        };
        let own = Role {
            id: bot_role,
            name: "Nexrole".to_owned(),
            position: BOT_POSITION,
            permissions: MANAGE_ROLES,
            managed: true,
            of_bot: true,
            tags: Value::Null,
        };
        let guild = Guild {
            id,
            name: name.to_owned(),
            bot_in_guild: false,
            roles: BTreeMap::from([(id, everyone), (bot_role, own)]),
            members: BTreeMap::new(),
            audit: Vec::new(),
            log: Vec::new(),
            channels: BTreeMap::from([(
                self.mint.next(),
                Channel { name: "general".to_owned(), bot_denied: 0 },
            )]),
            left: BTreeSet::new(),
        };
        self.guilds.insert(id, guild);
        self.invite_bot(id).ok()?;
        Some(id)
    }

    /// Puts the bot into the guild, with its role.
    pub(crate) fn invite_bot(&mut self, guild: u64) -> Result<(), No> {
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        if place.bot_in_guild {
            return Ok(());
        }
        place.bot_in_guild = true;
        let roles = place.roles.values().filter(|role| role.of_bot).map(|role| role.id).collect();
        let bot = Member {
            username: "Nexrole".to_owned(),
            roles,
            joined_at: clock::iso(),
            rejoined: false,
            pending: false,
        };
        place.members.insert(BOT_ID, bot);
        let announced = wire::guild_create(place);
        self.tell(guild, INTENT_GUILDS, "GUILD_CREATE", &announced);
        Ok(())
    }

    /// Throws the bot out. Its role stays in the guild, so that an invitation restores the old rank.
    pub(crate) fn kick_bot(&mut self, guild: u64) -> Result<(), No> {
        self.guilds.get(&guild).ok_or(No::UnknownGuild)?;
        // Told first: afterwards the bot is no longer in the guild and hears nothing from it.
        self.tell(guild, INTENT_GUILDS, "GUILD_DELETE", &json!({ "id": guild.to_string() }));
        if let Some(place) = self.guilds.get_mut(&guild) {
            place.bot_in_guild = false;
            place.members.remove(&BOT_ID);
        }
        Ok(())
    }

    /// Says what Discord says when a guild's part of it is down. It says no more: calls go on as before.
    pub(crate) fn outage(&mut self, guild: u64) -> Result<(), No> {
        self.guilds.get(&guild).ok_or(No::UnknownGuild)?;
        let said = json!({ "id": guild.to_string(), "unavailable": true });
        self.tell(guild, INTENT_GUILDS, "GUILD_DELETE", &said);
        Ok(())
    }

    /// Adds a role; without a position it goes on top of those below the bot.
    pub(crate) fn create_role(&mut self, guild: u64, name: &str, position: Option<u32>) -> Result<u64, No> {
        let id = self.mint.next();
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let below_bot = place.roles.values().map(|role| role.position).filter(|at| *at < BOT_POSITION);
        let next = (below_bot.max().unwrap_or(0) + 1).min(BOT_POSITION - 1);
        let role = Role {
            id,
            name: name.to_owned(),
            position: position.unwrap_or(next),
            permissions: 0,
            managed: false,
            of_bot: false,
            tags: Value::Null,
        };
        let shape = wire::role(&role);
        place.roles.insert(id, role);
        let announced = json!({ "guild_id": guild.to_string(), "role": shape });
        self.tell(guild, INTENT_GUILDS, "GUILD_ROLE_CREATE", &announced);
        let changes = audit_log::differences(&json!({}), &shape);
        self.audit(guild, Actor::Human, (audit_log::ROLE_CREATE, id), &changes, None);
        Ok(id)
    }

    pub(crate) fn set_role(&mut self, guild: u64, id: u64, change: impl FnOnce(&mut Role)) -> Result<(), No> {
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let role = place.roles.get_mut(&id).ok_or(No::UnknownRole)?;
        let before = wire::role(role);
        change(role);
        let after = wire::role(role);
        let announced = json!({ "guild_id": guild.to_string(), "role": after });
        self.tell(guild, INTENT_GUILDS, "GUILD_ROLE_UPDATE", &announced);
        let changes = audit_log::differences(&before, &after);
        self.audit(guild, Actor::Human, (audit_log::ROLE_UPDATE, id), &changes, None);
        Ok(())
    }

    /// Deletes a role; members lose it without a member event, as on the real Discord.
    pub(crate) fn delete_role(&mut self, guild: u64, role: u64) -> Result<(), No> {
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let gone = place.roles.remove(&role).ok_or(No::UnknownRole)?;
        for member in place.members.values_mut() {
            member.roles.remove(&role);
        }
        let announced = json!({ "guild_id": guild.to_string(), "role_id": role.to_string() });
        self.tell(guild, INTENT_GUILDS, "GUILD_ROLE_DELETE", &announced);
        let changes = audit_log::differences(&wire::role(&gone), &json!({}));
        self.audit(guild, Actor::Human, (audit_log::ROLE_DELETE, role), &changes, None);
        Ok(())
    }

    /// Someone joins: Discord does not restore roles. Joining twice changes nothing.
    pub(crate) fn join(
        &mut self,
        guild: u64,
        Joining { user, name, pending, roles, reason }: Joining<'_>,
    ) -> Result<u64, No> {
        let user = user.unwrap_or_else(|| self.mint.next());
        let known = self.names.get(&user).cloned();
        let username =
            name.map(ToOwned::to_owned).or(known).unwrap_or_else(|| format!("user-{}", user % 10_000));
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        if place.members.contains_key(&user) {
            return Ok(user);
        }
        self.names.insert(user, username.clone());
        let rejoined = place.left.contains(&user);
        let at = clock::iso();
        let given = |role: &u64| AuditEntry {
            at: at.clone(),
            actor: Actor::Bot,
            action: Action::RoleAdd,
            user_id: user,
            role_id: *role,
            reason: reason.clone(),
        };
        place.audit.extend(roles.iter().map(given));
        let member = Member { username, roles, joined_at: at, rejoined, pending };
        let mut announced = wire::member(user, &member);
        announced["guild_id"] = guild.to_string().into();
        place.members.insert(user, member);
        self.tell(guild, INTENT_MEMBERS, "GUILD_MEMBER_ADD", &announced);
        Ok(user)
    }

    /// Someone accepts the guild's rules.
    pub(crate) fn accept_rules(&mut self, guild: u64, user: u64) -> Result<(), No> {
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let member = place.members.get_mut(&user).ok_or(No::UnknownMember)?;
        member.pending = false;
        let mut update = wire::member(user, member);
        update["guild_id"] = guild.to_string().into();
        self.tell(guild, INTENT_MEMBERS, "GUILD_MEMBER_UPDATE", &update);
        Ok(())
    }

    /// Someone leaves and loses every role.
    pub(crate) fn leave(&mut self, guild: u64, user: u64) -> Result<(), No> {
        let place = self.guilds.get_mut(&guild).ok_or(No::UnknownGuild)?;
        let member = place.members.remove(&user).ok_or(No::UnknownMember)?;
        place.left.insert(user);
        let announced = json!({ "guild_id": guild.to_string(), "user": wire::user(user, &member.username) });
        self.tell(guild, INTENT_MEMBERS, "GUILD_MEMBER_REMOVE", &announced);
        Ok(())
    }

    /// Whether there is such an account.
    pub(crate) fn knows(&self, user: u64) -> bool {
        user == BOT_ID || user == OWNER_ID || self.names.contains_key(&user)
    }

    pub(crate) fn user(&self, user: u64) -> Value {
        let name = match user {
            BOT_ID => "Nexrole",
            OWNER_ID => "owner",
            _ => self.names.get(&user).map_or("someone", String::as_str),
        };
        wire::user(user, name)
    }

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
                Actor::Human => OWNER_ID,
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
        place.log.push(audit_log::Line { id, action, user, target, entry });
        if readable {
            self.tell(guild, INTENT_MODERATION, "GUILD_AUDIT_LOG_ENTRY_CREATE", &event);
        }
    }

    /// Sends a guild's event to each session with the intent, while the bot is in that guild.
    pub(crate) fn tell(&mut self, guild: u64, intent: u64, event: &'static str, data: &Value) {
        if self.guilds.get(&guild).is_some_and(|place| place.bot_in_guild) {
            for session in self.gateway.hearing(guild, intent) {
                session.dispatch(event, data);
            }
        }
    }
}
