//! Ids, permissions and intents as Discord spells them.

/// The bot's user id and its application's id.
pub(crate) const BOT_ID: u64 = 1_100_000_000_000_000_003;
/// Owner of the application and of every guild; a member of none.
pub(crate) const OWNER_ID: u64 = 1_000_000_000_000_000_007;

pub(crate) const ADMINISTRATOR: u64 = 0x8;
pub(crate) const CREATE_INSTANT_INVITE: u64 = 0x1;
pub(crate) const MANAGE_ROLES: u64 = 0x1000_0000;
pub(crate) const VIEW_AUDIT_LOG: u64 = 0x80;
pub(crate) const VIEW: u64 = 0x400;

/// Intent for guild and role events.
pub(crate) const INTENT_GUILDS: u64 = 1;
/// Privileged intent for member events.
pub(crate) const INTENT_MEMBERS: u64 = 1 << 1;
/// Intent for the event of each new entry of the audit log.
pub(crate) const INTENT_MODERATION: u64 = 1 << 2;
