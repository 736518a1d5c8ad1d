//! Ends what was given to a member by hand. In: member and role. Out: [`Revoked`]. What they buy is not touched.

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry},
        entitlement::source::SourceRef,
        job::{JobAction, JobOrigin},
        roles::enforcement::Enforcement,
    },
    ids::{RoleId, UserId},
    store::{access_given, audit_log, mapped_roles, role_jobs, role_mappings},
};

/// What is said of it.
const EVIDENCE: &str = "taken back by hand";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// It was not given by hand; nothing is written.
    NotGiven {
        /// What gives it all the same: `sub_… is active`.
        kept_by: Vec<String>,
    },
    /// It is not given by hand any more.
    Ended {
        /// What gives it still; empty: the bot takes it.
        kept_by: Vec<String>,
        /// `None`: nothing is mapped to the role, nor given any more.
        enforcement: Option<Enforcement>,
    },
}

pub async fn revoke(
    pool: &Pool,
    by: &Authorized,
    member: UserId,
    role: RoleId,
) -> Result<Revoked, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    role_mappings::hold(&mut tenant).await?;
    let enforcement = mapped_roles::lock(&mut tenant, role).await?;
    let has_ended = access_given::end(&mut tenant, member, role, &SourceRef::by_hand(), EVIDENCE).await?;
    let kept_by = access_given::reasons(&mut tenant, member, role).await?;
    if !has_ended {
        return Ok(Revoked::NotGiven { kept_by });
    }
    let entry = AuditEntry::new(by.actor(), AuditAction::AccessEnded, EVIDENCE).about(member).role(role);
    audit_log::record(&mut tenant, &entry).await?;
    role_jobs::enqueue(&mut tenant, member, role, JobAction::Revoke, JobOrigin::Command, EVIDENCE).await?;
    role_jobs::announce_with(&mut tenant).await?;
    // Its last mapping may have gone before.
    mapped_roles::forget_unused(&mut tenant, role).await?;
    tenant.commit().await?;
    Ok(Revoked::Ended { kept_by, enforcement })
}
