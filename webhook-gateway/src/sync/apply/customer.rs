//! A customer as read: whom it is linked to.

use shared::{
    db::tenant::Tenant,
    domain::billing::subscription::CustomerFact,
    ids::{ConnectionId, CustomerId, UserId},
    store::{
        member_links::{self, Linking, Proof},
        stripe_mirror,
    },
};

use super::context::Context;
use crate::stripe::credentials::MetadataLinks;

/// A changed customer: link it. What it bought is read again by then.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &CustomerFact,
) -> Result<(), sqlx::Error> {
    let Context { connection, metadata, .. } = context;
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

/// Writes the customer of something that was bought, and links it as the metadata says. Answers the customer if its link is to follow
/// the metadata, which its own read does: all that it pays for changes hands with it, and is to be marked before.
pub(super) async fn of_bought(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &CustomerFact,
) -> Result<Option<CustomerId>, sqlx::Error> {
    let Context { connection, metadata, .. } = context;
    let named = fact.discord_user.filter(|_| metadata == MetadataLinks::On);
    stripe_mirror::customer(tenant, connection, fact, named).await?;
    Ok(match claim(tenant, connection, &fact.id, named).await? {
        Some(holder) if member_links::may_follow(tenant, connection, &fact.id, holder).await? => {
            Some(fact.id.clone())
        }
        _ => None,
    })
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
