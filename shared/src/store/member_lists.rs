//! Whom a server's owner has to look at, each list by one statement: whose explanations make a list, and lists that our rows are
//! themselves: unlinked payers, who pays twice, fees of platforms, metadata that could be adopted. In: a tenant, how many rows. Out: rows,
//! and how many there are.

use sqlx::{FromRow, Row as _, postgres::PgRow};

use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{entitlement::policy::paying_statuses, explain::lists::PAID},
    ids::{ConnectionId, RoleId, UserId},
};

/// The first of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// How many there are in all.
    pub total: usize,
}

/// A row that says how many there are.
struct Counted<T> {
    row: T,
    total: i64,
}

impl<'r, T: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Counted<T> {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { row: T::from_row(row)?, total: row.try_get("total")? })
    }
}

impl<T> From<Vec<Counted<T>>> for Page<T> {
    fn from(rows: Vec<Counted<T>>) -> Self {
        let total = rows.first().map_or(0, |row| usize::try_from(row.total).unwrap_or(usize::MAX));
        Self { rows: rows.into_iter().map(|row| row.row).collect(), total }
    }
}

/// Members who pay, unless what they pay for gives them nothing but roles that Discord confirmed and nobody doubts. Who else is explained
/// in vain is no harm.
pub async fn payers(tenant: &mut Tenant) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT user_id FROM (
             SELECT a.user_id FROM access_sources a
              WHERE a.guild_id = $1 AND a.kind = 'stripe' AND a.state = 'live'
                AND NOT EXISTS (SELECT FROM role_grants g JOIN guild_roles r USING (guild_id, role_id)
                                 WHERE (g.guild_id, g.user_id, g.role_id) = (a.guild_id, a.user_id, a.role_id)
                                   AND g.state = 'confirmed' AND g.taken_at IS NULL AND g.absent_since IS NULL)
             UNION ALL
             SELECT coalesce(b.user_id, l.user_id)
               FROM (SELECT guild_id, connection_id, customer_id, subscription_id AS id, user_id FROM subscriptions
                      WHERE guild_id = $1 AND status = ANY ($2) AND missing_since IS NULL
                     UNION ALL
                     SELECT guild_id, connection_id, customer_id, session_id, user_id FROM purchases
                      WHERE guild_id = $1 AND status = ANY ($2) AND missing_since IS NULL) b
               LEFT JOIN member_links l USING (guild_id, connection_id, customer_id)
              WHERE NOT EXISTS (SELECT FROM access_sources a
                                 WHERE (a.guild_id, a.connection_id, a.source_id) = (b.guild_id, b.connection_id, b.id)
                                   AND a.state = 'live')) AS payers
          WHERE user_id IS NOT NULL ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(PAID.as_slice())
    .fetch_all(tenant.db())
    .await
}

/// Members of whom anything is known that may have given them a role.
pub async fn holders(tenant: &mut Tenant) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT user_id FROM access_sources WHERE guild_id = $1
         UNION SELECT user_id FROM role_grants WHERE guild_id = $1
         UNION SELECT user_id FROM follow_questions WHERE guild_id = $1
          ORDER BY user_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

/// Somebody pays, and nobody knows which member that is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unlinked {
    pub connection_id: ConnectionId,
    /// `None`: a guest.
    pub customer_id: Option<String>,
    /// `sub_…` or `cs_…`.
    pub id: String,
    pub status: String,
    pub price_ids: Vec<String>,
    /// Keys of its metadata, or its customer's, whose values look like Discord ids.
    pub id_keys: Vec<String>,
    /// By whose personal link they paid; nobody has said yet that it was them.
    pub paid_by_link_of: Option<UserId>,
}

/// By customer. `is_mapped`: of what gives a role, or of what gives none.
pub async fn unlinked(
    tenant: &mut Tenant,
    is_mapped: bool,
    most: i64,
) -> Result<Page<Unlinked>, sqlx::Error> {
    let rows: Vec<Counted<Unlinked>> = sqlx::query_as(
        "SELECT connection_id, customer_id, id, status, price_ids,
                ARRAY (SELECT DISTINCT key FROM unnest(own_keys || customers_keys) AS key ORDER BY key) AS id_keys,
                (SELECT max(t.user_id) FROM link_tokens t
                  WHERE (t.guild_id, t.connection_id, t.customer_id) = ($1, theirs.connection_id, theirs.customer_id)
                    AND t.state = 'pending') AS paid_by_link_of,
                count(*) OVER () AS total
           FROM (SELECT b.connection_id, b.customer_id, b.id, b.status, b.price_ids, b.id_keys AS own_keys, c.id_keys AS customers_keys,
                        EXISTS (SELECT FROM role_mappings m
                                 WHERE m.guild_id = $1
                                   AND m.source_id = ANY (CASE m.source_kind WHEN 'price' THEN b.price_ids ELSE b.product_ids END))
                            AS is_mapped
                   FROM (SELECT guild_id, connection_id, customer_id, subscription_id AS id, status, price_ids, product_ids, user_id,
                                missing_since, id_keys
                           FROM subscriptions WHERE guild_id = $1 AND status = ANY ($2)
                         UNION ALL
                         SELECT guild_id, connection_id, customer_id, session_id, status, price_ids, product_ids, user_id,
                                missing_since, id_keys
                           FROM purchases
                          WHERE guild_id = $1 AND status = 'paid' AND coalesce(refund, '') <> 'full'
                            AND coalesce(dispute, '') NOT IN ('open', 'lost')) b
                   JOIN stripe_connections s USING (guild_id, connection_id)
                   LEFT JOIN customers c USING (guild_id, connection_id, customer_id)
                  WHERE s.state = 'active' AND b.user_id IS NULL AND b.missing_since IS NULL
                    AND NOT EXISTS (SELECT FROM member_links l
                                     WHERE (l.guild_id, l.connection_id, l.customer_id)
                                         = (b.guild_id, b.connection_id, b.customer_id))) AS theirs
          WHERE is_mapped = $3 ORDER BY customer_id COLLATE \"C\" NULLS LAST, id COLLATE \"C\" LIMIT $4",
    )
    .bind(tenant.guild())
    .bind(paying_statuses())
    .bind(is_mapped)
    .bind(most)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into())
}

/// Somebody is charged by several subscriptions for the same role.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Double {
    /// `None`: nobody knows who it is, but it is one customer.
    pub user_id: Option<UserId>,
    /// Of who is no member.
    pub customer_id: Option<String>,
    pub subscriptions: Vec<String>,
    /// What each of them gives.
    pub role_ids: Vec<RoleId>,
}

/// Members first. What was cancelled, or is not collected, is not charged again.
pub async fn double(tenant: &mut Tenant, most: i64) -> Result<Page<Double>, sqlx::Error> {
    let rows: Vec<Counted<Double>> = sqlx::query_as(
        "WITH charged AS (
             SELECT coalesce(s.user_id, l.user_id) AS user_id, s.connection_id, s.customer_id, s.subscription_id, s.price_ids,
                    s.product_ids
               FROM subscriptions s JOIN stripe_connections c USING (guild_id, connection_id)
               LEFT JOIN member_links l USING (guild_id, connection_id, customer_id)
              WHERE s.guild_id = $1 AND c.state = 'active' AND s.status = ANY ($2) AND s.missing_since IS NULL
                AND s.ends_at IS NULL AND s.collection_pause IS NULL
         ), persons AS (
             SELECT user_id, CASE WHEN user_id IS NULL THEN connection_id END AS connection_id,
                    CASE WHEN user_id IS NULL THEN customer_id END AS customer_id, subscription_id, price_ids, product_ids
               FROM charged
         ), twice AS (
             SELECT user_id, connection_id, customer_id, m.role_id,
                    array_agg(DISTINCT subscription_id COLLATE \"C\" ORDER BY subscription_id COLLATE \"C\") AS subscriptions
               FROM persons p JOIN role_mappings m
                 ON m.guild_id = $1 AND m.source_id = ANY (CASE m.source_kind WHEN 'price' THEN p.price_ids ELSE p.product_ids END)
              GROUP BY user_id, connection_id, customer_id, m.role_id HAVING count(DISTINCT subscription_id) > 1
         )
         SELECT user_id, customer_id, subscriptions, array_agg(role_id ORDER BY role_id) AS role_ids, count(*) OVER () AS total
           FROM twice GROUP BY user_id, connection_id, customer_id, subscriptions
          ORDER BY user_id NULLS LAST, customer_id COLLATE \"C\", subscriptions LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(paying_statuses())
    .bind(most)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into())
}

/// A subscription of whose payments a platform takes a part.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Fee {
    pub subscription_id: String,
    pub customer_id: String,
    /// Whose it is; `None`: nobody knows.
    pub user_id: Option<UserId>,
    pub application_fee_percent: f64,
    /// When it ends by itself, and the fee with it.
    pub ends_at: Option<Timestamp>,
}

/// Of those that run, the highest first.
pub async fn fees(tenant: &mut Tenant, most: i64) -> Result<Page<Fee>, sqlx::Error> {
    let rows: Vec<Counted<Fee>> = sqlx::query_as(
        "SELECT s.subscription_id, s.customer_id, coalesce(s.user_id, l.user_id) AS user_id, s.application_fee_percent, s.ends_at,
                count(*) OVER () AS total
           FROM subscriptions s JOIN stripe_connections c USING (guild_id, connection_id)
           LEFT JOIN member_links l USING (guild_id, connection_id, customer_id)
          WHERE s.guild_id = $1 AND c.state = 'active' AND s.application_fee_percent IS NOT NULL AND s.status = ANY ($2)
            AND s.missing_since IS NULL
          ORDER BY s.application_fee_percent DESC, s.subscription_id COLLATE \"C\" LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(paying_statuses())
    .bind(most)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into())
}

/// What metadata is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum CarriedBy {
    /// One that runs.
    Subscription,
    /// One that pays, or paid once.
    Customer,
    /// A paid checkout session.
    Session,
}

/// A metadata key whose values look like Discord ids.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MetadataKey {
    pub carried_by: CarriedBy,
    pub key: String,
    /// How many carry it, of how many that were read since that is looked for.
    pub carry: i64,
    pub of: i64,
    /// How many of them are nobody's so far.
    pub unlinked: i64,
}

/// Those that most carry first; of what is paid for.
pub async fn metadata_keys(tenant: &mut Tenant, most: i64) -> Result<Page<MetadataKey>, sqlx::Error> {
    let rows: Vec<Counted<MetadataKey>> = sqlx::query_as(
        "WITH paid AS (
             SELECT b.*, coalesce(b.user_id, l.user_id) IS NULL AS is_unlinked
               FROM (SELECT 'subscription' AS carried_by, guild_id, connection_id, customer_id, user_id, missing_since, id_keys
                       FROM subscriptions WHERE guild_id = $1 AND status = ANY ($2)
                     UNION ALL
                     SELECT 'session', guild_id, connection_id, customer_id, user_id, missing_since, id_keys
                       FROM purchases WHERE guild_id = $1 AND status = 'paid') b
               JOIN stripe_connections s USING (guild_id, connection_id)
               LEFT JOIN member_links l USING (guild_id, connection_id, customer_id)
              WHERE s.state = 'active' AND b.missing_since IS NULL
         ), objects AS (
             SELECT carried_by, id_keys, is_unlinked FROM paid WHERE id_keys IS NOT NULL
             UNION ALL
             SELECT 'customer', c.id_keys, p.is_unlinked
               FROM (SELECT connection_id, customer_id, bool_or(is_unlinked) AS is_unlinked FROM paid
                      GROUP BY connection_id, customer_id) p
               JOIN customers c ON (c.guild_id, c.connection_id, c.customer_id) = ($1, p.connection_id, p.customer_id)
              WHERE c.id_keys IS NOT NULL AND NOT c.deleted
         ), counted AS (
             SELECT carried_by, count(*) AS of FROM objects GROUP BY carried_by
         )
         SELECT o.carried_by, k.key, count(*) AS carry, a.of, count(*) FILTER (WHERE o.is_unlinked) AS unlinked,
                count(*) OVER () AS total
           FROM objects o JOIN counted a USING (carried_by) CROSS JOIN unnest(o.id_keys) AS k (key)
          GROUP BY o.carried_by, k.key, a.of ORDER BY carry DESC, o.carried_by DESC, k.key COLLATE \"C\" LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(paying_statuses())
    .bind(most)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into())
}
