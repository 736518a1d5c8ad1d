//! Gives a member a role by hand, for a reason and perhaps for a while. In: [`Grant`]. Out: [`Granted`].
//!
//! It is a source beside what they buy: neither changes nor ends the other. Only a role that something is mapped to is given, since
//! such a role was checked (who held it before, what power it gives); given by hand it follows the same rules as sold.

use super::{ActionError, begin_known};
use crate::{
    clock::{self, Timestamp},
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        entitlement::{
            given::{Reason, Terms},
            source::SourceRef,
        },
        job::{JobAction, JobOrigin},
        roles::enforcement::Enforcement,
    },
    ids::{RoleId, UserId},
    store::{access_given, audit_log, guild_roles, mapped_roles, role_jobs, role_mappings},
};

/// What is said of it; the reason is the owner's, and goes no further than to who may see all of a member.
const EVIDENCE: &str = "given by hand";

/// Who is to have what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub member: UserId,
    pub role: RoleId,
    pub reason: Reason,
    /// When it ends by itself; `None`: it does not.
    pub until: Option<Timestamp>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// Nothing is mapped to the role; nothing is written.
    NotMapped,
    /// The role is @everyone; nothing is written.
    Everyone,
    /// The role must not be given, for this reason; nothing is written.
    Dangerous(String),
    /// The end has passed; nothing is written.
    Over,
    /// With this reason and end, before.
    AlreadySo,
    /// The bot gives it, if the role is on.
    Begun(Enforcement),
    /// It was given by hand before, and has this reason and end now.
    Changed(Enforcement),
}

pub async fn grant(pool: &Pool, by: &Authorized, wanted: &Grant) -> Result<Granted, ActionError> {
    let Grant { member, role, reason, until } = wanted;
    let (member, role, until) = (*member, *role, *until);
    if role.get() == by.guild().get() {
        return Ok(Granted::Everyone);
    }
    if until.is_some_and(|until| until <= clock::now()) {
        return Ok(Granted::Over);
    }
    let mut tenant = begin_known(pool, by).await?;
    // The role's last mapping is not removed meanwhile, and another grant of it waits.
    role_mappings::hold(&mut tenant).await?;
    let Some(enforcement) = mapped_roles::lock(&mut tenant, role).await? else {
        return Ok(Granted::NotMapped);
    };
    if let Some(danger) = guild_roles::danger(&mut tenant, role).await? {
        return Ok(Granted::Dangerous(danger));
    }
    let (source, terms) = (SourceRef::by_hand(), Terms { reason: Some(reason.clone()), until });
    let before = access_given::lock_live(&mut tenant, &[member], role, &source).await?.remove(&member);
    if access_given::give(&mut tenant, &[member], role, &source, &terms, EVIDENCE).await?.is_empty() {
        return Ok(Granted::AlreadySo);
    }
    let (action, outcome) = match before {
        None => (AuditAction::AccessBegan, Granted::Begun(enforcement)),
        Some(_) => (AuditAction::AccessChanged, Granted::Changed(enforcement)),
    };
    let (old_reason, old_until) = before.map_or((None, None), |kept| (kept.reason, kept.valid_until));
    let change = Change::default().field("reason", old_reason.as_deref(), Some(reason.as_str())).time(
        "valid_until",
        old_until,
        until,
    );
    let entry = AuditEntry::new(by.actor(), action, EVIDENCE).about(member).role(role).change(change);
    audit_log::record(&mut tenant, &entry).await?;
    // Also where it goes on: if somebody took it at Discord meanwhile, it is asked for again.
    role_jobs::enqueue(&mut tenant, member, role, JobAction::Grant, JobOrigin::Command, EVIDENCE).await?;
    role_jobs::announce_with(&mut tenant).await?;
    tenant.commit().await?;
    Ok(outcome)
}
