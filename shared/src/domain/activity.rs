//! What went on, for people to read while it is fresh. What was changed is in the audit log.

use super::audit::Actor;
use crate::ids::UserId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A member used `/status`.
    StatusRead,
    /// The operator asked why a member has or lacks roles.
    MemberRead,
    /// The operator read a list of members: which, the detail says.
    MembersListed,
    /// The operator asked what enforcing a role would change.
    PreviewRead,
    /// The operator read what the owner sells.
    CatalogueRead,
    /// The operator took the audit log.
    AuditExported,
    /// The operator read this log.
    ActivityRead,
    /// The operator read what is held.
    HeldRead,
    /// The operator read what failed.
    FailedRead,
    /// Roles are not taken from members any more, because they would be too many within a day: the owner is asked.
    RevokesHeld,
    /// The owner did not answer, and is reminded.
    HeldReminded,
    /// A subscriber typed wrong codes of an e-mail too often.
    ClaimLocked,
    /// Discord refused to let us manage a role.
    RoleRefused,
    /// Discord says that the bot is not in the server.
    BotAway,
    /// The bot is in the server again.
    BotBack,
}

impl Activity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatusRead => "status.read",
            Self::MemberRead => "member.read",
            Self::MembersListed => "members.listed",
            Self::PreviewRead => "preview.read",
            Self::CatalogueRead => "catalogue.read",
            Self::AuditExported => "audit.exported",
            Self::ActivityRead => "activity.read",
            Self::HeldRead => "held.read",
            Self::FailedRead => "failed.read",
            Self::RevokesHeld => "revokes.held",
            Self::HeldReminded => "held.reminded",
            Self::ClaimLocked => "claim.locked",
            Self::RoleRefused => "role.refused",
            Self::BotAway => "bot.away",
            Self::BotBack => "bot.back",
        }
    }

    /// Who does such things.
    pub fn actor(self) -> Actor {
        match self {
            Self::StatusRead | Self::ClaimLocked => Actor::Member,
            Self::MemberRead
            | Self::MembersListed
            | Self::PreviewRead
            | Self::CatalogueRead
            | Self::AuditExported
            | Self::ActivityRead
            | Self::HeldRead
            | Self::FailedRead => Actor::Operator,
            Self::RevokesHeld | Self::HeldReminded | Self::RoleRefused | Self::BotAway | Self::BotBack => {
                Actor::Bot
            }
        }
    }
}

/// One line of the activity log; the database adds its number and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEntry {
    pub activity: Activity,
    /// Who did it, or whom it was about.
    pub user: Option<UserId>,
    /// More, in words without personal data.
    pub detail: Option<String>,
}

impl From<Activity> for ActivityEntry {
    fn from(activity: Activity) -> Self {
        Self { activity, user: None, detail: None }
    }
}
