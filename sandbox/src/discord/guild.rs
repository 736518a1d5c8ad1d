//! A guild as plain data, and what follows from it alone. In: nothing. Out: roles, members, channels, and what the bot may do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::audit_log::Line;
use super::records::AuditEntry;
use super::wire_ids::{ADMINISTRATOR, BOT_ID, MANAGE_ROLES, VIEW};

pub(crate) struct Guild {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) bot_in_guild: bool,
    pub(crate) roles: BTreeMap<u64, Role>,
    pub(crate) members: BTreeMap<u64, Member>,
    /// Role changes of members, for the control API.
    pub(crate) audit: Vec<AuditEntry>,
    /// The audit log as the bot may read it.
    pub(crate) log: Vec<Line>,
    pub(crate) channels: BTreeMap<u64, Channel>,
    /// Who was here before, for the rejoin flag.
    pub(crate) left: BTreeSet<u64>,
}

pub(crate) struct Role {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) position: u32,
    pub(crate) permissions: u64,
    pub(crate) managed: bool,
    /// Whether it came with the bot.
    pub(crate) of_bot: bool,
    /// Discord's tags of any other role; null for none.
    pub(crate) tags: Value,
}

impl Role {
    /// Higher rank is more; of two roles at the same position the older one ranks higher.
    fn rank(&self) -> (u32, Reverse<u64>) {
        (self.position, Reverse(self.id))
    }
}

/// Someone in a guild.
pub(crate) struct Member {
    pub(crate) username: String,
    pub(crate) roles: BTreeSet<u64>,
    pub(crate) joined_at: String,
    pub(crate) rejoined: bool,
    /// They have the guild's rules to accept.
    pub(crate) pending: bool,
}

impl Guild {
    fn of_bot(&self) -> impl Iterator<Item = &Role> {
        let held = self.members.get(&BOT_ID).into_iter().flat_map(|bot| &bot.roles);
        held.filter_map(|id| self.roles.get(id))
    }

    /// What the bot may do in the guild. @everyone's permissions count for it too.
    pub(crate) fn bot_permissions(&self) -> u64 {
        self.roles.get(&self.id).into_iter().chain(self.of_bot()).fold(0, |sum, role| sum | role.permissions)
    }

    /// Whether Discord lets the bot give or take this role.
    pub(crate) fn bot_may_touch(&self, role: &Role) -> bool {
        let highest = self.of_bot().map(Role::rank).max();
        self.bot_permissions() & (MANAGE_ROLES | ADMINISTRATOR) != 0
            && Some(role.rank()) < highest
            && !role.managed
            && role.id != self.id
    }
}

/// A text channel of a guild.
pub(crate) struct Channel {
    pub(crate) name: String,
    /// Permissions that an overwrite takes from the bot here.
    pub(crate) bot_denied: u64,
}

impl Channel {
    /// Whether the bot cannot view it.
    pub(crate) fn is_hidden(&self, guild: &Guild) -> bool {
        self.bot_denied & VIEW != 0 && guild.bot_permissions() & ADMINISTRATOR == 0
    }
}
