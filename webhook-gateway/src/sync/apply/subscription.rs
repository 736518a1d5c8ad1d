//! A subscription as read: its row, whose it is, the access that it gives, and what its member is told of it.

use shared::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::{
        billing::subscription::SubscriptionFact,
        entitlement::{
            bought::Bought as _,
            facts::{Facts, ReversedInvoice},
            source::SourceRef,
        },
    },
    ids::{ConnectionId, UserId},
    store::{
        member_links, payment_reversals,
        stripe_mirror::{self, Kept},
    },
};

use super::{
    access::{self, Source},
    context::{Context, Outcome},
    customer, notices,
};
use crate::stripe::credentials::MetadataLinks;

/// Writes it, links its customer as the metadata says, begins and ends what it gives, and plans what is told of that.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &SubscriptionFact,
    now: Timestamp,
) -> Result<Outcome, sqlx::Error> {
    let Context { connection, metadata, .. } = context;
    if !Facts::read(fact, None, &[]).is_known() {
        tracing::error!(guild.id = %tenant.guild(), state = fact.in_words(),
            "a subscription is in a state that this release does not know; its roles stay as they are");
    }
    customer::record(tenant, context, &fact.customer).await?;
    let named = fact.discord_user.filter(|_| metadata == MetadataLinks::On);
    let kept = stripe_mirror::subscription(tenant, connection, fact, named, now).await?;
    let to_correct = customer::link(tenant, context, &fact.customer).await?;
    let basis = basis(tenant, connection, fact, &kept).await?;
    let source = Source { to_correct, ..basis.source(connection, fact) };
    let facts = basis.facts(fact, &kept);
    let given = access::apply(tenant, context, &source, &facts, now).await?;
    notices::follow(tenant, &source, &facts, &given, now).await?;
    Ok(Outcome { tried_by: basis.user.filter(|_| fact.is_in_trial(now)), ..given.outcome })
}

/// Whether applying it would change nothing. Writes nothing, and holds nothing: a hint may come at any time.
pub(super) async fn is_as_known(
    tenant: &mut Tenant,
    connection: ConnectionId,
    metadata: MetadataLinks,
    fact: &SubscriptionFact,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let believed = |named: Option<UserId>| named.filter(|_| metadata == MetadataLinks::On);
    let (named, customer_named) = (believed(fact.discord_user), believed(fact.customer.discord_user));
    let known = stripe_mirror::known_as(tenant, connection, fact, named, customer_named).await?;
    let Some(kept) = known else { return Ok(false) };
    if !customer::is_linked_as_named(tenant, connection, &fact.customer.id, customer_named).await? {
        return Ok(false);
    }
    let basis = basis(tenant, connection, fact, &kept).await?;
    access::is_as_known(tenant, &basis.source(connection, fact), &basis.facts(fact, &kept), now).await
}

/// What decides beside what was read.
pub(super) struct Basis {
    /// Whose it is.
    user: Option<UserId>,
    /// What went back of its payments.
    reversals: Vec<ReversedInvoice>,
    in_words: String,
}

pub(super) async fn basis(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &SubscriptionFact,
    kept: &Kept,
) -> Result<Basis, sqlx::Error> {
    // What the subscription says of itself is nearer: one customer may pay for several people.
    let user = match kept.user_id {
        Some(user) => Some(user),
        None => member_links::linked_user(tenant, connection, &fact.customer.id).await?,
    };
    let mut reversals =
        payment_reversals::of_subscription(tenant, connection, &fact.id, kept.paid_invoice_at).await?;
    for reversed in &mut reversals {
        reversed.is_managed |= fact.is_managed;
    }
    let mut in_words = fact.in_words();
    for reversed in reversals.iter().map(|reversed| reversed.reversal.to_string()).filter(|it| !it.is_empty())
    {
        in_words = format!("{in_words}, its payment {reversed}");
    }
    Ok(Basis { user, reversals, in_words })
}

impl Basis {
    pub(super) fn source<'a>(&'a self, connection: ConnectionId, fact: &'a SubscriptionFact) -> Source<'a> {
        let key = SourceRef::Subscription { connection, id: fact.id.clone() };
        let customer = (!fact.customer.deleted).then_some(&fact.customer.id);
        Source { key, in_words: &self.in_words, user: self.user, customer, to_correct: None }
    }

    pub(super) fn facts<'a>(&'a self, fact: &'a SubscriptionFact, kept: &Kept) -> Facts<'a> {
        Facts::read(fact, kept.unpaid_since, &self.reversals)
    }
}
