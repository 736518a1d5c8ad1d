//! Has roles taken that are held because they would be too many within a day. In: the role, and who was shown. Out: from whom.
//!
//! More may be held by the time of the answer: it is about those alone who were shown.

use std::collections::BTreeSet;

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::audit::{AuditAction, AuditEntry},
    ids::{RoleId, UserId},
    store::{audit_log, role_holds, role_jobs},
};

/// What is said of it.
pub(super) const APPROVED: &str = "approved: the role is to be taken";

/// Answers from whom the role is taken, which the bot does; nobody: nothing of it was held.
pub async fn approve(
    pool: &Pool,
    by: &Authorized,
    role: RoleId,
    shown: &[UserId],
) -> Result<BTreeSet<UserId>, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let approved = role_holds::approve(&mut tenant, Some(role), shown, APPROVED).await?;
    let members: BTreeSet<UserId> = approved.into_iter().map(|(_, member)| member).collect();
    let entry = AuditEntry::new(by.actor(), AuditAction::HeldApproved, APPROVED).role(role);
    audit_log::record_about(&mut tenant, &entry, &members.iter().copied().collect::<Vec<_>>()).await?;
    role_holds::end(&mut tenant).await?;
    role_jobs::announce_with(&mut tenant).await?;
    tenant.commit().await?;
    Ok(members)
}
