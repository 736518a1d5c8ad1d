//! A subscription as read: its row, whose it is, and the access that it gives.

use std::collections::BTreeSet;

use shared::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::{
        audit::Actor,
        billing::subscription::SubscriptionFact,
        entitlement::{
            diff::{RoleEntitlement, transitions},
            evaluate::{Evaluation, State, evaluate},
            facts::Facts,
            policy::Policy,
            source::SourceRef,
        },
    },
    ids::{RoleId, UserId},
    store::{
        access_sources::{self, Because, Live},
        member_links, role_mappings, stripe_mirror,
    },
};

use super::{
    context::{Context, Outcome},
    customer::claim,
};
use crate::stripe::credentials::MetadataLinks;

/// Writes it, links its customer as the metadata says, and begins and ends what it gives.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &SubscriptionFact,
    now: Timestamp,
) -> Result<Outcome, sqlx::Error> {
    let Context { connection, metadata, origin, event } = context;
    if Policy::DEFAULT.rule(&Facts::read(fact, None)).is_none() {
        tracing::error!(guild.id = %tenant.guild(), state = fact.in_words(),
            "a subscription is in a state that this release does not know; its roles stay as they are");
    }
    let customer = &fact.customer;
    let named = customer.discord_user.filter(|_| metadata == MetadataLinks::On);
    stripe_mirror::customer(tenant, connection, customer, named).await?;
    let named_itself = fact.discord_user.filter(|_| metadata == MetadataLinks::On);
    let kept = stripe_mirror::subscription(tenant, connection, fact, named_itself, now).await?;
    let mut to_correct = None;
    if let Some(holder) = claim(tenant, connection, &customer.id, named).await?
        && member_links::may_follow(tenant, connection, &customer.id, holder).await?
    {
        // The customer's own read does it: all that it pays for changes hands with it, and is to be marked before.
        to_correct = Some(customer.id.clone());
    }
    // What the subscription says of itself is nearer: one customer may pay for several people.
    let user = match kept.user_id {
        Some(user) => Some(user),
        None => member_links::linked_user(tenant, connection, &customer.id).await?,
    };
    let source = SourceRef::Subscription { connection, id: fact.id.clone() };
    let live = access_sources::live(tenant, connection, &fact.id).await?;
    let held: BTreeSet<RoleId> = live.iter().map(|live| live.given.role).collect();
    let mappings = role_mappings::concerning(tenant, &fact.items, &held).await?;
    let evaluation = evaluate(Facts::read(fact, kept.unpaid_since), &mappings, held, now);
    let changes = transitions(&live.iter().map(|live| live.given).collect(), &evaluation, user);
    for &change in &changes {
        let evidence = evaluation.evidence(&fact.in_words(), change);
        let cause = event.map_or_else(|| evidence.clone(), |event| format!("{evidence} ({event})"));
        let because = Because { actor: Actor::Stripe, origin, evidence: &evidence, cause: &cause };
        access_sources::apply(tenant, &source, change, because).await?;
    }
    let ends = changed_ends(&live, &evaluation, user);
    access_sources::set_until(tenant, &source, &ends).await?;
    Ok(Outcome { jobs: changes.len(), to_correct, good_until: evaluation.until() })
}

/// Of the roles that are due: those that end by themselves at another time than our rows say.
fn changed_ends(
    live: &[Live],
    evaluation: &Evaluation,
    user: Option<UserId>,
) -> Vec<(RoleEntitlement, Option<Timestamp>)> {
    let due = evaluation.roles.iter().filter(|(_, role)| role.state == State::Due);
    due.filter_map(|(&role, state)| {
        let given = RoleEntitlement { user: user?, role };
        let known = live.iter().find(|live| live.given == given).and_then(|live| live.until);
        (known != state.until).then_some((given, state.until))
    })
    .collect()
}
