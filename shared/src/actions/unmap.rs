//! Removes a mapping. In: what is sold, and the role. Out: [`Unmapped`], or before it [`Holders`], whom it concerns.
//!
//! An owner's act is evidence enough: what the mapping alone gave ends with it, and the bot takes those roles back. What another
//! mapping or another purchase gives stays.

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool, tenant::Tenant},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        entitlement::mapping::Sold,
        job::{JobAction, JobOrigin},
        roles::enforcement::Enforcement,
    },
    ids::{RoleId, UserId},
    store::{access_sources, audit_log, mapped_roles, role_jobs, role_mappings},
};

/// Who has the role from us, and what becomes of it when a mapping is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holders {
    /// Nothing else gives it to them: it is taken.
    pub lose: Vec<UserId>,
    /// Another mapping or purchase gives it to them.
    pub keep: Vec<UserId>,
    /// The role is only observed: nothing is taken until it is turned on.
    pub is_observed: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmapped {
    NotMapped,
    Removed(Holders),
}

/// Shows whom it would concern; `None`: it is not mapped.
pub async fn preview(
    pool: &Pool,
    by: &Authorized,
    sold: &Sold,
    role: RoleId,
) -> Result<Option<Holders>, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    // As if it were removed, and dropped without a commit: what is shown is what would happen.
    role_mappings::lock(&mut tenant).await?;
    Ok(remove(&mut tenant, by, sold, role).await?)
}

pub async fn unmap(pool: &Pool, by: &Authorized, sold: &Sold, role: RoleId) -> Result<Unmapped, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    role_mappings::lock(&mut tenant).await?;
    let Some(holders) = remove(&mut tenant, by, sold, role).await? else { return Ok(Unmapped::NotMapped) };
    tenant.commit().await?;
    Ok(Unmapped::Removed(holders))
}

/// Nobody reads mappings, nor applies a read of Stripe's, meanwhile.
async fn remove(
    tenant: &mut Tenant,
    by: &Authorized,
    sold: &Sold,
    role: RoleId,
) -> Result<Option<Holders>, sqlx::Error> {
    if !role_mappings::delete(tenant, sold, role).await? {
        return Ok(None);
    }
    let cause = format!("{sold} is not mapped to it any more");
    let change = Change::default()
        .field("source_kind", Some(sold.kind()), None)
        .field("source_id", Some(sold.id()), None)
        .field("role_id", Some(role), None);
    let entry = AuditEntry::new(by.actor(), AuditAction::MappingRemoved, sold.to_string());
    audit_log::record(tenant, &entry.role(role).change(change)).await?;
    let is_observed = mapped_roles::lock(tenant, role).await? == Some(Enforcement::Observe);
    let ended = access_sources::end_unmapped(tenant, sold, role, &cause).await?;
    let entry = AuditEntry::new(by.actor(), AuditAction::AccessEnded, cause.clone()).role(role);
    audit_log::record_about(tenant, &entry, &ended).await?;
    role_jobs::enqueue_each(tenant, &ended, role, JobAction::Revoke, JobOrigin::Bulk, &cause).await?;
    role_jobs::announce_with(tenant).await?;
    let (keep, lose) = mapped_roles::holders(tenant, role).await?.into_iter().partition(|(_, due)| *due);
    let users = |members: Vec<(UserId, bool)>| members.into_iter().map(|(user, _)| user).collect();
    mapped_roles::forget_unused(tenant, role).await?;
    Ok(Some(Holders { lose: users(lose), keep: users(keep), is_observed }))
}
