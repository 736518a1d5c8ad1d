//! A customer: what an event about it asks to be read, and, as read, whom it is linked to.

use std::time::Duration;

use shared::{
    clock::Timestamp,
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{billing::subscription::CustomerFact, job::JobOrigin, stripe_object::ObjectKind},
    ids::{ConnectionId, CustomerId, UserId},
    store::{
        member_links::{self, Linking, Proof},
        stripe_answers, stripe_events,
        stripe_mirror::{self, KnownCustomer},
        stripe_sync::{self, Leased, Settled},
    },
};

use super::context::{Applied, Context};
use crate::stripe::credentials::MetadataLinks;

/// How an event about a customer is answered.
enum Answer {
    Given(Applied),
    /// The customer is to be read itself.
    Read,
    /// What is known of it changed meanwhile.
    AskAgain,
}

/// Answers an event about a customer without reading the customer, where that is enough; `None`: it is to be read itself.
///
/// A subscription is read with its customer, so one read tells whom both are for. Of a customer that bought nothing, nothing can come:
/// what they buy first tells of its customer too.
pub async fn answer_hint(pool: &Pool, leased: &Leased) -> Result<Option<Applied>, sqlx::Error> {
    let Ok(customer) = leased.object.id.parse::<CustomerId>() else { return Ok(None) };
    loop {
        match try_answer(pool, leased, &customer).await? {
            Answer::Given(applied) => return Ok(Some(applied)),
            Answer::Read => return Ok(None),
            // At most as often as what one customer bought is read: it is known the next time.
            Answer::AskAgain => {}
        }
    }
}

async fn try_answer(pool: &Pool, leased: &Leased, customer: &CustomerId) -> Result<Answer, sqlx::Error> {
    let mut tx = tenant::begin(pool, leased.connection.guild).await?;
    let connection = leased.connection.id;
    let settled = stripe_sync::settle_without_read(&mut tx, leased).await?;
    if settled == Settled::LostLease {
        return Ok(Answer::Given(Applied::LostLease));
    }
    let event = stripe_events::latest_open(&mut tx, connection, &leased.object.id).await?;
    if event.is_none() || leased.origin != JobOrigin::Purchase {
        // Not for an event, or not for it alone: we want it read.
        return Ok(Answer::Read);
    }
    let known = stripe_mirror::known_customer(&mut tx, connection, customer).await?;
    let Some(subscriptions) = instead(&known) else { return Ok(Answer::Read) };
    let (kind, origin) = (ObjectKind::Subscription, JobOrigin::Purchase);
    stripe_sync::hint(&mut tx, connection, kind, &subscriptions, origin).await?;
    // The first read of what it buys may be on its way, with the customer as it was before: it is known from here on, or it finds out
    // that this was answered meanwhile.
    stripe_mirror::hold_customer(&mut tx, connection, customer).await?;
    if stripe_mirror::known_customer(&mut tx, connection, customer).await? != known {
        return Ok(Answer::AskAgain);
    }
    if settled == Settled::Clean {
        stripe_events::mark_processed(&mut tx, connection, &leased.object.id).await?;
    }
    tx.commit().await?;
    Ok(Answer::Given(Applied::NotNeeded))
}

/// Which subscriptions are read instead of the customer; `None`: no subscription tells whom its link is for, or there is more that
/// changes hands with it.
fn instead(known: &KnownCustomer) -> Option<Vec<String>> {
    if known.has_purchases {
        return None;
    }
    match (&known.running[..], &known.ended) {
        ([], None) => (!known.is_named).then(Vec::new),
        // Whose it is changes nothing for what has ended: one of those tells it.
        ([], Some(ended)) => Some(vec![ended.clone()]),
        (running, _) => Some(running.to_vec()),
    }
}

/// Whether an event about the customer was answered since the read of what it bought began: the read may have the customer as it was
/// before. Holds the customer, so that none is answered before what was read is known.
pub(super) async fn may_be_older(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    since: Timestamp,
    spacing: Duration,
) -> Result<bool, sqlx::Error> {
    stripe_mirror::hold_customer(tenant, connection, customer).await?;
    let (kind, id) = (ObjectKind::Customer, customer.to_string());
    stripe_answers::is_answered_since(tenant, connection, kind, &id, since, spacing).await
}

/// A changed customer: link it. What it bought was marked before, to be read again.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &CustomerFact,
) -> Result<(), sqlx::Error> {
    record(tenant, context, fact).await?;
    let (connection, named) = (context.connection, named(context, fact));
    if let (Some(holder), Some(named)) = (claim(tenant, connection, &fact.id, named).await?, named)
        && member_links::may_follow(tenant, connection, &fact.id, holder).await?
    {
        tracing::info!(customer.id = %fact.id, guild.id = %tenant.guild(), user.id = %named, "the link follows the metadata");
        member_links::follow(tenant, connection, &fact.id, holder, named).await?;
    }
    Ok(())
}

/// Writes the customer of something that was bought, before that itself is written.
pub(super) async fn record(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &CustomerFact,
) -> Result<(), sqlx::Error> {
    stripe_mirror::customer(tenant, context.connection, fact, named(context, fact)).await
}

/// Links it as the metadata says, after what was bought is written. Answers the customer if its link is to follow the metadata, which its
/// own read does: all that it pays for changes hands with it, and is to be marked before.
pub(super) async fn link(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &CustomerFact,
) -> Result<Option<CustomerId>, sqlx::Error> {
    let connection = context.connection;
    Ok(match claim(tenant, connection, &fact.id, named(context, fact)).await? {
        Some(holder) if member_links::may_follow(tenant, connection, &fact.id, holder).await? => {
            Some(fact.id.clone())
        }
        _ => None,
    })
}

/// Whether [`link`] would change nothing. `named`: whom the metadata names, if it is believed.
pub(super) async fn is_linked_as_named(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    named: Option<UserId>,
) -> Result<bool, sqlx::Error> {
    let Some(named) = named else { return Ok(true) };
    Ok(match member_links::linked_user(tenant, connection, customer).await? {
        None => false,
        Some(holder) if holder == named => true,
        Some(holder) => !member_links::may_follow(tenant, connection, customer, holder).await?,
    })
}

/// Whom the customer's metadata names, if it is believed.
fn named(context: Context<'_>, fact: &CustomerFact) -> Option<UserId> {
    fact.discord_user.filter(|_| context.metadata == MetadataLinks::On)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_about_a_customer_reads_what_tells_whom_it_is_for() {
        let known = |is_named, running: &[&str], ended: Option<&str>| KnownCustomer {
            is_named,
            has_purchases: false,
            running: running.iter().map(|&id| id.to_owned()).collect(),
            ended: ended.map(ToOwned::to_owned),
        };
        assert_eq!(instead(&known(false, &[], None)), Some(Vec::new()), "nothing can come of it");
        assert_eq!(instead(&known(true, &[], None)), None, "nothing else tells whether the name has changed");
        for is_named in [false, true] {
            assert_eq!(
                instead(&known(is_named, &[], Some("sub_0"))).as_deref(),
                Some(&["sub_0".to_owned()][..])
            );
            let running = known(is_named, &["sub_1", "sub_2"], Some("sub_0"));
            assert_eq!(instead(&running), Some(running.running.clone()));
            let buyer = KnownCustomer { has_purchases: true, ..running };
            assert_eq!(instead(&buyer), None, "what was bought once may change hands too");
        }
    }
}
