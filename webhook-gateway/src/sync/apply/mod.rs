//! What a read means, written in one transaction: mirror, link, access sources, jobs, audit. In: a fact. Out: rows.

use shared::{
    db::{pool::Pool, tenant},
    domain::{
        billing::{catalogue::Catalogue, subscription::BillingFact},
        job::JobOrigin,
        stripe_object::ObjectKind,
    },
    store::{
        catalogue, role_mappings, stripe_events,
        stripe_sync::{self, Leased, Settled},
    },
};

use crate::stripe::credentials::MetadataLinks;

mod context;
mod customer;
mod subscription;

use context::{Context, Outcome};

/// What was read, and for a customer which subscriptions it has.
#[derive(Debug)]
pub enum Read {
    Fact(BillingFact, Vec<String>),
    /// All that the account sells; `None`: the key may not read it, and what was known stays.
    Catalogue(Option<Catalogue>),
    /// Which subscription an invoice or a session is about, which is read then; `None`: none.
    About(Option<String>),
    /// Stripe does not know it: no evidence of anything, so nothing changes.
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Committed; so many role jobs were made.
    Committed(usize),
    /// Somebody else holds the lease; nothing was written.
    LostLease,
}

/// Applies a read.
///
/// Locks are taken in one order everywhere, so that no two transactions wait for each other: the guild's mapping lock,
/// the object's own `stripe_sync` row, other `stripe_sync` rows by id, the customer, the rest.
pub async fn apply(
    pool: &Pool,
    leased: &Leased,
    metadata: MetadataLinks,
    read: &Read,
) -> Result<Applied, sqlx::Error> {
    let mut tx = tenant::begin(pool, leased.connection.guild).await?;
    let (connection, object_id) = (leased.connection.id, leased.object.id.as_str());
    role_mappings::hold(&mut tx).await?;
    let settled = stripe_sync::settle(&mut tx, leased).await?;
    if settled == Settled::LostLease {
        return Ok(Applied::LostLease);
    }
    let event = stripe_events::latest_open(&mut tx, connection, object_id).await?;
    // Somebody bought or cancelled, whatever else the object was to be read for.
    let origin = if event.is_some() { JobOrigin::Purchase } else { leased.origin };
    let context = Context { connection, metadata, origin, event: event.as_deref() };
    let outcome = match read {
        Read::Missing | Read::Catalogue(None) | Read::About(None) => Outcome::default(),
        Read::About(Some(subscription)) => {
            let ids = std::slice::from_ref(subscription);
            stripe_sync::mark_dirty(&mut tx, connection, ObjectKind::Subscription, ids, origin).await?;
            Outcome::default()
        }
        Read::Catalogue(Some(read)) => {
            catalogue::replace(&mut tx, connection, read).await?;
            Outcome::default()
        }
        Read::Fact(BillingFact::Subscription(fact), _) => {
            subscription::apply(&mut tx, context, fact, shared::clock::now()).await?
        }
        Read::Fact(BillingFact::Customer(fact), at_stripe) => {
            customer::apply(&mut tx, context, fact, at_stripe).await?;
            Outcome::default()
        }
    };
    if let Some(until) = outcome.good_until {
        stripe_sync::read_again_at(&mut tx, leased, until).await?;
    }
    if settled == Settled::Clean {
        stripe_events::mark_processed(&mut tx, connection, object_id).await?;
    }
    tx.commit().await?;
    if let Some(customer) = outcome.to_correct {
        // A transaction of its own: whoever has a subscription's row must not wait for its customer's.
        let mut tx = tenant::begin(pool, leased.connection.guild).await?;
        stripe_sync::mark_dirty(&mut tx, connection, ObjectKind::Customer, &[customer.to_string()], origin)
            .await?;
        tx.commit().await?;
    }
    Ok(Applied::Committed(outcome.jobs))
}
