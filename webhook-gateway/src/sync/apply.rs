//! What a read means, written in one transaction: mirror, link, access sources, jobs, audit. In: a fact. Out: rows.

use shared::db::pool::Pool;
use shared::domain::stripe_object::ObjectKind;
use shared::{
    db::tenant::{self, Tenant},
    domain::{
        billing::{
            catalogue::Catalogue,
            subscription::{BillingFact, CustomerFact, SubscriptionFact, SubscriptionStatus},
        },
        entitlement::{diff::transitions, policy::access},
        job::JobOrigin,
    },
    ids::{ConnectionId, CustomerId, UserId},
    store::{
        access_sources, catalogue,
        member_links::{self, Linking, Proof},
        role_mappings, stripe_events, stripe_mirror,
        stripe_sync::{self, Leased, Settled},
    },
};

use crate::stripe::credentials::MetadataLinks;

/// What was read, and for a customer which subscriptions it has.
#[derive(Debug)]
pub enum Read {
    Fact(BillingFact, Vec<String>),
    /// All that the account sells; `None`: the key may not read it, and what was known stays.
    Catalogue(Option<Catalogue>),
    /// Stripe does not know it: no evidence of anything, so nothing changes.
    Missing,
}

/// What applying came to.
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
    let outcome = match read {
        Read::Missing | Read::Catalogue(None) => Outcome::default(),
        Read::Catalogue(Some(read)) => {
            catalogue::replace(&mut tx, connection, read).await?;
            Outcome::default()
        }
        Read::Fact(BillingFact::Subscription(fact), _) => {
            subscription(&mut tx, connection, metadata, fact, origin, event.as_deref()).await?
        }
        Read::Fact(BillingFact::Customer(fact), at_stripe) => {
            customer(&mut tx, connection, metadata, fact, origin, at_stripe).await?;
            Outcome::default()
        }
    };
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

/// What a subscription's read came to.
#[derive(Default)]
struct Outcome {
    jobs: usize,
    /// A customer whose link is to follow its metadata.
    to_correct: Option<CustomerId>,
}

async fn subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    metadata: MetadataLinks,
    fact: &SubscriptionFact,
    origin: JobOrigin,
    event: Option<&str>,
) -> Result<Outcome, sqlx::Error> {
    if let SubscriptionStatus::Unknown(status) = &fact.status {
        tracing::error!(subscription.id = %fact.id, guild.id = %tenant.guild(), status,
            "a subscription has a status that this release does not know; its roles stay as they are");
    }
    let customer = &fact.customer;
    let named = customer.discord_user.filter(|_| metadata == MetadataLinks::On);
    stripe_mirror::customer(tenant, connection, customer, named).await?;
    let named_itself = fact.discord_user.filter(|_| metadata == MetadataLinks::On);
    let own = stripe_mirror::subscription(tenant, connection, fact, named_itself).await?;
    let mut to_correct = None;
    if let Some(holder) = claim(tenant, connection, &customer.id, named).await?
        && member_links::may_follow(tenant, connection, &customer.id, holder).await?
    {
        // The customer's own read does it: all that it pays for changes hands with it, and is to be marked before.
        to_correct = Some(customer.id.clone());
    }
    // What the subscription says of itself is nearer: one customer may pay for several people.
    let user = match own {
        Some(user) => Some(user),
        None => member_links::linked_user(tenant, connection, &customer.id).await?,
    };
    let roles = role_mappings::roles_of(tenant, &fact.items).await?;
    let live = access_sources::live(tenant, connection, &fact.id).await?;
    let changes = transitions(&live, access(&fact.status, &fact.items), user, &roles);
    let evidence = format!("{} is {}", fact.id, fact.status.as_str());
    let cause = event.map_or_else(|| evidence.clone(), |event| format!("{evidence} ({event})"));
    for &change in &changes {
        access_sources::apply(tenant, connection, &fact.id, change, origin, &evidence, &cause).await?;
    }
    Ok(Outcome { jobs: changes.len(), to_correct })
}

/// A changed customer: link it, and have all its subscriptions read again, those we know and those Stripe lists.
async fn customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    metadata: MetadataLinks,
    fact: &CustomerFact,
    origin: JobOrigin,
    at_stripe: &[String],
) -> Result<(), sqlx::Error> {
    let mut ids = stripe_mirror::subscriptions_of(tenant, connection, &fact.id).await?;
    ids.extend_from_slice(at_stripe);
    stripe_sync::mark_dirty(tenant, connection, ObjectKind::Subscription, &ids, origin).await?;
    let named = fact.discord_user.filter(|_| metadata == MetadataLinks::On);
    stripe_mirror::customer(tenant, connection, fact, named).await?;
    if let (Some(holder), Some(named)) = (claim(tenant, connection, &fact.id, named).await?, named)
        && member_links::may_follow(tenant, connection, &fact.id, holder).await?
    {
        tracing::info!(customer.id = %fact.id, guild.id = %tenant.guild(), user.id = %named, "the link follows the metadata");
        member_links::follow(tenant, connection, &fact.id, holder, named).await?;
    }
    Ok(())
}

/// Links the customer as the owner's metadata says, if it is nobody's. Answers who has it instead of whom the metadata names.
async fn claim(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    named: Option<UserId>,
) -> Result<Option<UserId>, sqlx::Error> {
    let Some(named) = named else { return Ok(None) };
    match member_links::link(tenant, connection, customer, named, Proof::Metadata).await? {
        Linking::Linked | Linking::AlreadySo => Ok(None),
        Linking::TakenBy(holder) => {
            tracing::warn!(customer.id = %customer, guild.id = %tenant.guild(), user.id = %named, holder.id = %holder,
                "metadata names another Discord user than the customer is linked to");
            Ok(Some(holder))
        }
    }
}
