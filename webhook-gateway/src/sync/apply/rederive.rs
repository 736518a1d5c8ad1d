//! What something that was bought gives, derived again from what was read of it, without a read. In: its rows. Out: what they begin that is
//! not written down, or that Stripe is to be asked.
//!
//! It is the derivation that follows a read (`access`). Rows that somebody may have changed are enough to give, and never to take: what
//! would end is read from Stripe, and so is what its rows do not keep whole.

use std::collections::BTreeSet;

use shared::{
    clock::Timestamp,
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{
        billing::{
            purchase::PurchaseFact,
            subscription::{CustomerFact, SubscriptionFact},
        },
        entitlement::{
            bought::Bought,
            diff::{RoleEntitlement, Transition},
            policy::Rule,
            source::SourceRef,
        },
        job::JobOrigin,
        stripe_object::{Object, ObjectKind},
    },
    ids::{ConnectionId, UserId},
    store::{
        member_links, mirror_facts, role_mappings, stripe_connections::Connection, stripe_mirror::Kept,
        stripe_sync,
    },
};

use super::{
    access::{self, Source},
    context::{Context, Others},
    customer, subscription,
};
use crate::stripe::credentials::MetadataLinks;

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derived {
    /// What is written down, or nothing.
    AsKnown,
    /// Access that its rows give, and that is not written down, or with another end.
    Gives(BTreeSet<RoleEntitlement>),
    /// It is to be read from Stripe: these would end by its rows; none: they do not keep all that decides.
    ToRead(BTreeSet<RoleEntitlement>),
}

/// Derives it, and writes nothing. As whoever may read all of it.
pub async fn derive(
    tenant: &mut Tenant,
    connection: ConnectionId,
    metadata: MetadataLinks,
    object: &Object,
    now: Timestamp,
) -> Result<Derived, sqlx::Error> {
    match Known::read(tenant, connection, object).await? {
        Some(known) => known.derive(tenant, connection, metadata, now).await,
        None => unknown(tenant, connection, object).await,
    }
}

/// What our rows do not have whole.
async fn unknown(
    tenant: &mut Tenant,
    connection: ConnectionId,
    object: &Object,
) -> Result<Derived, sqlx::Error> {
    let may_give = mirror_facts::may_give(tenant, connection, object).await?;
    Ok(if may_give { Derived::ToRead(BTreeSet::new()) } else { Derived::AsKnown })
}

/// Derives it, and writes down what it gives. What is being read, or is to be, is left to that.
pub async fn rederive(
    pool: &Pool,
    connection: Connection,
    metadata: MetadataLinks,
    object: &Object,
) -> Result<Derived, sqlx::Error> {
    let mut tx = tenant::begin(pool, connection.guild).await?;
    let (id, now) = (connection.id, shared::clock::now());
    // In the order in which a read takes them.
    role_mappings::hold(&mut tx).await?;
    if !stripe_sync::hold_if_read(&mut tx, id, object).await? {
        return Ok(Derived::AsKnown);
    }
    let Some(known) = Known::read(&mut tx, id, object).await? else {
        return unknown(&mut tx, id, object).await;
    };
    let derived = known.derive(&mut tx, id, metadata, now).await?;
    if !matches!(derived, Derived::Gives(_)) {
        return Ok(derived);
    }
    let origin = JobOrigin::Bulk;
    let context =
        Context { connection: id, metadata, origin, asked: origin, others: Others::Known, event: None };
    match known {
        Known::Subscription(fact, kept) => {
            customer::link(&mut tx, context, &fact.customer).await?;
            let basis = subscription::basis(&mut tx, id, &fact, &kept).await?;
            let source = basis.source(id, &fact);
            let words = again(source.in_words);
            access::apply(
                &mut tx,
                context,
                &Source { in_words: &words, ..source },
                &basis.facts(&fact, &kept),
                now,
            )
            .await?;
        }
        Known::Purchase(fact) => {
            if let Some(customer) = &fact.customer {
                customer::link(&mut tx, context, customer).await?;
            }
            let words = again(&fact.in_words());
            let source = of_purchase(&mut tx, id, &fact, &words).await?;
            access::apply(&mut tx, context, &source, &*fact, now).await?;
        }
    }
    tx.commit().await?;
    Ok(derived)
}

fn again(in_words: &str) -> String {
    format!("{in_words}, as last read")
}

/// What its rows keep.
enum Known {
    Subscription(Box<SubscriptionFact>, Kept),
    Purchase(Box<PurchaseFact>),
}

impl Known {
    async fn read(
        tenant: &mut Tenant,
        connection: ConnectionId,
        object: &Object,
    ) -> Result<Option<Self>, sqlx::Error> {
        Ok(match object.kind {
            ObjectKind::Subscription => match object.id.parse() {
                Ok(id) => mirror_facts::subscription(tenant, connection, &id)
                    .await?
                    .map(|(fact, kept)| Self::Subscription(Box::new(fact), kept)),
                Err(_) => None,
            },
            ObjectKind::CheckoutSession => match object.id.parse() {
                Ok(id) => mirror_facts::purchase(tenant, connection, &id)
                    .await?
                    .map(|fact| Self::Purchase(Box::new(fact))),
                Err(_) => None,
            },
            ObjectKind::Catalogue
            | ObjectKind::Charge
            | ObjectKind::Customer
            | ObjectKind::Dispute
            | ObjectKind::Invoice
            | ObjectKind::PaymentIntent
            | ObjectKind::Refund => None,
        })
    }

    async fn derive(
        &self,
        tenant: &mut Tenant,
        connection: ConnectionId,
        metadata: MetadataLinks,
        now: Timestamp,
    ) -> Result<Derived, sqlx::Error> {
        match self {
            Self::Subscription(fact, kept) => {
                let basis = subscription::basis(tenant, connection, fact, kept).await?;
                let source = basis.source(connection, fact);
                let user = or_named(source.user, metadata, Some(&fact.customer));
                judged(tenant, &Source { user, ..source }, &basis.facts(fact, kept), now).await
            }
            Self::Purchase(fact) => {
                let words = fact.in_words();
                let source = of_purchase(tenant, connection, fact, &words).await?;
                let user = or_named(source.user, metadata, fact.customer.as_ref());
                judged(tenant, &Source { user, ..source }, &**fact, now).await
            }
        }
    }
}

async fn of_purchase<'a>(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &'a PurchaseFact,
    in_words: &'a str,
) -> Result<Source<'a>, sqlx::Error> {
    let user = match (fact.discord_user, &fact.customer) {
        (Some(user), _) => Some(user),
        (None, Some(customer)) => member_links::linked_user(tenant, connection, &customer.id).await?,
        (None, None) => None,
    };
    let customer = fact.customer.as_ref().filter(|customer| !customer.deleted).map(|customer| &customer.id);
    let key = SourceRef::Purchase { connection, id: fact.id.clone() };
    Ok(Source { key, in_words, user, customer, to_correct: None })
}

/// Whom its customer names, where it is nobody's: they are linked first.
fn or_named(
    user: Option<UserId>,
    metadata: MetadataLinks,
    customer: Option<&CustomerFact>,
) -> Option<UserId> {
    user.or_else(|| customer?.discord_user.filter(|_| metadata == MetadataLinks::On))
}

async fn judged(
    tenant: &mut Tenant,
    source: &Source<'_>,
    bought: &impl Bought,
    now: Timestamp,
) -> Result<Derived, sqlx::Error> {
    let judged = access::judge(tenant, source, bought, now).await?;
    // Since when it is paid for is not kept.
    if judged.mappings.iter().any(|mapping| mapping.policy.paid_for != Rule::Keep) {
        return Ok(Derived::ToRead(BTreeSet::new()));
    }
    let ends: BTreeSet<RoleEntitlement> = judged
        .changes
        .iter()
        .filter_map(|change| match change {
            Transition::End(given) => Some(*given),
            Transition::Begin(_) => None,
        })
        .collect();
    if !ends.is_empty() {
        return Ok(Derived::ToRead(ends));
    }
    let begins = judged.changes.iter().filter_map(|change| match change {
        Transition::Begin(given) => Some(*given),
        Transition::End(_) => None,
    });
    let given: BTreeSet<RoleEntitlement> =
        begins.chain(judged.ends.iter().map(|(given, _)| *given)).collect();
    Ok(if given.is_empty() { Derived::AsKnown } else { Derived::Gives(given) })
}
