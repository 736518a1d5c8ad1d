//! A subscriber takes a customer that they have proven to be theirs. In: the proof. Out: [`Taking`]. One for all ways to claim: what rests
//! with somebody who gave it up goes to no other, whatever the proof.

use super::ActionError;
use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    ids::{ConnectionId, CustomerId, UserId},
    store::{
        customer_hands,
        member_links::{self, Linking, Proof},
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    Taken,
    AlreadyTheirs,
    /// It is somebody else's, who keeps it.
    SomebodyElses,
    /// Somebody else had it, and gave it up: it is nobody's until then.
    Rests(Timestamp),
}

/// The caller has marked the customer.
pub(super) async fn take(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    user: UserId,
    proof: Proof,
) -> Result<Taking, ActionError> {
    let holder = member_links::linked_user(tenant, connection, customer).await?;
    if holder.is_none()
        && let Some((last, now)) = customer_hands::last(tenant, connection, customer).await?
    {
        match last.taken_by(user, now) {
            Ok(hands) => customer_hands::keep(tenant, connection, customer, hands).await?,
            Err(until) => return Ok(Taking::Rests(until)),
        }
    }
    Ok(match member_links::link(tenant, connection, customer, user, proof).await? {
        Linking::Linked => Taking::Taken,
        Linking::AlreadySo => Taking::AlreadyTheirs,
        Linking::TakenBy(_) => Taking::SomebodyElses,
    })
}
