//! Links a Stripe customer to a Discord user by the owner's hand. In: both. Out: [`Linked`].

use super::{ActionError, begin};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{job::JobOrigin, stripe_object::ObjectKind},
    ids::{CustomerId, UserId},
    store::{
        member_links::{self, Linking, Proof},
        stripe_connections, stripe_sync,
    },
};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// It is linked, and what the customer pays for is read from Stripe.
    Linked,
    AlreadySo,
    /// It is linked to somebody else, who keeps it.
    TakenBy(UserId),
    /// Nothing is written: the guild has so many active connections, and it takes exactly one.
    Connections(usize),
}

pub async fn link(
    pool: &Pool,
    by: &Authorized,
    customer: &CustomerId,
    user: UserId,
) -> Result<Linked, ActionError> {
    let mut tenant = begin(pool, by).await?;
    let mut active = stripe_connections::of_guild(&mut tenant).await?;
    active.retain(|connection| connection.state == "active");
    let [one] = &active[..] else { return Ok(Linked::Connections(active.len())) };
    let connection = one.connection_id;
    // First the object's row, then the link: the order in which the gateway locks them too.
    let object = [customer.to_string()];
    let (kind, origin) = (ObjectKind::Customer, JobOrigin::Command);
    stripe_sync::mark_dirty(&mut tenant, connection, kind, &object, origin).await?;
    let proof = Proof::Owner(by.actor());
    let linking = member_links::link(&mut tenant, connection, customer, user, proof).await?;
    tenant.commit().await?;
    Ok(match linking {
        Linking::Linked => Linked::Linked,
        Linking::AlreadySo => Linked::AlreadySo,
        Linking::TakenBy(holder) => Linked::TakenBy(holder),
    })
}
