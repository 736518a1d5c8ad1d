//! The mirror of Stripe's objects: only what we use.

use crate::db::tenant::Tenant;
use crate::{
    domain::billing::subscription::{CustomerFact, SubscriptionFact},
    ids::{ConnectionId, CustomerId, UserId},
};

/// Writes a customer as read. `named`: whom its metadata names, if it is believed.
pub async fn customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &CustomerFact,
    named: Option<UserId>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO customers (guild_id, connection_id, customer_id, deleted, named_user_id)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (guild_id, connection_id, customer_id)
             DO UPDATE SET deleted = excluded.deleted, named_user_id = excluded.named_user_id, synced_at = now()",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(fact.deleted)
    .bind(named)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Writes a subscription as read. Answers whom it is for by its own: `named`, or who was named before. A name that is missing is
/// no evidence that it is not theirs any more.
pub async fn subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &SubscriptionFact,
    named: Option<UserId>,
) -> Result<Option<UserId>, sqlx::Error> {
    let items = fact.items.as_slice();
    sqlx::query_scalar(
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids,
                                    product_ids, current_period_end, cancel_at_period_end, user_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (guild_id, connection_id, subscription_id) DO UPDATE SET
             customer_id = excluded.customer_id, status = excluded.status, price_ids = excluded.price_ids,
             product_ids = excluded.product_ids, current_period_end = excluded.current_period_end,
             cancel_at_period_end = excluded.cancel_at_period_end,
             user_id = coalesce(excluded.user_id, subscriptions.user_id), missing_since = NULL, synced_at = now()
         RETURNING user_id",
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
    .bind(named)
    .fetch_one(tenant.db())
    .await
}

/// Stripe says that the account has no such subscription: it may be the key of another account. Nothing ends by that.
pub async fn missing(
    tenant: &mut Tenant,
    connection: ConnectionId,
    subscription: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE subscriptions SET missing_since = now()
          WHERE guild_id = $1 AND connection_id = $2 AND subscription_id = $3 AND missing_since IS NULL",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(subscription)
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
