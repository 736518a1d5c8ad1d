//! The mirror of what an owner sells.

use crate::db::tenant::Tenant;
use crate::{
    domain::{
        billing::catalogue::{Catalogue, PaymentLink},
        roles::enforcement::Enforcement,
    },
    ids::{ConnectionId, PriceId, RoleId},
};

/// Replaces the mirror by what was read. One statement per table, however much is sold: a lock that ingest needs is held meanwhile.
pub async fn replace(
    tenant: &mut Tenant,
    connection: ConnectionId,
    read: &Catalogue,
) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM prices WHERE guild_id = $1 AND connection_id = $2",
        "DELETE FROM payment_links WHERE guild_id = $1 AND connection_id = $2",
    ] {
        sqlx::query(statement).bind(tenant.guild()).bind(connection).execute(tenant.db()).await?;
    }
    let prices = &read.prices;
    sqlx::query(
        "INSERT INTO prices (guild_id, connection_id, price_id, product_id, product_name, currency, unit_amount,
                             interval, interval_count)
         SELECT $1, $2, price.*
           FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::integer[]) AS price
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(prices.iter().map(|price| price.id.as_str()).collect::<Vec<_>>())
    .bind(prices.iter().map(|price| price.product.as_str()).collect::<Vec<_>>())
    .bind(prices.iter().map(|price| price.product_name.as_deref()).collect::<Vec<_>>())
    .bind(prices.iter().map(|price| price.currency.as_deref()).collect::<Vec<_>>())
    .bind(prices.iter().map(|price| price.unit_amount).collect::<Vec<_>>())
    .bind(prices.iter().map(|price| price.interval.as_deref()).collect::<Vec<_>>())
    .bind(prices.iter().map(|price| price.interval_count).collect::<Vec<_>>())
    .execute(tenant.db())
    .await?;
    let links = &read.payment_links;
    // Arrays of arrays lose their inner borders, and of all characters only control characters are in no id.
    let sold = |link: &PaymentLink| link.prices.iter().map(PriceId::as_str).collect::<Vec<_>>().join("\n");
    sqlx::query(
        "INSERT INTO payment_links (guild_id, connection_id, payment_link_id, url, price_ids, redirect_url)
         SELECT $1, $2, link.id, link.url, string_to_array(link.sold, E'\\n'), link.redirect_url
           FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS link (id, url, sold, redirect_url)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(links.iter().map(|link| link.id.as_str()).collect::<Vec<_>>())
    .bind(links.iter().map(|link| link.url.as_str()).collect::<Vec<_>>())
    .bind(links.iter().map(sold).collect::<Vec<_>>())
    .bind(links.iter().map(|link| link.redirect_url.as_deref()).collect::<Vec<_>>())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// A price with what it gives.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Offer {
    /// `prod_…`
    pub product_id: String,
    /// As the owner named it at Stripe.
    pub product_name: Option<String>,
    /// `price_…`
    pub price_id: String,
    /// ISO 4217, lower-case.
    pub currency: Option<String>,
    /// In the smallest unit.
    pub unit_amount: Option<i64>,
    /// `None`: paid once.
    pub interval: Option<String>,
    /// A payment every so many `interval`s.
    pub interval_count: Option<i32>,
    /// The mapped role; one line per role.
    pub role_id: Option<RoleId>,
    /// Whether that role follows payments.
    pub enforcement: Option<Enforcement>,
}

/// What a guild's owner sells, by product, and which role each price gives.
pub async fn offers(tenant: &mut Tenant) -> Result<Vec<Offer>, sqlx::Error> {
    sqlx::query_as(
        "SELECT DISTINCT p.product_id, p.product_name, p.price_id, p.currency, p.unit_amount, p.interval,
                p.interval_count, m.role_id, r.enforcement
           FROM prices p
           LEFT JOIN role_mappings m ON m.guild_id = p.guild_id
                AND m.source_id = CASE m.source_kind WHEN 'price' THEN p.price_id ELSE p.product_id END
           LEFT JOIN mapped_roles r ON (r.guild_id, r.role_id) = (m.guild_id, m.role_id)
          WHERE p.guild_id = $1
          ORDER BY p.product_name, p.product_id, p.unit_amount, p.price_id, m.role_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Link {
    /// Where buyers are sent to.
    pub url: String,
    /// What is sold.
    pub price_ids: Vec<String>,
    /// Where a buyer lands afterwards.
    pub redirect_url: Option<String>,
}

/// A guild's payment links.
pub async fn links(tenant: &mut Tenant) -> Result<Vec<Link>, sqlx::Error> {
    sqlx::query_as("SELECT url, price_ids, redirect_url FROM payment_links WHERE guild_id = $1 ORDER BY url")
        .bind(tenant.guild())
        .fetch_all(tenant.db())
        .await
}
