//! What a read means, written in one transaction: mirror, link, access sources, jobs, audit. In: a fact. Out: rows.

use shared::store::database::Pool;
use shared::{
    domain::{
        access::access,
        billing::{BillingFact, CustomerFact, SubscriptionFact, SubscriptionStatus},
        catalogue::Catalogue,
        job::JobOrigin,
        transition::transitions,
    },
    ids::{ConnectionId, UserId},
    store::{
        catalogue,
        events::{self, ObjectKind},
        links::{self, Linking, Proof},
        mappings, mirror, sources,
        sync::{self, Leased, Settled},
        tenant::{self, Tenant},
    },
};

use crate::keys::MetadataLinks;

/// What was read, and for a customer which subscriptions it has.
#[derive(Debug)]
pub enum Read {
    /// One object.
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
    mappings::hold(&mut tx).await?;
    let settled = sync::settle(&mut tx, leased).await?;
    if settled == Settled::LostLease {
        return Ok(Applied::LostLease);
    }
    let event = events::latest_open(&mut tx, connection, object_id).await?;
    // Somebody bought or cancelled, whatever else the object was to be read for.
    let origin = if event.is_some() { JobOrigin::Purchase } else { leased.origin };
    let jobs = match read {
        Read::Missing | Read::Catalogue(None) => 0,
        Read::Catalogue(Some(read)) => {
            catalogue::replace(&mut tx, connection, read).await?;
            0
        }
        Read::Fact(BillingFact::Subscription(fact), _) => {
            subscription(&mut tx, connection, metadata, fact, origin, event.as_deref()).await?
        }
        Read::Fact(BillingFact::Customer(fact), at_stripe) => {
            customer(&mut tx, connection, metadata, fact, origin, at_stripe).await?;
            0
        }
    };
    if settled == Settled::Clean {
        events::mark_processed(&mut tx, connection, object_id).await?;
    }
    tx.commit().await?;
    Ok(Applied::Committed(jobs))
}

async fn subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    metadata: MetadataLinks,
    fact: &SubscriptionFact,
    origin: JobOrigin,
    event: Option<&str>,
) -> Result<usize, sqlx::Error> {
    if let SubscriptionStatus::Unknown(status) = &fact.status {
        tracing::error!(subscription.id = %fact.id, guild.id = %tenant.guild(), status,
            "a subscription has a status that this release does not know; its roles stay as they are");
    }
    mirror::customer(tenant, connection, &fact.customer).await?;
    mirror::subscription(tenant, connection, fact).await?;
    let claimed = fact.customer.discord_user.or(fact.discord_user);
    let user = linked(tenant, connection, metadata, &fact.customer, claimed).await?;
    let roles = mappings::roles_of(tenant, &fact.items).await?;
    let live = sources::live(tenant, connection, &fact.id).await?;
    let changes = transitions(&live, access(&fact.status, &fact.items), user, &roles);
    let evidence = format!("{} is {}", fact.id, fact.status.as_str());
    let cause = event.map_or_else(|| evidence.clone(), |event| format!("{evidence} ({event})"));
    for &change in &changes {
        sources::apply(tenant, connection, &fact.id, change, origin, &evidence, &cause).await?;
    }
    Ok(changes.len())
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
    let mut ids = mirror::subscriptions_of(tenant, connection, &fact.id).await?;
    ids.extend_from_slice(at_stripe);
    sync::mark_dirty(tenant, connection, ObjectKind::Subscription, &ids, origin).await?;
    mirror::customer(tenant, connection, fact).await?;
    linked(tenant, connection, metadata, fact, fact.discord_user).await?;
    Ok(())
}

/// Whom the customer is linked to, after the owner's metadata had its say.
async fn linked(
    tenant: &mut Tenant,
    connection: ConnectionId,
    metadata: MetadataLinks,
    customer: &CustomerFact,
    claimed: Option<UserId>,
) -> Result<Option<UserId>, sqlx::Error> {
    if let (MetadataLinks::On, Some(user)) = (metadata, claimed) {
        let linking = links::link(tenant, connection, &customer.id, user, Proof::Metadata).await?;
        if let Linking::TakenBy(holder) = linking {
            tracing::warn!(customer.id = %customer.id, guild.id = %tenant.guild(), user.id = %user, holder.id = %holder,
                "metadata names another Discord user than the customer is linked to; the link stays");
        }
    }
    links::linked_user(tenant, connection, &customer.id).await
}
