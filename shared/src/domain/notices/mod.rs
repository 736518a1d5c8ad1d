//! What a member is told of a payment that failed, while it does not cost them their role yet.
//!
//! `Facts → Reading` ([`grace`]), `Reading → Step` ([`series`]): which notices there are, and when. `Situation → Judgement` and
//! `CallOutcome → Settled` ([`delivery`]): whether one is sent now, and what came of it.

use std::collections::BTreeSet;

use crate::{
    clock::Timestamp,
    domain::billing::page::{PageUrl, PayPage},
    ids::RoleId,
};

pub mod delivery;
pub mod grace;
pub mod series;

/// What a notice says. In the order in which a series has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum NoticeKind {
    /// A payment failed; the role stays for now.
    Began,
    /// Half of the time is over.
    Halfway,
    /// The last day of it begins.
    LastDay,
    /// The time ran out, or Stripe gave up, and the role is taken.
    Ended,
    /// The payment came.
    Restored,
}

impl NoticeKind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Halfway => "halfway",
            Self::LastDay => "last_day",
            Self::Ended => "ended",
            Self::Restored => "restored",
        }
    }

    /// Whether it tells of an end that is still ahead.
    pub fn is_reminder(self) -> bool {
        matches!(self, Self::Began | Self::Halfway | Self::LastDay)
    }
}

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Pending,
    /// Discord has taken it.
    Sent,
    /// Discord was asked to take it, and never answered: it is not sent again.
    Unsure,
    /// Discord does not let the bot write to the member.
    Undeliverable,
    /// When its time came there was nothing to tell.
    Skipped,
    /// Before its time came the payment did, or the end.
    Cancelled,
}

impl NoticeState {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Unsure => "unsure",
            Self::Undeliverable => "undeliverable",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is told: the part of a notice that has words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub kind: NoticeKind,
    /// When the role ends unless the payment comes; of what has ended already, when that was to be.
    pub ends_at: Timestamp,
    /// The roles that it is about, at least one.
    pub roles: BTreeSet<RoleId>,
    pub pages: Pages,
}

/// Where the seller's pages at Stripe are, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    /// On which the open invoice is paid.
    pub pay: Option<PayPage>,
    /// On which members manage or cancel what they pay for.
    pub manage: Option<PageUrl>,
}
