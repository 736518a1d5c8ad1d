//! What a read means, written in one transaction: mirror, link, access sources, jobs, audit. In: a fact. Out: rows.

use std::{collections::BTreeSet, time::Duration};

use shared::{
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{
        billing::{
            catalogue::Catalogue, fact::BillingFact, payment::PaymentFact, subscription::SubscriptionFact,
        },
        job::JobOrigin,
        stripe_object::{Object, ObjectKind},
    },
    ids::{ConnectionId, InvoiceId},
    store::{
        catalogue, payment_reversals, purchases, role_mappings, stripe_answers,
        stripe_connections::Connection,
        stripe_events, stripe_mirror,
        stripe_sync::{self, Leased, Settled},
        trials,
    },
};

use crate::stripe::credentials::MetadataLinks;

mod access;
mod context;
mod customer;
mod notices;
mod purchase;
mod rederive;
mod subscription;

pub use context::{Applied, Attempt, Others};
pub use customer::answer_hint;
pub use rederive::{Derived, derive, rederive};

use context::{Context, Outcome};

/// What was read.
#[derive(Debug)]
pub enum Read {
    /// And what is to be read after it, as Stripe lists it: what a customer bought, what a payment paid.
    Fact(Box<BillingFact>, Vec<Object>),
    /// All that the account sells; `None`: the key may not read it, and what was known stays.
    Catalogue(Option<Catalogue>),
    /// What it is about, which is read then; `None`: nothing that we read.
    About(Option<Object>),
    /// Stripe does not know it: no evidence of anything, so nothing changes.
    Missing,
}

impl Read {
    /// What is to be read after it.
    fn leads_to(&self) -> &[Object] {
        match self {
            Self::Fact(_, objects) => objects,
            Self::About(object) => object.as_slice(),
            Self::Catalogue(_) | Self::Missing => &[],
        }
    }
}

/// Applies a read.
///
/// Locks are taken in one order everywhere, so that no two transactions wait for each other: the guild's mapping lock, the rows of
/// `stripe_sync`, by kind and id, the customer, the rest. `spacing`: see [`stripe_sync::settle`]. With [`Others::Known`] it never
/// answers [`Attempt::AsksForOthers`].
pub async fn apply(
    pool: &Pool,
    leased: &Leased,
    metadata: MetadataLinks,
    read: &Read,
    others: Others,
    spacing: Duration,
) -> Result<Attempt, sqlx::Error> {
    let mut tx = tenant::begin(pool, leased.connection.guild).await?;
    let (connection, object_id) = (leased.connection.id, leased.object.id.as_str());
    role_mappings::hold(&mut tx).await?;
    let event = stripe_events::latest_open(&mut tx, connection, object_id).await?;
    // Somebody bought or cancelled, whatever else the object was to be read for.
    let origin = if event.is_some() { JobOrigin::Purchase } else { leased.origin };
    let (asked, event) = (leased.origin, event.as_deref());
    let context = Context { connection, metadata, origin, asked, others, event };
    let mut leads_to: BTreeSet<Object> = read.leads_to().iter().cloned().collect();
    if let Read::Fact(fact, _) = read
        && let BillingFact::Customer(fact) = &**fact
    {
        let known = |kind, ids: Vec<String>| ids.into_iter().map(move |id| Object { kind, id });
        let sessions = purchases::of_customer(&mut tx, connection, &fact.id).await?;
        leads_to.extend(known(ObjectKind::CheckoutSession, sessions));
        let subscriptions = stripe_mirror::subscriptions_of(&mut tx, connection, &fact.id).await?;
        leads_to.extend(known(ObjectKind::Subscription, subscriptions));
    }
    if let Read::Fact(fact, _) = read
        && let BillingFact::Payment(fact) = &**fact
    {
        let invoices: Vec<&InvoiceId> = fact.invoices.iter().map(|invoice| &invoice.id).collect();
        let sessions = purchases::paid_by(&mut tx, connection, &invoices).await?;
        leads_to.extend(sessions.into_iter().map(|id| Object { kind: ObjectKind::CheckoutSession, id }));
    }
    if leased.object.kind == ObjectKind::CheckoutSession && event.is_none() {
        // The subscription's read led here, and would again.
        leads_to.retain(|object| object.kind != ObjectKind::Subscription);
    }
    if matches!(leased.object.kind, ObjectKind::Invoice | ObjectKind::CheckoutSession) {
        let mut known = Vec::new();
        for object in leads_to.iter().filter(|object| object.kind == ObjectKind::Subscription) {
            if stripe_answers::was_read_after_events(&mut tx, connection, object, object_id).await? {
                known.push(object.clone());
            }
        }
        leads_to.retain(|object| !known.contains(object));
    }
    // It was read just now.
    leads_to.remove(&leased.object);
    // Rows are locked in the order of objects, and its own is one of them.
    let (before, after) = leads_to.iter().partition::<BTreeSet<&Object>, _>(|other| **other < leased.object);
    stripe_sync::hint_each(&mut tx, connection, &before, origin).await?;
    let settled = stripe_sync::settle(&mut tx, leased, spacing).await?;
    if settled == Settled::LostLease {
        return Ok(Attempt::Done(Applied::LostLease));
    }
    stripe_sync::hint_each(&mut tx, connection, &after, origin).await?;
    let now = shared::clock::now();
    let outcome = match read {
        Read::Missing | Read::Catalogue(None) | Read::About(_) => Outcome::default(),
        Read::Catalogue(Some(read)) => {
            catalogue::replace(&mut tx, connection, read).await?;
            Outcome::default()
        }
        Read::Fact(fact, _) => {
            if let Some(customer) = fact.paid_by()
                && customer::may_be_older(&mut tx, connection, &customer.id, leased.since, spacing).await?
            {
                let own = BTreeSet::from([&leased.object]);
                stripe_sync::hint_each(&mut tx, connection, &own, origin).await?;
            }
            match &**fact {
                BillingFact::Subscription(fact) => subscription::apply(&mut tx, context, fact, now).await?,
                BillingFact::Purchase(fact) => purchase::apply(&mut tx, context, fact, now).await?,
                BillingFact::Payment(fact) => {
                    payment(&mut tx, connection, fact).await?;
                    Outcome::default()
                }
                BillingFact::Customer(fact) => {
                    customer::apply(&mut tx, context, fact).await?;
                    Outcome::default()
                }
            }
        }
    };
    if let Some(customer) = outcome.asks_for_others {
        return Ok(Attempt::AsksForOthers(customer));
    }
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
    if let Some(member) = outcome.tried_by {
        // So is this: two of a member's subscriptions may be read at once. What is not said now is said when it is read the next time.
        let mut tx = tenant::begin(pool, leased.connection.guild).await?;
        if trials::say_which_repeat(&mut tx, member).await? > 0 {
            tx.commit().await?;
        }
    }
    Ok(Attempt::Done(Applied::Committed(outcome.jobs)))
}

/// Of the subscriptions that a list shows, those that would change something if they were applied. Writes nothing.
pub async fn changed(
    pool: &Pool,
    connection: Connection,
    metadata: MetadataLinks,
    listed: Vec<SubscriptionFact>,
) -> Result<Vec<SubscriptionFact>, sqlx::Error> {
    let mut tx = tenant::begin(pool, connection.guild).await?;
    let now = shared::clock::now();
    let mut changed = Vec::new();
    for fact in listed {
        if !subscription::is_as_known(&mut tx, connection.id, metadata, &fact, now).await? {
            changed.push(fact);
        }
    }
    Ok(changed)
}

/// What went back of a payment; what it paid for was marked, and is read with that.
async fn payment(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &PaymentFact,
) -> Result<(), sqlx::Error> {
    if fact.reversal.is_unknown() {
        tracing::error!(guild.id = %tenant.guild(), payment = %fact.id, reversal = %fact.reversal,
            "of a payment it is not known what went back; the roles that it paid for stay as they are");
    }
    payment_reversals::record(tenant, connection, fact).await
}
