//! A subscriber claims what they bought, by the checkout session that they paid in. In: a [`Subscriber`], and the session as read from
//! Stripe just now. Out: [`Claimed`].
//!
//! No owner acts here: whoever is logged in links a customer to themselves, to nobody else, and only one that is nobody's.

use super::{
    ActionError, reference,
    take::{Taking, take},
};
use crate::{
    clock::Timestamp,
    crypto::token::Pepper,
    db::{pool::Pool, tenant},
    domain::{
        claim::{CheckoutFact, Proven, proves},
        job::JobOrigin,
        reference::{Meant, meant},
        stripe_object::ObjectKind,
    },
    sessions::Subscriber,
    store::{link_tokens, member_links::Proof, stripe_connections::Connection, stripe_sync},
};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The customer is theirs, and what it pays for is read from Stripe.
    Claimed,
    AlreadyTheirs,
    /// It is somebody else's, who keeps it. Who that is, is not theirs to know.
    SomebodyElses,
    /// Somebody else gave it up a short while ago: it is nobody's until then.
    Rests(Timestamp),
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

/// `peppers`: of [`reference::peppers`].
pub async fn claim(
    pool: &Pool,
    peppers: &[Pepper],
    by: &Subscriber,
    connection: Connection,
    session: &CheckoutFact,
    now: Timestamp,
) -> Result<Claimed, ActionError> {
    let mut tenant = tenant::begin(pool, connection.guild).await.map_err(ActionError::Unreachable)?;
    let found = match &session.reference {
        Some(text) if text.is_ours() => reference::find(&mut tenant, peppers, text).await?,
        _ => None,
    };
    let known = found.as_ref().map(|found| &found.known);
    let meant = meant(session.reference.as_ref(), known, (connection.id, &session.id), session.created);
    let customer = match proves(session, meant, by.user(), now) {
        Proven::Customer(customer) => customer,
        Proven::NotComplete => return Ok(Claimed::NotProven(NotProven::NotComplete)),
        Proven::TooOld => return Ok(Claimed::NotProven(NotProven::TooOld)),
        Proven::Guest => return Ok(Claimed::NotProven(NotProven::Guest)),
        Proven::ForSomebodyElse => return Ok(Claimed::NotProven(NotProven::ForSomebodyElse)),
    };
    // Of several purchases by one link at the same moment, one has it.
    if let Some(found) = &found
        && !link_tokens::use_up(&mut tenant, &found.prefix, connection.id, &session.id, &customer).await?
    {
        return Ok(Claimed::NotProven(NotProven::ForSomebodyElse));
    }
    // Then the objects' rows, kinds in order, then the link: as everybody locks them. The session, since its event may not have come.
    for (kind, id) in
        [(ObjectKind::CheckoutSession, session.id.to_string()), (ObjectKind::Customer, customer.to_string())]
    {
        stripe_sync::mark_dirty(&mut tenant, connection.id, kind, &[id], JobOrigin::Command).await?;
    }
    // What a late link says counts for nothing but who may claim.
    let proof = match meant {
        Meant::Link { late: false, .. } => Proof::Reference,
        _ => Proof::Checkout,
    };
    match take(&mut tenant, connection.id, &customer, by.user(), proof).await? {
        Taking::Taken => {
            tenant.commit().await?;
            Ok(Claimed::Claimed)
        }
        // Nothing is read again for them: whoever asks often would have Stripe asked as often.
        Taking::AlreadyTheirs => Ok(Claimed::AlreadyTheirs),
        Taking::SomebodyElses => Ok(Claimed::SomebodyElses),
        Taking::Rests(until) => Ok(Claimed::Rests(until)),
    }
}
