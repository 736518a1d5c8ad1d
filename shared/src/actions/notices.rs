//! Has a server's members told of payments that failed, or not. In: which. Out: [`Switched`].

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::audit::{AuditAction, AuditEntry},
    store::{audit_log, member_notices},
};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// What is due from now on is sent, or not.
    Switched,
    AlreadySo,
}

/// Turns the notices of a server on or off.
pub async fn turn(pool: &Pool, by: &Authorized, on: bool) -> Result<Switched, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    if member_notices::lock_switch(&mut tenant).await? == on {
        return Ok(Switched::AlreadySo);
    }
    member_notices::switch(&mut tenant, on).await?;
    let action = if on { AuditAction::NoticesTurnedOn } else { AuditAction::NoticesTurnedOff };
    let entry = AuditEntry::new(by.actor(), action, "members are told of payments that fail, or not");
    audit_log::record(&mut tenant, &entry).await?;
    tenant.commit().await?;
    Ok(Switched::Switched)
}
