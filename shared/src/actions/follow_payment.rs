//! Answers whether a role that a person gave to who pays is to follow the payment. In: [`Answer`]. Out: [`Answered`].
//!
//! It changes no role: the bot reads the answer at its next check of the member, which is asked for here, and only what Discord shows
//! then becomes ours.

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        job::{JobAction, JobOrigin},
        roles::{by_hand::Question, enforcement::Enforcement},
    },
    ids::{RoleId, UserId},
    store::{audit_log, follow_questions, guild_roles, mapped_roles, role_grants, role_jobs},
};

/// Why the members are checked.
const CAUSE: &str = "a role given by hand is to follow the payment";

/// About whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    Member(UserId),
    /// All about whom it is open, if they are as many as were shown to whoever answers.
    Everyone {
        counted: usize,
    },
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub whom: Whom,
    pub role: RoleId,
    /// Whether it follows the payment; otherwise it stays the person's.
    pub follows: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It was never asked about this member and role, or is closed; nothing is written.
    NotAsked,
    AlreadySo,
    /// Too late for a no: it became ours, and ends with the payment; nothing is written.
    AlreadyOurs,
    /// The role must not be given, for this reason, nor be ours; nothing is written.
    Dangerous(String),
    /// So many are open, and not as many as were counted; nothing is written.
    Open(usize),
    /// About so many members. Where it follows, the bot checks them, and the role is theirs by their payment from then on.
    Written {
        members: usize,
        /// Whether the role is changed at all; `None`: it is not mapped any more.
        enforcement: Option<Enforcement>,
    },
}

pub async fn follow_payment(pool: &Pool, by: &Authorized, answer: Answer) -> Result<Answered, ActionError> {
    let Answer { whom, role, follows } = answer;
    let mut tenant = begin_known(pool, by).await?;
    let (members, before) = match whom {
        Whom::Member(member) => match follow_questions::lock(&mut tenant, member, role).await? {
            None => return Ok(Answered::NotAsked),
            Some(before) => (vec![member], before),
        },
        Whom::Everyone { counted } => {
            let members = follow_questions::lock_open(&mut tenant, role).await?;
            if members.len() != counted || members.is_empty() {
                return Ok(Answered::Open(members.len()));
            }
            (members, Question::Open)
        }
    };
    let now = if follows { Question::Follow } else { Question::Keep };
    if now == before {
        return Ok(Answered::AlreadySo);
    }
    if let (false, Whom::Member(member)) = (follows, whom)
        && role_grants::has(&mut tenant, member, role).await?
    {
        return Ok(Answered::AlreadyOurs);
    }
    if follows && let Some(danger) = guild_roles::danger(&mut tenant, role).await? {
        return Ok(Answered::Dangerous(danger));
    }
    follow_questions::answer(&mut tenant, &members, role, now).await?;
    let change = Change::default().field("follows_payment", said(before), said(now));
    let entry = AuditEntry::new(by.actor(), AuditAction::FollowAnswered, "given by hand, and paid for");
    audit_log::record_about(&mut tenant, &entry.role(role).change(change), &members).await?;
    if follows {
        // A check, not an ask: what somebody took meanwhile was not ours.
        let origin = if members.len() == 1 { JobOrigin::Command } else { JobOrigin::Bulk };
        role_jobs::enqueue_each(&mut tenant, &members, role, JobAction::Resync, origin, CAUSE).await?;
        role_jobs::announce_with(&mut tenant).await?;
    }
    let enforcement = mapped_roles::enforcement(&mut tenant, role).await?;
    tenant.commit().await?;
    Ok(Answered::Written { members: members.len(), enforcement })
}

/// For the audit log; an open question says nothing.
fn said(question: Question) -> Option<&'static str> {
    match question {
        Question::Open => None,
        Question::Follow => Some("yes"),
        Question::Keep => Some("no"),
    }
}
