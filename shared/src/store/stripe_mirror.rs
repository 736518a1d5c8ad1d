//! The mirror of Stripe's objects: only what we use.

use sqlx::types::Json;

use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::billing::{
        amount::Percent,
        page::{LatestInvoice, PageUrl, RENEWED_AFTER},
        subscription::{
            CollectionPause, CustomerFact, Item, Items, PauseCause, SubscriptionFact, SubscriptionStatus,
        },
    },
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
        "INSERT INTO customers (guild_id, connection_id, customer_id, deleted, named_user_id, id_keys)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (guild_id, connection_id, customer_id)
             DO UPDATE SET deleted = excluded.deleted, named_user_id = excluded.named_user_id,
                           id_keys = coalesce(excluded.id_keys, customers.id_keys), synced_at = now()",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(fact.deleted)
    .bind(named)
    .bind(&fact.id_keys)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// What a subscription's row has beside what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    /// Whom it is for by its own: whom it names, or named before. A name that is missing is no evidence that it is not theirs any more.
    pub user_id: Option<UserId>,
    /// Since when a payment is due. No later read moves it on: not a retry, not the next invoice, not a pause.
    pub unpaid_since: Option<Timestamp>,
    /// When the latest invoice was made that was ever seen paid.
    pub paid_invoice_at: Option<Timestamp>,
}

/// Writes a subscription as read. `named`: whom its own metadata names, if it is believed. `now`: since when a payment is due of which
/// Stripe does not say.
pub async fn subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &SubscriptionFact,
    named: Option<UserId>,
    now: Timestamp,
) -> Result<Kept, sqlx::Error> {
    let unpaid_since = fact.is_behind().then(|| fact.unpaid_since.unwrap_or(now));
    sqlx::query_as(
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids,
                                    product_ids, current_period_end, cancel_at_period_end, user_id, unpaid_since, ends_at,
                                    pause_cause, paid_invoice_at, trial_began_at, trial_ends_at, items, discounts,
                                    collection_pause, collection_resumes_at, application_fee_percent, id_keys,
                                    open_invoice_id, open_invoice_url, open_invoice_read_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $12::timestamptz IS NOT NULL, $9, $10, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24, CASE WHEN $23::text IS NOT NULL THEN now() END)
         ON CONFLICT (guild_id, connection_id, subscription_id) DO UPDATE SET
             customer_id = excluded.customer_id, status = excluded.status, price_ids = excluded.price_ids,
             product_ids = excluded.product_ids, current_period_end = excluded.current_period_end,
             cancel_at_period_end = excluded.cancel_at_period_end,
             user_id = coalesce(excluded.user_id, subscriptions.user_id), missing_since = NULL, synced_at = now(),
             unpaid_since = CASE WHEN NOT $11 THEN least(subscriptions.unpaid_since, excluded.unpaid_since) END,
             ends_at = excluded.ends_at, pause_cause = excluded.pause_cause,
             paid_invoice_at = greatest(subscriptions.paid_invoice_at, excluded.paid_invoice_at),
             -- Of a trial offer nothing is left when it is over.
             trial_began_at = least(subscriptions.trial_began_at, excluded.trial_began_at),
             trial_ends_at = coalesce(excluded.trial_ends_at, subscriptions.trial_ends_at),
             items = excluded.items, discounts = excluded.discounts,
             collection_pause = excluded.collection_pause, collection_resumes_at = excluded.collection_resumes_at,
             application_fee_percent = excluded.application_fee_percent, id_keys = excluded.id_keys,
             -- An invoice that was not shown says nothing.
             open_invoice_id = CASE WHEN $25 THEN excluded.open_invoice_id ELSE subscriptions.open_invoice_id END,
             open_invoice_url = CASE WHEN $25 THEN excluded.open_invoice_url ELSE subscriptions.open_invoice_url END,
             open_invoice_read_at = CASE WHEN $25 THEN excluded.open_invoice_read_at ELSE subscriptions.open_invoice_read_at END
         RETURNING user_id, unpaid_since, paid_invoice_at",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(&fact.customer.id)
    .bind(fact.status.as_str())
    .bind(fact.items.price_ids())
    .bind(fact.items.product_ids())
    .bind(fact.current_period_end)
    .bind(named)
    .bind(unpaid_since)
    .bind(fact.is_paid())
    .bind(fact.ends_at)
    .bind(fact.pause.as_ref().map(PauseCause::as_str))
    .bind(fact.paid_invoice_at)
    .bind(fact.trial.map(|trial| trial.began))
    .bind(fact.trial.and_then(|trial| trial.ends))
    .bind(kept_items(fact))
    .bind(fact.discounts.as_ref().map(Json))
    .bind(fact.collection.map(CollectionPause::as_str))
    .bind(fact.collection_resumes_at)
    .bind(fact.application_fee.map(Percent::to_f64))
    .bind(&fact.id_keys)
    .bind(fact.latest_invoice.id())
    .bind(fact.latest_invoice.page().map(PageUrl::as_str))
    .bind(fact.latest_invoice != LatestInvoice::NotShown)
    .fetch_one(tenant.db())
    .await
}

/// What our rows keep of its items; `None`: nobody knows all of them.
fn kept_items(fact: &SubscriptionFact) -> Option<Json<&Vec<Item>>> {
    match &fact.items {
        Items::All(items) => Some(Json(items)),
        Items::Some(_) => None,
    }
}

/// What a subscription's row has beside what was read, if writing this would change nothing in it, nor in its customer's; `None`: it would,
/// or there is none. `named`, `customer_named`: whom its own metadata names, and its customer's.
pub async fn known_as(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &SubscriptionFact,
    named: Option<UserId>,
    customer_named: Option<UserId>,
) -> Result<Option<Kept>, sqlx::Error> {
    sqlx::query_as(
        "SELECT s.user_id, s.unpaid_since, s.paid_invoice_at
           FROM subscriptions s JOIN customers c USING (guild_id, connection_id, customer_id)
          WHERE s.guild_id = $1 AND s.connection_id = $2 AND s.subscription_id = $3 AND s.customer_id = $4
            AND s.status = $5 AND s.price_ids = $6 AND s.product_ids = $7 AND s.missing_since IS NULL
            AND s.current_period_end IS NOT DISTINCT FROM $8 AND s.ends_at IS NOT DISTINCT FROM $9
            AND s.cancel_at_period_end = ($9::timestamptz IS NOT NULL) AND s.pause_cause IS NOT DISTINCT FROM $10
            AND s.user_id IS NOT DISTINCT FROM coalesce($11, s.user_id)
            -- As `subscription` would write it: since when it is unpaid, Stripe may not say.
            AND CASE WHEN $12 THEN s.unpaid_since IS NULL
                     WHEN $13 THEN s.unpaid_since <= coalesce($14, s.unpaid_since) ELSE true END
            AND s.paid_invoice_at IS NOT DISTINCT FROM greatest(s.paid_invoice_at, $15)
            AND s.trial_began_at IS NOT DISTINCT FROM least(s.trial_began_at, $18)
            AND s.trial_ends_at IS NOT DISTINCT FROM coalesce($19, s.trial_ends_at)
            AND s.items IS NOT DISTINCT FROM $20 AND s.discounts IS NOT DISTINCT FROM $21
            AND s.collection_pause IS NOT DISTINCT FROM $22 AND s.collection_resumes_at IS NOT DISTINCT FROM $23
            AND s.application_fee_percent IS NOT DISTINCT FROM $24 AND s.id_keys IS NOT DISTINCT FROM $25
            AND c.deleted = $16 AND c.named_user_id IS NOT DISTINCT FROM $17
            AND c.id_keys IS NOT DISTINCT FROM coalesce($26, c.id_keys)
            -- Stripe answers another address of the same page each time: it counts when the one that is kept grows old.
            AND ($27 OR s.open_invoice_id IS NOT DISTINCT FROM $28
                        AND ($28 IS NULL OR s.open_invoice_read_at > now() - make_interval(secs => $29)))",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&fact.id)
    .bind(&fact.customer.id)
    .bind(fact.status.as_str())
    .bind(fact.items.price_ids())
    .bind(fact.items.product_ids())
    .bind(fact.current_period_end)
    .bind(fact.ends_at)
    .bind(fact.pause.as_ref().map(PauseCause::as_str))
    .bind(named)
    .bind(fact.is_paid())
    .bind(fact.is_behind())
    .bind(fact.unpaid_since)
    .bind(fact.paid_invoice_at)
    .bind(fact.customer.deleted)
    .bind(customer_named)
    .bind(fact.trial.map(|trial| trial.began))
    .bind(fact.trial.and_then(|trial| trial.ends))
    .bind(kept_items(fact))
    .bind(fact.discounts.as_ref().map(Json))
    .bind(fact.collection.map(CollectionPause::as_str))
    .bind(fact.collection_resumes_at)
    .bind(fact.application_fee.map(Percent::to_f64))
    .bind(&fact.id_keys)
    .bind(&fact.customer.id_keys)
    .bind(fact.latest_invoice == LatestInvoice::NotShown)
    .bind(fact.latest_invoice.id())
    .bind(RENEWED_AFTER.as_secs_f64())
    .fetch_optional(tenant.db())
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

/// Keeps others that ask for the same from changing what is known of a customer until the transaction ends. After the objects' rows,
/// before the mirror: its row may not be there yet.
pub async fn hold_customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<(), sqlx::Error> {
    // Two numbers: a space of its own beside the guilds' mapping locks, which are one.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))")
        .bind(connection.to_string())
        .bind(customer)
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// What is known of a customer without asking Stripe.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KnownCustomer {
    /// Whether it is somebody's, or its metadata named somebody.
    pub is_named: bool,
    /// Whether it bought something once.
    pub has_purchases: bool,
    /// Its subscriptions that have not ended.
    pub running: Vec<String>,
    /// Of those that have ended, the one that was read last.
    pub ended: Option<String>,
}

/// As it is now; nobody changes it before the transaction ends if [`hold_customer`] was asked for.
pub async fn known_customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<KnownCustomer, sqlx::Error> {
    sqlx::query_as(
        "WITH known AS MATERIALIZED (
             SELECT subscription_id, synced_at, status = ANY ($4) AS has_ended FROM subscriptions
              WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3)
         SELECT EXISTS (SELECT FROM member_links WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3)
                    OR EXISTS (SELECT FROM customers WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3
                                  AND named_user_id IS NOT NULL) AS is_named,
                -- What was only noted from a list gives nothing.
                EXISTS (SELECT FROM purchases WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3
                           AND (invoice_id IS NULL OR refund IS NOT NULL)) AS has_purchases,
                ARRAY (SELECT subscription_id FROM known WHERE NOT has_ended ORDER BY subscription_id) AS running,
                (SELECT subscription_id FROM known WHERE has_ended ORDER BY synced_at DESC LIMIT 1) AS ended",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .bind(SubscriptionStatus::ENDED.map(|status| status.as_str().to_owned()).to_vec())
    .fetch_one(tenant.db())
    .await
}

/// Of subscriptions as Stripe lists them, with their statuses, those that are not known with that status.
pub async fn not_known_so(
    tenant: &mut Tenant,
    connection: ConnectionId,
    listed: &[(String, String)],
) -> Result<Vec<String>, sqlx::Error> {
    let (ids, statuses): (Vec<&str>, Vec<&str>) =
        listed.iter().map(|(id, status)| (id.as_str(), status.as_str())).unzip();
    sqlx::query_scalar(
        "SELECT id FROM unnest($3::text[], $4::text[]) AS listed (id, status)
          WHERE NOT EXISTS (SELECT FROM subscriptions s WHERE s.guild_id = $1 AND s.connection_id = $2
                               AND s.subscription_id = listed.id AND s.status = listed.status)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(ids)
    .bind(statuses)
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
