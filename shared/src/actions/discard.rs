//! Leaves roles to members from whom they were to be taken, and which are held because they would be too many within a day. In: the
//! role, and who was shown. Out: who keeps it.
//!
//! It becomes a role that was given by hand, without an end: so it is explained, no check takes it, and `nexrole revoke` ends it.

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry},
        entitlement::{given::Terms, source::SourceRef},
    },
    ids::{RoleId, UserId},
    store::{access_given, audit_log, role_holds},
};

/// What is said of it.
const KEPT: &str = "kept: taking it was held, and discarded";

/// Answers who keeps the role; nobody: nothing of it was held.
pub async fn discard(
    pool: &Pool,
    by: &Authorized,
    role: RoleId,
    shown: &[UserId],
) -> Result<Vec<UserId>, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let members = role_holds::discard(&mut tenant, role, shown, KEPT).await?;
    let terms = Terms { reason: None, until: None };
    let begun = access_given::give(&mut tenant, &members, role, &SourceRef::by_hand(), &terms, KEPT).await?;
    let entry = |action| AuditEntry::new(by.actor(), action, KEPT).role(role);
    audit_log::record_about(&mut tenant, &entry(AuditAction::HeldDiscarded), &members).await?;
    audit_log::record_about(&mut tenant, &entry(AuditAction::AccessBegan), &begun).await?;
    role_holds::end(&mut tenant).await?;
    tenant.commit().await?;
    Ok(members)
}
