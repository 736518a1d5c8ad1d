//! The mirror of Stripe's objects: only what we use.

use super::tenant::Tenant;
use crate::{
    domain::billing::{CustomerFact, SubscriptionFact},
    ids::{ConnectionId, CustomerId},
};

/// Writes a customer as read.
pub async fn customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &CustomerFact,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO customers (guild_id, connection_id, customer_id, deleted) VALUES ($1, $2, $3, $4)
         ON CONFLICT (guild_id, connection_id, customer_id)
             DO UPDATE SET deleted = excluded.deleted, synced_at = now()",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(fact.deleted)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Writes a subscription as read.
pub async fn subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &SubscriptionFact,
) -> Result<(), sqlx::Error> {
    let items = fact.items.as_slice();
    sqlx::query(
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids,
                                    product_ids, current_period_end, cancel_at_period_end)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (guild_id, connection_id, subscription_id) DO UPDATE SET
             customer_id = excluded.customer_id, status = excluded.status, price_ids = excluded.price_ids,
             product_ids = excluded.product_ids, current_period_end = excluded.current_period_end,
             cancel_at_period_end = excluded.cancel_at_period_end, synced_at = now()",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(&fact.customer.id)
    .bind(fact.status.as_str())
    .bind(items.iter().map(|item| item.price.to_string()).collect::<Vec<_>>())
    .bind(items.iter().filter_map(|item| Some(item.product.as_ref()?.to_string())).collect::<Vec<_>>())
    .bind(fact.current_period_end)
    .bind(fact.cancel_at_period_end)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The subscriptions that give access as far as we know: a list of Stripe's that lacks one of them says that it ended.
pub async fn running(tenant: &mut Tenant, connection: ConnectionId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT source_id FROM access_sources WHERE guild_id = $1 AND connection_id = $2 AND state = 'live'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_all(tenant.db())
    .await
}

/// The subscriptions that we know of a customer.
pub async fn subscriptions_of(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT subscription_id FROM subscriptions WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_all(tenant.db())
    .await
}
