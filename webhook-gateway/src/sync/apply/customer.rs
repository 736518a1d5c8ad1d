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
