//! A customer as read: whom it is linked to, and which subscriptions are to be read again.

use shared::{
    db::tenant::Tenant,
    domain::{billing::subscription::CustomerFact, stripe_object::ObjectKind},
    ids::{ConnectionId, CustomerId, UserId},
    store::{
        member_links::{self, Linking, Proof},
        stripe_mirror, stripe_sync,
    },
};

use super::context::Context;
use crate::stripe::credentials::MetadataLinks;

/// A changed customer: link it, and have all its subscriptions read again, those we know and those Stripe lists.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &CustomerFact,
    at_stripe: &[String],
) -> Result<(), sqlx::Error> {
    let Context { connection, metadata, origin, .. } = context;
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
pub(super) async fn claim(
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
