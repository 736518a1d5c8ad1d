//! Removes whatever makes a Stripe customer somebody's. In: the customer. Out: [`Unlinked`].

use std::collections::BTreeSet;

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{job::JobOrigin, stripe_object::ObjectKind},
    ids::{CustomerId, UserId},
    store::{access_sources, customer_hands, member_links, purchases, stripe_sync},
};

/// What was removed; all of it empty if the customer was nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlinked {
    /// To whom the customer was linked. Metadata at Stripe may link it again.
    pub holders: BTreeSet<UserId>,
    /// Ids of subscriptions and purchases that named somebody themselves.
    pub named: Vec<(String, UserId)>,
    /// Reasons for a role that ended: they came from an account, or mode, that is not connected any more.
    pub ended: usize,
}

pub async fn unlink(pool: &Pool, by: &Authorized, customer: &CustomerId) -> Result<Unlinked, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    // On whatever connection: also one that is not active any more has links, and what they gave.
    let known = member_links::connections_of(&mut tenant, customer).await?;
    // First the objects' rows, then mirror and links, as the gateway locks them. What is not connected cannot be read.
    for (connection, _) in known.iter().filter(|(_, active)| *active) {
        let object = [customer.to_string()];
        let (kind, origin) = (ObjectKind::Customer, JobOrigin::Command);
        stripe_sync::mark_dirty(&mut tenant, *connection, kind, &object, origin).await?;
    }
    let (mut holders, mut named) = (BTreeSet::new(), Vec::new());
    for (connection, _) in &known {
        let subscriptions = member_links::forget_named(&mut tenant, *connection, customer).await?;
        named.extend(subscriptions.into_iter().map(|(id, member)| (id.to_string(), member)));
        named.extend(purchases::forget_named(&mut tenant, *connection, customer).await?);
        holders.extend(member_links::unlink(&mut tenant, *connection, customer, by.actor()).await?);
        customer_hands::let_go(&mut tenant, *connection, customer).await?;
    }
    let ended = access_sources::end_unbacked(&mut tenant, customer, by.actor()).await?;
    tenant.commit().await?;
    Ok(Unlinked { holders, named, ended })
}
