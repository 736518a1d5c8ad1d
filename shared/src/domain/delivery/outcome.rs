//! The outcome of a call to Discord, in our words. Classified by the bot, by status and error code, never by text.

use std::time::Duration;

/// The answer to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// It is so now (also if it was so before: role calls are idempotent).
    Done,
    /// Told to wait; nothing was changed.
    RateLimited {
        after: Duration,
        /// What has to wait.
        scope: LimitScope,
    },
    /// 10007, 10013: not in the guild, or no such user.
    MemberGone,
    /// 10011: the role does not exist any more.
    RoleGone,
    /// Discord does not let us manage the role, whoever the member is. 50013: no Manage Roles, or the role is above ours, or
    /// managed by an integration; 60003: the guild's moderators need two-factor authentication.
    Forbidden {
        /// Discord's JSON error code.
        code: u32,
    },
    /// 10004, 50001: the bot is not in the guild.
    GuildGone {
        /// Discord's JSON error code.
        code: u32,
    },
    /// 401: the bot token is not valid (any more).
    TokenRejected,
    /// Refused for a reason that we have no rule for.
    Refused {
        status: u16,
        /// Discord's JSON error code; 0 when there was none.
        code: u32,
    },
    /// 5xx, time-out, reset: it may or may not have happened.
    Transient(Transient),
}

impl CallOutcome {
    /// One word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RateLimited { scope: LimitScope::Guild, .. } => "limited",
            Self::RateLimited { scope: LimitScope::Everything, .. } => "limited_globally",
            Self::MemberGone => "member_gone",
            Self::RoleGone => "role_gone",
            Self::Forbidden { .. } => "forbidden",
            Self::GuildGone { .. } => "guild_gone",
            Self::TokenRejected => "token_rejected",
            Self::Refused { .. } => "refused",
            Self::Transient(_) => "unknown",
        }
    }
}

/// What has to wait after a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// Calls of this kind in this guild.
    Guild,
    /// Every call of this bot.
    Everything,
}

/// Why a call's result is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transient {
    /// A 5xx with this status, or an answer that cannot be read.
    Status(u16),
    /// No answer in time.
    TimedOut,
    Connection,
    /// Never Discord's answer: the member was heard to join, and is not known yet. They are asked for again after `wait`.
    NotYetKnown {
        wait: Duration,
    },
}

impl std::fmt::Display for Transient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "Discord answered with status {status}"),
            Self::TimedOut => f.write_str("Discord did not answer in time"),
            Self::Connection => f.write_str("the connection to Discord failed"),
            Self::NotYetKnown { .. } => {
                f.write_str("the member has just joined, and Discord does not know them yet")
            }
        }
    }
}
