//! What a server sells by Payment Links that gives a role, and what of it somebody has already. In: a member. Out: a row for each price of
//! each link.

use sqlx::FromRow;

use crate::{
    db::tenant::Tenant,
    ids::{ConnectionId, PaymentLinkId, UserId},
};

/// A price of a link.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Sold {
    pub connection_id: ConnectionId,
    pub payment_link_id: PaymentLinkId,
    /// Where everybody buys.
    pub url: String,
    pub product_name: Option<String>,
    pub currency: Option<String>,
    pub unit_amount: Option<i64>,
    /// `None`: paid once, or a price that we have not read.
    pub interval: Option<String>,
    pub interval_count: Option<i32>,
    /// Whether it gives a role that is turned on.
    pub gives_role: bool,
    /// Whether they subscribe to it, or to the same in other rates, and it has not ended.
    pub is_subscribed: bool,
    /// Where the connection's members manage what they pay for: what the owner pasted, and what was read.
    pub portal_url: Option<String>,
    pub portal_read: Option<String>,
    pub portal_login_url: Option<String>,
}

/// Of active connections; of live ones only, where there is one. The prices of a link follow each other, as in the link.
pub async fn of_member(tenant: &mut Tenant, member: UserId) -> Result<Vec<Sold>, sqlx::Error> {
    sqlx::query_as(
        "WITH theirs AS MATERIALIZED (
             SELECT s.connection_id, s.price_ids, s.product_ids
               FROM subscriptions s LEFT JOIN member_links l USING (guild_id, connection_id, customer_id)
              WHERE s.guild_id = $1 AND coalesce(s.user_id, l.user_id) = $2 AND s.missing_since IS NULL
                AND s.status NOT IN ('canceled', 'incomplete_expired')),
         active AS MATERIALIZED (
             SELECT connection_id, portal_url FROM stripe_connections
              WHERE guild_id = $1 AND state = 'active'
                AND livemode = (SELECT bool_or(livemode) FROM stripe_connections WHERE guild_id = $1 AND state = 'active'))
         SELECT k.connection_id, k.payment_link_id, k.url, p.product_name, p.currency, p.unit_amount, p.interval, p.interval_count,
                EXISTS (SELECT FROM role_mappings m JOIN mapped_roles r USING (guild_id, role_id)
                         WHERE m.guild_id = $1 AND r.enforcement = 'on'
                           AND m.source_id = CASE m.source_kind WHEN 'price' THEN sold.price_id ELSE p.product_id END) AS gives_role,
                p.interval IS NOT NULL
                AND EXISTS (SELECT FROM theirs t
                             WHERE t.connection_id = k.connection_id
                               AND (sold.price_id = ANY (t.price_ids) OR p.product_id = ANY (t.product_ids))) AS is_subscribed,
                a.portal_url, c.portal_read, c.portal_login_url
           FROM payment_links k JOIN active a USING (connection_id)
           LEFT JOIN stripe_cursors c ON c.guild_id = $1 AND c.connection_id = k.connection_id
           CROSS JOIN unnest(k.price_ids) WITH ORDINALITY AS sold (price_id, place)
           LEFT JOIN prices p ON (p.guild_id, p.connection_id, p.price_id) = ($1, k.connection_id, sold.price_id)
          WHERE k.guild_id = $1
          ORDER BY k.connection_id, k.payment_link_id COLLATE \"C\", place",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
}
