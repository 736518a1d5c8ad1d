//! The mirror of one-time purchases: only what we use.

use crate::db::tenant::Tenant;
use crate::{
    domain::{
        billing::purchase::{PurchaseFact, PurchaseStatus, SoldBeside},
        stripe_object::ObjectKind,
    },
    ids::{ConnectionId, CustomerId, InvoiceId, SubscriptionId, UserId},
};

/// Writes a purchase as read. `named`: whom its own metadata names, if it is believed. Answers whom it is for by its own: whom it names,
/// or named before. A name that is missing is no evidence that it is not theirs any more.
pub async fn record(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &PurchaseFact,
    named: Option<UserId>,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO purchases (guild_id, connection_id, session_id, customer_id, status, price_ids, product_ids, paid_at, user_id,
                                amount_total, currency, refund, dispute, id_keys, invoice_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (guild_id, connection_id, session_id) DO UPDATE SET
             customer_id = excluded.customer_id, status = excluded.status, price_ids = excluded.price_ids,
             product_ids = excluded.product_ids, paid_at = excluded.paid_at,
             amount_total = excluded.amount_total, currency = excluded.currency,
             refund = excluded.refund, dispute = excluded.dispute, id_keys = excluded.id_keys,
             invoice_id = excluded.invoice_id,
             user_id = coalesce(excluded.user_id, purchases.user_id), missing_since = NULL, synced_at = now()
         RETURNING user_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(fact.customer.as_ref().map(|customer| &customer.id))
    .bind(fact.status.as_str())
    .bind(fact.items.price_ids())
    .bind(fact.items.product_ids())
    .bind(fact.paid_at)
    .bind(named)
    .bind(fact.total)
    .bind(fact.currency.map(|currency| currency.to_string()))
    .bind(fact.reversal.refund.as_str())
    .bind(fact.reversal.dispute.as_str())
    .bind(&fact.id_keys)
    .bind(&fact.invoice)
    .fetch_one(tenant.db())
    .await
}

/// Writes down a purchase that a list has shown, if it is not known: what became of its payment the list does not show, so it gives
/// nothing until it is read by itself.
pub async fn note(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &PurchaseFact,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO purchases (guild_id, connection_id, session_id, customer_id, status, price_ids, product_ids, amount_total, currency,
                                invoice_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(fact.customer.as_ref().map(|customer| &customer.id))
    .bind(fact.status.as_str())
    .bind(fact.items.price_ids())
    .bind(fact.items.product_ids())
    .bind(fact.total)
    .bind(fact.currency.map(|currency| currency.to_string()))
    .bind(&fact.invoice)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Whether a purchase gives a role, or may: something of it is mapped, or it gave one before.
pub async fn concerns_roles(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &PurchaseFact,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM role_mappings
                         WHERE guild_id = $1 AND ((source_kind = 'price' AND source_id = ANY ($4))
                                               OR (source_kind = 'product' AND source_id = ANY ($5))))
             OR EXISTS (SELECT FROM access_sources
                         WHERE guild_id = $1 AND connection_id = $2 AND stripe_object = $6 AND source_id = $3 AND kind = 'stripe'
                           AND state = 'live')",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(fact.items.price_ids())
    .bind(fact.items.product_ids())
    .bind(ObjectKind::CheckoutSession.as_str())
    .fetch_one(tenant.db())
    .await
}

/// Whether the checkout session that began a subscription is to be read, too, by what the subscription's own read shows: something that
/// was sold once beside it is mapped, and not known as paid. Where it does not show, whether a session's event asked for the read, and
/// something is mapped that may be sold once, as far as the catalogue tells.
pub async fn are_to_read(
    tenant: &mut Tenant,
    connection: ConnectionId,
    subscription: &SubscriptionId,
    beside: &SoldBeside,
) -> Result<bool, sqlx::Error> {
    match beside {
        SoldBeside::Nothing => Ok(false),
        SoldBeside::Sold { invoice, prices, products } => {
            sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM role_mappings
                                 WHERE guild_id = $1 AND ((source_kind = 'price' AND source_id = ANY ($4))
                                                       OR (source_kind = 'product' AND source_id = ANY ($5))))
                    AND NOT EXISTS (SELECT FROM purchases
                                     WHERE guild_id = $1 AND connection_id = $2 AND invoice_id = $3 AND status = $6
                                       AND refund IS NOT NULL)",
            )
            .bind(tenant.guild())
            .bind(connection)
            .bind(invoice)
            .bind(prices.iter().map(|price| price.as_str()).collect::<Vec<_>>())
            .bind(products.iter().map(|product| product.as_str()).collect::<Vec<_>>())
            .bind(PurchaseStatus::Paid.as_str())
            .fetch_one(tenant.db())
            .await
        }
        SoldBeside::NotShown => {
            sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM stripe_events
                                 WHERE guild_id = $1 AND connection_id = $2 AND object_id = $3 AND state = 'recorded'
                                   AND type LIKE '%checkout.session.%')
                    AND EXISTS (SELECT FROM role_mappings m
                                 WHERE m.guild_id = $1
                                   AND coalesce((SELECT bool_or(p.interval IS NULL) FROM prices p
                                                  WHERE p.guild_id = m.guild_id AND p.connection_id = $2
                                                    AND m.source_id = CASE m.source_kind WHEN 'price' THEN p.price_id
                                                                                         ELSE p.product_id END), true))",
            )
            .bind(tenant.guild())
            .bind(connection)
            .bind(subscription)
            .fetch_one(tenant.db())
            .await
        }
    }
}

/// The purchases that these invoices paid.
pub async fn paid_by(
    tenant: &mut Tenant,
    connection: ConnectionId,
    invoices: &[&InvoiceId],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT session_id FROM purchases WHERE guild_id = $1 AND connection_id = $2 AND invoice_id = ANY ($3)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(invoices.iter().map(|invoice| invoice.as_str()).collect::<Vec<_>>())
    .fetch_all(tenant.db())
    .await
}

/// Stripe says that the account has no such session: it may be the key of another account. Nothing ends by that.
pub async fn missing(
    tenant: &mut Tenant,
    connection: ConnectionId,
    session: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE purchases SET missing_since = now()
          WHERE guild_id = $1 AND connection_id = $2 AND session_id = $3 AND missing_since IS NULL",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(session)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The purchases that we know of a customer.
pub async fn of_customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT session_id FROM purchases WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_all(tenant.db())
    .await
}

/// The purchases that named this member themselves, with their customers, in the order in which objects are locked.
pub async fn naming(
    tenant: &mut Tenant,
    member: UserId,
) -> Result<Vec<(ConnectionId, String, Option<CustomerId>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT connection_id, session_id, customer_id FROM purchases WHERE guild_id = $1 AND user_id = $2
          ORDER BY connection_id, session_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
}

/// Forgets whom a customer's purchases named themselves, and answers it, after the same of subscriptions.
pub async fn forget_named(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Vec<(String, UserId)>, sqlx::Error> {
    sqlx::query_as(
        "WITH named AS (
             SELECT session_id, user_id FROM purchases
              WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 AND user_id IS NOT NULL
              ORDER BY session_id COLLATE \"C\" FOR NO KEY UPDATE)
         UPDATE purchases p SET user_id = NULL FROM named
          WHERE p.guild_id = $1 AND p.connection_id = $2 AND p.session_id = named.session_id
         RETURNING p.session_id, named.user_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_all(tenant.db())
    .await
}
