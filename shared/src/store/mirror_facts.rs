//! What was read from Stripe, as our rows have it, so that access can be derived from it again without a read. In: ids. Out: facts, as far
//! as the rows keep what decides.

use serde::Deserialize;
use sqlx::types::Json;

use super::stripe_mirror::Kept;
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        billing::{
            page::LatestInvoice,
            purchase::{PurchaseFact, PurchaseStatus},
            reversal::{Dispute, Refund, Reversal},
            subscription::{
                Afterwards, CollectionPause, CustomerFact, Item, Items, SubscriptionFact, SubscriptionStatus,
            },
        },
        stripe_object::{Object, ObjectKind},
    },
    ids::{CheckoutSessionId, ConnectionId, CustomerId, PriceId, ProductId, SubscriptionId, UserId},
};

/// Everything of a connection that was read, or gives access: a page of it, after `after`, in order. An empty page is the end.
pub async fn page(
    tenant: &mut Tenant,
    connection: ConnectionId,
    after: Option<&Object>,
    limit: i64,
) -> Result<Vec<Object>, sqlx::Error> {
    let rows: Vec<(ObjectKind, String)> = sqlx::query_as(
        "SELECT kind, id FROM (
             SELECT 'subscription' AS kind, subscription_id AS id FROM subscriptions WHERE guild_id = $1 AND connection_id = $2
             UNION SELECT 'checkout_session', session_id FROM purchases WHERE guild_id = $1 AND connection_id = $2
             UNION SELECT stripe_object, source_id FROM access_sources
                    WHERE guild_id = $1 AND connection_id = $2 AND kind = 'stripe' AND state = 'live') AS known
          WHERE (kind COLLATE \"C\", id COLLATE \"C\") > (coalesce($3, ''), coalesce($4, ''))
          ORDER BY kind COLLATE \"C\", id COLLATE \"C\" LIMIT $5",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(after.map(|object| object.kind.as_str()))
    .bind(after.map(|object| &object.id))
    .bind(limit)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into_iter().map(|(kind, id)| Object { kind, id }).collect())
}

/// Whether something may give access, or does as far as is written down: not what has ended for good, and gives nothing.
pub async fn may_give(
    tenant: &mut Tenant,
    connection: ConnectionId,
    object: &Object,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM access_sources
                         WHERE guild_id = $1 AND connection_id = $2 AND stripe_object = $3 AND source_id = $4 AND kind = 'stripe'
                           AND state = 'live')
             OR $3 = 'subscription'
                AND EXISTS (SELECT FROM subscriptions
                             WHERE guild_id = $1 AND connection_id = $2 AND subscription_id = $4 AND missing_since IS NULL
                               AND status <> ALL ($5))
             OR $3 = 'checkout_session'
                AND EXISTS (SELECT FROM purchases
                             WHERE guild_id = $1 AND connection_id = $2 AND session_id = $4 AND missing_since IS NULL AND status = $6)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(object.kind.as_str())
    .bind(&object.id)
    .bind(SubscriptionStatus::ENDED.map(|status| status.as_str().to_owned()).to_vec())
    .bind(PurchaseStatus::Paid.as_str())
    .fetch_one(tenant.db())
    .await
}

#[derive(sqlx::FromRow)]
struct SubscriptionRow {
    status: String,
    items: Option<Json<Vec<KeptItem>>>,
    current_period_end: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    collection_pause: Option<String>,
    user_id: Option<UserId>,
    unpaid_since: Option<Timestamp>,
    paid_invoice_at: Option<Timestamp>,
    customer_id: CustomerId,
    deleted: bool,
    named_user_id: Option<UserId>,
    has_reversals: bool,
}

/// An item, as far as it decides.
#[derive(Deserialize)]
struct KeptItem {
    price: String,
    product: Option<String>,
    quantity: Option<u64>,
    afterwards: Option<KeptAfterwards>,
}

#[derive(Deserialize)]
struct KeptAfterwards {
    price: String,
    product: Option<String>,
}

impl KeptItem {
    fn item(self) -> Option<Item> {
        let product = |id: Option<String>| id.map(|id| id.parse::<ProductId>()).transpose().ok();
        let afterwards = match self.afterwards {
            Some(it) => Some(Afterwards { price: it.price.parse().ok()?, product: product(it.product)? }),
            None => None,
        };
        let item = Item::new(self.price.parse().ok()?, product(self.product)?, self.quantity);
        Some(Item { afterwards, ..item })
    }
}

/// A subscription as it was read last; `None`: there is none, Stripe says that it has none such, or its rows do not keep all that decides.
/// That is: while it is paid for, all its items are known, and nothing of its payment went back, they do.
pub async fn subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    id: &SubscriptionId,
) -> Result<Option<(SubscriptionFact, Kept)>, sqlx::Error> {
    let row: Option<SubscriptionRow> = sqlx::query_as(
        "SELECT s.status, s.items, s.current_period_end, s.ends_at, s.collection_pause, s.user_id, s.unpaid_since, s.paid_invoice_at,
                s.customer_id, c.deleted, c.named_user_id,
                EXISTS (SELECT FROM payment_reversals r
                         WHERE (r.guild_id, r.connection_id, r.subscription_id) = (s.guild_id, s.connection_id, s.subscription_id)
                           AND (s.paid_invoice_at IS NULL OR r.invoiced_at >= s.paid_invoice_at)) AS has_reversals
           FROM subscriptions s JOIN customers c USING (guild_id, connection_id, customer_id)
          WHERE s.guild_id = $1 AND s.connection_id = $2 AND s.subscription_id = $3 AND s.missing_since IS NULL",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(id)
    .fetch_optional(tenant.db())
    .await?;
    Ok(row.and_then(|row| row.read(id)))
}

impl SubscriptionRow {
    fn read(self, id: &SubscriptionId) -> Option<(SubscriptionFact, Kept)> {
        let items: Option<Vec<Item>> = self.items?.0.into_iter().map(KeptItem::item).collect();
        let kept = Kept {
            user_id: self.user_id,
            unpaid_since: self.unpaid_since,
            paid_invoice_at: self.paid_invoice_at,
        };
        let fact = SubscriptionFact {
            id: id.clone(),
            customer: CustomerFact {
                id: self.customer_id,
                deleted: self.deleted,
                discord_user: self.named_user_id,
                id_keys: None,
            },
            status: SubscriptionStatus::parse(&self.status),
            pause: None,
            collection: self.collection_pause.as_deref().map(CollectionPause::parse),
            collection_resumes_at: None,
            unpaid_since: self.unpaid_since,
            paid_since: None,
            never_paid: false,
            trial: None,
            items: Items::All(items?),
            discounts: None,
            paid_invoice_at: self.paid_invoice_at,
            latest_invoice: LatestInvoice::NotShown,
            is_managed: false,
            current_period_end: self.current_period_end,
            ends_at: self.ends_at,
            discord_user: self.user_id,
            // They decide nothing.
            id_keys: Vec::new(),
            application_fee: None,
        };
        (fact.is_paid() && !self.has_reversals).then_some((fact, kept))
    }
}

#[derive(sqlx::FromRow)]
struct PurchaseRow {
    status: String,
    price_ids: Vec<String>,
    product_ids: Vec<String>,
    paid_at: Option<Timestamp>,
    refund: Option<String>,
    dispute: Option<String>,
    user_id: Option<UserId>,
    customer_id: Option<CustomerId>,
    deleted: Option<bool>,
    named_user_id: Option<UserId>,
}

/// A purchase as it was read last; `None` as of a subscription: while it is paid, and nothing went back of it, its rows keep all that
/// decides.
pub async fn purchase(
    tenant: &mut Tenant,
    connection: ConnectionId,
    id: &CheckoutSessionId,
) -> Result<Option<PurchaseFact>, sqlx::Error> {
    let row: Option<PurchaseRow> = sqlx::query_as(
        "SELECT p.status, p.price_ids, p.product_ids, p.paid_at, p.refund, p.dispute, p.user_id, p.customer_id, c.deleted, c.named_user_id
           FROM purchases p LEFT JOIN customers c USING (guild_id, connection_id, customer_id)
          WHERE p.guild_id = $1 AND p.connection_id = $2 AND p.session_id = $3 AND p.missing_since IS NULL",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(id)
    .fetch_optional(tenant.db())
    .await?;
    Ok(row.and_then(|row| row.read(id)))
}

impl PurchaseRow {
    fn read(self, id: &CheckoutSessionId) -> Option<PurchaseFact> {
        let prices: Option<Vec<PriceId>> = self.price_ids.iter().map(|id| id.parse().ok()).collect();
        let products: Option<Vec<ProductId>> = self.product_ids.iter().map(|id| id.parse().ok()).collect();
        let (prices, products) = (prices?, products?);
        // Which price is of which product does not decide: something is mapped to either.
        let mut products = products.into_iter();
        let items = prices.into_iter().map(|price| Item::new(price, products.next(), None)).collect();
        // More products than prices: not as it is written.
        if products.next().is_some() {
            return None;
        }
        let customer = self.customer_id.map(|id| CustomerFact {
            id,
            deleted: self.deleted.unwrap_or(false),
            discord_user: self.named_user_id,
            id_keys: None,
        });
        let refund = Refund::parse(self.refund.as_deref().unwrap_or("unknown"));
        let nothing_went_back =
            refund == Refund::None && self.dispute.as_deref() == Some(Dispute::None.as_str());
        let fact = PurchaseFact {
            id: id.clone(),
            customer,
            status: PurchaseStatus::Paid,
            // How many were bought is not kept.
            items: Items::Some(items),
            invoice: None,
            total: None,
            currency: None,
            paid_at: self.paid_at,
            reversal: Reversal::NONE,
            discord_user: self.user_id,
            id_keys: Vec::new(),
        };
        (self.status == PurchaseStatus::Paid.as_str() && nothing_went_back).then_some(fact)
    }
}
