//! A subscriber claims what they bought, by the checkout session that they paid in. In: a [`Subscriber`], and the session as read from
//! Stripe just now. Out: [`Claimed`].
//!
//! No owner acts here: whoever is logged in links a customer to themselves, to nobody else, and only one that is nobody's.

use super::ActionError;
use crate::{
    clock::Timestamp,
    db::{pool::Pool, tenant},
    domain::{
        claim::{CheckoutFact, Proven, proves},
        job::JobOrigin,
        stripe_object::ObjectKind,
    },
    sessions::Subscriber,
    store::{
        member_links::{self, Linking, Proof},
        stripe_connections::Connection,
        stripe_sync,
    },
};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The customer is theirs, and what it pays for is read from Stripe.
    Claimed,
    AlreadyTheirs,
    /// It is somebody else's, who keeps it. Who that is, is not theirs to know.
    SomebodyElses,
    /// What the session proves is not enough.
    NotProven(NotProven),
}

/// Why a session proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotProven {
    /// Nothing was bought yet.
    NotComplete,
    /// Thirty days are over, or the page was left.
    TooOld,
    /// Stripe keeps no customer of who paid.
    Guest,
    /// It says itself that it is for somebody else.
    ForSomebodyElse,
}

pub async fn claim(
    pool: &Pool,
    by: &Subscriber,
    connection: Connection,
    session: &CheckoutFact,
    now: Timestamp,
) -> Result<Claimed, ActionError> {
    let customer = match proves(session, by.user(), now) {
        Proven::Customer(customer) => customer,
        Proven::NotComplete => return Ok(Claimed::NotProven(NotProven::NotComplete)),
        Proven::TooOld => return Ok(Claimed::NotProven(NotProven::TooOld)),
        Proven::Guest => return Ok(Claimed::NotProven(NotProven::Guest)),
        Proven::ForSomebodyElse => return Ok(Claimed::NotProven(NotProven::ForSomebodyElse)),
    };
    let mut tenant = tenant::begin(pool, connection.guild).await.map_err(ActionError::Unreachable)?;
    // First the objects' rows, kinds in order, then the link: as everybody locks them. The session, since its event may not have come.
    for (kind, id) in
        [(ObjectKind::CheckoutSession, session.id.to_string()), (ObjectKind::Customer, customer.to_string())]
    {
        stripe_sync::mark_dirty(&mut tenant, connection.id, kind, &[id], JobOrigin::Command).await?;
    }
    match member_links::link(&mut tenant, connection.id, &customer, by.user(), Proof::Checkout).await? {
        Linking::Linked => {
            tenant.commit().await?;
            Ok(Claimed::Claimed)
        }
        // Nothing is read again for them: whoever asks often would have Stripe asked as often.
        Linking::AlreadySo => Ok(Claimed::AlreadyTheirs),
        Linking::TakenBy(_) => Ok(Claimed::SomebodyElses),
    }
}
