//! Says what each state of a subscription is worth, for one mapping. In: the mapping, and [`Choices`]. Out: [`PolicySet`].

use super::{ActionError, begin_known, read_buyers_again};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        entitlement::{
            mapping::Sold,
            policy::{Policy, words::Choices},
        },
    },
    ids::RoleId,
    store::{audit_log, follow_questions, role_jobs, role_mappings},
};

/// Why members are checked of whom nobody said whether a role that they had by hand follows their payment.
const BY_HAND: &str = "a mapping says whether a role given by hand follows the payment";

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySet {
    NotMapped,
    AlreadySo(Policy),
    /// It is so now; so many known subscriptions and purchases are read again, so that it applies to who has bought before.
    Set(Policy, usize),
    /// It is so now, and says nothing else of any state; so many members are checked about whom a question was open.
    SetByHand(Policy, usize),
}

pub async fn set_policy(
    pool: &Pool,
    by: &Authorized,
    sold: &Sold,
    role: RoleId,
    choices: &Choices,
) -> Result<PolicySet, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    // No read is applied by the old policy after those that are concerned were marked.
    role_mappings::lock(&mut tenant).await?;
    let Some(before) = role_mappings::policy(&mut tenant, sold, role).await? else {
        return Ok(PolicySet::NotMapped);
    };
    let policy = before.with(choices);
    if policy == before {
        return Ok(PolicySet::AlreadySo(policy));
    }
    role_mappings::set_policy(&mut tenant, sold, role, policy).await?;
    let words = before.words().into_iter().zip(policy.words());
    let change = words.fold(Change::default(), |change, ((state, old), (_, new))| {
        change.field(state, Some(old), Some(new))
    });
    let entry = AuditEntry::new(by.actor(), AuditAction::PolicySet, sold.to_string());
    audit_log::record(&mut tenant, &entry.role(role).change(change)).await?;
    let mut checked = 0;
    if policy.given_by_hand != before.given_by_hand {
        checked = follow_questions::recheck(&mut tenant, role, BY_HAND).await?;
        role_jobs::announce_with(&mut tenant).await?;
    }
    if policy.rules() == before.rules() {
        // What was bought is worth what it was.
        tenant.commit().await?;
        return Ok(PolicySet::SetByHand(policy, checked));
    }
    let concerned = read_buyers_again(&mut tenant, sold).await?;
    tenant.commit().await?;
    Ok(PolicySet::Set(policy, concerned))
}
