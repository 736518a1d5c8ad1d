//! Maps a price or a product to a role. In: both, and what each state is worth to it. Out: [`Mapped`].

use super::{ActionError, begin, read_buyers_again};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        entitlement::{mapping::Sold, policy::Policy},
    },
    ids::RoleId,
    store::{audit_log, guild_roles, mapped_roles, role_mappings, stripe_connections},
};

/// What came of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// It is there now, and concerns so many known subscriptions and purchases, which are read again.
    Added(usize),
    AlreadySo,
    /// It was mapped before, by another policy; nothing is written.
    OtherPolicy,
    /// The role is @everyone; nothing is written.
    Everyone,
    /// The role must not be given, for this reason; nothing is written.
    Dangerous(String),
}

/// Adds a mapping, and has every known subscription that it concerns read again. A role that nobody has checked yet is taken:
/// it is not given before it was checked.
pub async fn map(
    pool: &Pool,
    by: &Authorized,
    sold: &Sold,
    role: RoleId,
    policy: Policy,
) -> Result<Mapped, ActionError> {
    if role.get() == by.guild().get() {
        return Ok(Mapped::Everyone);
    }
    let mut tenant = begin(pool, by).await?;
    stripe_connections::ensure_guild(&mut tenant).await?;
    role_mappings::lock(&mut tenant).await?;
    if let Some(danger) = guild_roles::danger(&mut tenant, role).await? {
        return Ok(Mapped::Dangerous(danger));
    }
    let was_mapped = role_mappings::has(&mut tenant, role).await?;
    if !role_mappings::insert(&mut tenant, sold, role).await? {
        let is_same = role_mappings::policy(&mut tenant, sold, role).await? == Some(policy);
        return Ok(if is_same { Mapped::AlreadySo } else { Mapped::OtherPolicy });
    }
    if policy != Policy::DEFAULT {
        // Before anybody is read by it: for no moment it gives what it should not.
        role_mappings::set_policy(&mut tenant, sold, role, policy).await?;
    }
    mapped_roles::ensure(&mut tenant, role).await?;
    if !was_mapped {
        // Since its last mapping was removed, somebody may have given it by hand: first contact again.
        mapped_roles::recheck(&mut tenant, role).await?;
    }
    let by_policy = policy.overrides().into_iter();
    let change = by_policy
        .fold(Change::default(), |change, (state, rule)| change.field(state, None, Some(rule)))
        .field("source_kind", None, Some(sold.kind()))
        .field("source_id", None, Some(sold.id()))
        .field("role_id", None, Some(role));
    let entry = AuditEntry::new(by.actor(), AuditAction::MappingAdded, sold.to_string());
    audit_log::record(&mut tenant, &entry.role(role).change(change)).await?;
    let concerned = read_buyers_again(&mut tenant, sold).await?;
    tenant.commit().await?;
    Ok(Mapped::Added(concerned))
}
