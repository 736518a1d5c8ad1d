//! Forgets a member of a guild. In: who. Out: one [`Progress`] after the other, until every row that names them is gone.
//!
//! Their roles are taken back first, which the services do; so it takes more than one call. What mirrors the owner's Stripe account
//! stays, as nobody's, and the audit log, without the person.

use std::collections::BTreeSet;

use super::{ActionError, approve::APPROVED, begin, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry},
        job::JobOrigin,
        stripe_object::ObjectKind,
    },
    ids::{CustomerId, UserId},
    store::{
        audit_log,
        erasure::{self, Ties},
        member_links, purchases, role_holds, stripe_sync,
    },
};

/// How much may be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Nothing: whoever is still tied is not forgotten.
    Waits,
    /// They are to be forgotten anyway, and there is still time: Stripe need not be read before what it gave ends.
    WaitsForRolesOnly,
    /// The time is over, and they are forgotten now: a role that was not taken stays at Discord.
    Anyway,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Every row is gone.
    Forgotten {
        /// Audit entries that stay, without the person.
        entries: i64,
        /// Roles that stay at Discord.
        roles_left: i64,
    },
    /// Every reason for a role that they had was just ended: ask again at once.
    AccessEnded,
    /// Metadata at Stripe names them, and linked them again.
    LinkedAgain,
    /// The services have to act.
    Waits(Ties),
}

/// Unlinks a member from every customer, subscription and purchase, and has those read again. Returns the customers that were theirs.
pub async fn unlink(
    pool: &Pool,
    by: &Authorized,
    member: UserId,
) -> Result<BTreeSet<CustomerId>, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let theirs = member_links::of_member(&mut tenant, member).await?;
    let presents = member_links::naming(&mut tenant, member).await?;
    let purchases = purchases::naming(&mut tenant, member).await?;
    // First the objects' rows, sessions before customers before subscriptions, then the mirror and the links: as the gateway locks them.
    let claims = member_links::claims(&mut tenant, member).await?;
    let customers: BTreeSet<_> = theirs.iter().chain(&claims).collect();
    let customers =
        customers.into_iter().map(|(id, customer)| (*id, ObjectKind::Customer, customer.to_string()));
    let subscriptions =
        presents.iter().map(|(id, object, _)| (*id, ObjectKind::Subscription, object.clone()));
    let sessions = purchases.iter().map(|(id, object, _)| (*id, ObjectKind::CheckoutSession, object.clone()));
    for (connection, kind, object) in sessions.chain(customers).chain(subscriptions) {
        stripe_sync::mark_dirty(&mut tenant, connection, kind, &[object], JobOrigin::Command).await?;
    }
    member_links::forget_naming(&mut tenant, member).await?;
    for (connection, customer) in &theirs {
        member_links::unlink(&mut tenant, *connection, customer, by.actor()).await?;
    }
    // Nor does a role wait for an answer of which nobody would know any more whom it is about.
    for (role, _) in role_holds::approve(&mut tenant, None, &[member], APPROVED).await? {
        let entry = AuditEntry::new(by.actor(), AuditAction::HeldApproved, APPROVED).about(member).role(role);
        audit_log::record(&mut tenant, &entry).await?;
    }
    role_holds::end(&mut tenant).await?;
    tenant.commit().await?;
    let payers = presents.into_iter().map(|(_, _, customer)| customer);
    let payers = payers.chain(purchases.into_iter().filter_map(|(_, _, customer)| customer));
    Ok(theirs.into_iter().chain(claims).map(|(_, customer)| customer).chain(payers).collect())
}

/// Forgets the member if nothing ties them any more, or does what comes before. `were_theirs`: what [`unlink`] returned.
pub async fn forget(
    pool: &Pool,
    by: &Authorized,
    member: UserId,
    were_theirs: &BTreeSet<CustomerId>,
    patience: Patience,
) -> Result<Progress, ActionError> {
    let mut tenant = begin(pool, by).await?;
    let ties = erasure::ties(&mut tenant, member, were_theirs).await?;
    if ties.is_none() || patience == Patience::Anyway {
        let anyway = patience != Patience::Waits;
        let entries = erasure::forget(&mut tenant, member, by.actor(), anyway).await?;
        tenant.commit().await?;
        return Ok(Progress::Forgotten { entries, roles_left: ties.held });
    }
    let is_read = ties.unread == 0;
    // Not before Stripe was read: if its metadata names them, they keep what they pay for, and this ends with that.
    if ties.sources > 0 && ties.links == 0 && (is_read || patience == Patience::WaitsForRolesOnly) {
        erasure::end_access(&mut tenant, member, by.actor()).await?;
        tenant.commit().await?;
        return Ok(Progress::AccessEnded);
    }
    let linked_again = ties.links > 0 && is_read && patience == Patience::Waits;
    Ok(if linked_again { Progress::LinkedAgain } else { Progress::Waits(ties) })
}
