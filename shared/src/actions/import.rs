//! Writes down that members had a role before us. In: [`Import`]. Out: [`Imported`].
//!
//! It is a reason beside what they buy: whoever of them loses the role by leaving gets it again. Who holds it holds it from somebody
//! else, and keeps it also after the end: only what we gave is taken.

use std::collections::{BTreeMap, BTreeSet};

use super::{ActionError, begin_known};
use crate::{
    clock::{self, Timestamp},
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        entitlement::{given::Terms, source::SourceRef},
        job::{JobAction, JobOrigin},
        roles::enforcement::Enforcement,
    },
    ids::{RoleId, UserId},
    store::{access_given, audit_log, guild_roles, mapped_roles, role_jobs, role_mappings},
};

/// What is said of it.
const EVIDENCE: &str = "had it before Nexrole";

/// Who had which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub members: BTreeSet<UserId>,
    pub role: RoleId,
    /// When it ends by itself; `None`: it does not.
    pub sunset: Option<Timestamp>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// Nothing is mapped to the role; nothing is written.
    NotMapped,
    /// The role is @everyone; nothing is written.
    Everyone,
    /// The role must not be given, for this reason; nothing is written.
    Dangerous(String),
    /// The end has passed; nothing is written.
    Over,
    Written {
        /// For how many it is news.
        begun: usize,
        /// How many were imported before, with another end.
        changed: usize,
        /// How many were so already.
        same: usize,
        enforcement: Enforcement,
    },
}

pub async fn import(pool: &Pool, by: &Authorized, wanted: &Import) -> Result<Imported, ActionError> {
    let Import { members, role, sunset } = wanted;
    let (role, sunset) = (*role, *sunset);
    if role.get() == by.guild().get() {
        return Ok(Imported::Everyone);
    }
    if sunset.is_some_and(|sunset| sunset <= clock::now()) {
        return Ok(Imported::Over);
    }
    let mut tenant = begin_known(pool, by).await?;
    // The role's last mapping is not removed meanwhile, and another import of it waits.
    role_mappings::hold(&mut tenant).await?;
    let Some(enforcement) = mapped_roles::lock(&mut tenant, role).await? else {
        return Ok(Imported::NotMapped);
    };
    if let Some(danger) = guild_roles::danger(&mut tenant, role).await? {
        return Ok(Imported::Dangerous(danger));
    }
    let members: Vec<UserId> = members.iter().copied().collect();
    let (source, terms) = (SourceRef::of_import(), Terms { reason: None, until: sunset });
    let before = access_given::lock_live(&mut tenant, &members, role, &source).await?;
    let news = access_given::give(&mut tenant, &members, role, &source, &terms, EVIDENCE).await?;
    let (changed, mut begun): (Vec<_>, Vec<_>) = news.into_iter().partition(|user| before.contains_key(user));
    begun.sort_unstable();
    let entry = |action, old_end: Option<Timestamp>| {
        let change = Change::default().time("valid_until", old_end, sunset);
        AuditEntry::new(by.actor(), action, EVIDENCE).role(role).change(change)
    };
    audit_log::record_about(&mut tenant, &entry(AuditAction::AccessBegan, None), &begun).await?;
    let mut by_old_end: BTreeMap<Option<Timestamp>, Vec<UserId>> = BTreeMap::new();
    for user in &changed {
        by_old_end.entry(before.get(user).and_then(|kept| kept.valid_until)).or_default().push(*user);
    }
    for (old_end, users) in &by_old_end {
        audit_log::record_about(&mut tenant, &entry(AuditAction::AccessChanged, *old_end), users).await?;
    }
    let (action, origin) = (JobAction::Grant, JobOrigin::Bulk);
    role_jobs::enqueue_each(&mut tenant, &begun, role, action, origin, EVIDENCE).await?;
    role_jobs::announce_with(&mut tenant).await?;
    tenant.commit().await?;
    let same = members.len() - begun.len() - changed.len();
    Ok(Imported::Written { begun: begun.len(), changed: changed.len(), same, enforcement })
}
