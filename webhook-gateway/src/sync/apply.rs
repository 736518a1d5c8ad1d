//! What a read means, written in one transaction: mirror, link, access sources, jobs, audit. In: a fact. Out: rows.

use shared::{
    domain::{
        access::access,
        billing::{BillingFact, CustomerFact, SubscriptionFact, SubscriptionStatus},
        catalogue::Catalogue,
        transition::transitions,
    },
    ids::UserId,
    store::{
        catalogue,
        connections::Connection,
        events::{self, ObjectKind},
        links::{self, Linking, Proof},
        mappings, mirror, sources,
        sync::{self, Leased, Settled},
    },
};
use sqlx::{PgConnection, PgPool};

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
    pool: &PgPool,
    leased: &Leased,
    metadata: MetadataLinks,
    read: &Read,
) -> Result<Applied, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let (connection, object_id) = (leased.connection, leased.object.id.as_str());
    mappings::hold(&mut tx, connection.guild).await?;
    let settled = sync::settle(&mut tx, leased).await?;
    if settled == Settled::LostLease {
        tx.rollback().await?;
        return Ok(Applied::LostLease);
    }
    let event = events::latest_open(&mut tx, connection, object_id).await?;
    let jobs = match read {
        Read::Missing | Read::Catalogue(None) => 0,
        Read::Catalogue(Some(read)) => {
            catalogue::replace(&mut tx, connection, read).await?;
            0
        }
        Read::Fact(BillingFact::Subscription(fact), _) => {
            subscription(&mut tx, connection, metadata, fact, event.as_deref()).await?
        }
        Read::Fact(BillingFact::Customer(fact), at_stripe) => {
            customer(&mut tx, connection, metadata, fact, at_stripe).await?;
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
    db: &mut PgConnection,
    connection: Connection,
    metadata: MetadataLinks,
    fact: &SubscriptionFact,
    event: Option<&str>,
) -> Result<usize, sqlx::Error> {
    if let SubscriptionStatus::Unknown(status) = &fact.status {
        tracing::error!(subscription.id = %fact.id, guild.id = %connection.guild, status,
            "a subscription has a status that this release does not know; its roles stay as they are");
    }
    mirror::customer(db, connection, &fact.customer).await?;
    mirror::subscription(db, connection, fact).await?;
    let claimed = fact.customer.discord_user.or(fact.discord_user);
    let user = linked(db, connection, metadata, &fact.customer, claimed).await?;
    let roles = mappings::roles_of(db, connection.guild, &fact.items).await?;
    let live = sources::live(db, connection, &fact.id).await?;
    let changes = transitions(&live, access(&fact.status, &fact.items), user, &roles);
    let evidence = format!("{} is {}", fact.id, fact.status.as_str());
    let cause = event.map_or_else(|| evidence.clone(), |event| format!("{evidence} ({event})"));
    for &change in &changes {
        sources::apply(db, connection, &fact.id, change, &evidence, &cause).await?;
    }
    Ok(changes.len())
}

/// A changed customer: link it, and have all its subscriptions read again, those we know and those Stripe lists.
async fn customer(
    db: &mut PgConnection,
    connection: Connection,
    metadata: MetadataLinks,
    fact: &CustomerFact,
    at_stripe: &[String],
) -> Result<(), sqlx::Error> {
    let mut ids = mirror::subscriptions_of(db, connection, &fact.id).await?;
    ids.extend_from_slice(at_stripe);
    sync::mark_dirty(db, connection, ObjectKind::Subscription, &ids).await?;
    mirror::customer(db, connection, fact).await?;
    linked(db, connection, metadata, fact, fact.discord_user).await?;
    Ok(())
}

/// Whom the customer is linked to, after the owner's metadata had its say.
async fn linked(
    db: &mut PgConnection,
    connection: Connection,
    metadata: MetadataLinks,
    customer: &CustomerFact,
    claimed: Option<UserId>,
) -> Result<Option<UserId>, sqlx::Error> {
    if let (MetadataLinks::On, Some(user)) = (metadata, claimed) {
        let linking = links::link(db, connection, &customer.id, user, Proof::Metadata).await?;
        if let Linking::TakenBy(holder) = linking {
            tracing::warn!(customer.id = %customer.id, guild.id = %connection.guild, user.id = %user, holder.id = %holder,
                "metadata names another Discord user than the customer is linked to; the link stays");
        }
    }
    links::linked_user(db, connection, &customer.id).await
}
