//! A one-time purchase as read: its row, whose it is, and the access that it gives.

use shared::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::{
        billing::purchase::PurchaseFact,
        entitlement::{bought::Bought as _, source::SourceRef},
    },
    store::{member_links, purchases},
};

use super::{
    access::{self, Source},
    context::{Context, Outcome},
    customer,
};
use crate::stripe::credentials::MetadataLinks;

/// Writes it, links its customer as the metadata says, and begins and ends what it gives. What a guest bought is nobody's, unless the
/// session itself names somebody; its row waits for whoever shows that it is theirs.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    fact: &PurchaseFact,
    now: Timestamp,
) -> Result<Outcome, sqlx::Error> {
    let Context { connection, metadata, .. } = context;
    if !fact.is_known() || fact.reversal.is_unknown() {
        tracing::error!(guild.id = %tenant.guild(), state = fact.in_words(),
            "a purchase is in a state that this release does not know; its roles stay as they are");
    }
    if let Some(customer) = &fact.customer {
        customer::record(tenant, context, customer).await?;
    }
    let named = fact.discord_user.filter(|_| metadata == MetadataLinks::On);
    let mut user = purchases::record(tenant, connection, fact, named).await?;
    let mut to_correct = None;
    if let Some(customer) = &fact.customer {
        to_correct = customer::link(tenant, context, customer).await?;
        if user.is_none() {
            user = member_links::linked_user(tenant, connection, &customer.id).await?;
        }
    }
    let key = SourceRef::Purchase { connection, id: fact.id.clone() };
    let customer = fact.customer.as_ref().filter(|customer| !customer.deleted).map(|customer| &customer.id);
    let source = Source { key, in_words: &fact.in_words(), user, customer, to_correct };
    Ok(access::apply(tenant, context, &source, fact, now).await?.outcome)
}
