//! What customers bought, kept from everybody else until the transaction ends: whose they are can change without a read of it in between.

use super::ActionError;
use crate::{
    db::tenant::Tenant,
    domain::{job::JobOrigin, stripe_object::ObjectKind},
    ids::{ConnectionId, CustomerId},
    store::{linked_sources, purchases, stripe_sync},
};

/// Has the customers and what they bought read again, and keeps everybody else from it until the transaction ends. What is not connected
/// cannot be read: of that, the links alone are locked, by whoever calls.
pub(super) async fn lock_bought(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customers: &[&CustomerId],
    is_active: bool,
) -> Result<(), ActionError> {
    if !is_active {
        return Ok(());
    }
    let (mut sessions, mut subscriptions) = (Vec::new(), Vec::new());
    for customer in customers {
        sessions.extend(purchases::of_customer(tenant, connection, customer).await?);
        subscriptions.extend(linked_sources::subscriptions_of(tenant, connection, customer).await?);
    }
    for (kind, ids) in [
        (ObjectKind::CheckoutSession, sessions),
        (ObjectKind::Customer, customers.iter().map(ToString::to_string).collect()),
        (ObjectKind::Subscription, subscriptions),
    ] {
        stripe_sync::mark_dirty(tenant, connection, kind, &ids, JobOrigin::Command).await?;
    }
    Ok(())
}
