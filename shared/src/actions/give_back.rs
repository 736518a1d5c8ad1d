//! Gives a role back that somebody took at Discord from a member who is due to have it. In: member and role. Out: [`GivenBack`].
//!
//! By itself the bot leaves such a role alone (decision 5). Asked for, it is given by the same rules as after a purchase.

use super::{ActionError, begin_known};
use crate::{
    clock::Timestamp,
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry},
        job::{JobAction, JobOrigin},
        roles::enforcement::Enforcement,
    },
    ids::{RoleId, UserId},
    store::{access_sources, audit_log, guild_roles, mapped_roles, role_grants, role_jobs},
};

/// Why the bot is to give it.
const CAUSE: &str = "to be given back";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenBack {
    NotMapped,
    /// Nothing that the member has paid for gives it; nothing is written.
    NotDue,
    /// Nothing is changed for a role that is only observed; nothing is written.
    Observed,
    /// The role must not be given, for this reason; nothing is written.
    Dangerous(String),
    /// The bot checks the member, and gives it if they do not have it.
    Asked {
        /// When it was seen that somebody had taken it; `None`: nobody was seen to.
        taken_at: Option<Timestamp>,
    },
}

pub async fn give_back(
    pool: &Pool,
    by: &Authorized,
    member: UserId,
    role: RoleId,
) -> Result<GivenBack, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    match mapped_roles::lock(&mut tenant, role).await? {
        None => return Ok(GivenBack::NotMapped),
        Some(Enforcement::Observe) => return Ok(GivenBack::Observed),
        Some(Enforcement::Unseen | Enforcement::On) => {}
    }
    if !access_sources::is_due(&mut tenant, member, role).await? {
        return Ok(GivenBack::NotDue);
    }
    if let Some(danger) = guild_roles::danger(&mut tenant, role).await? {
        return Ok(GivenBack::Dangerous(danger));
    }
    let taken_at = role_grants::taken_at(&mut tenant, member, role).await?;
    role_jobs::enqueue(&mut tenant, member, role, JobAction::Grant, JobOrigin::Command, CAUSE).await?;
    let entry = AuditEntry::new(by.actor(), AuditAction::GiveBackAsked, CAUSE).about(member).role(role);
    audit_log::record(&mut tenant, &entry).await?;
    role_jobs::announce_with(&mut tenant).await?;
    tenant.commit().await?;
    Ok(GivenBack::Asked { taken_at })
}
