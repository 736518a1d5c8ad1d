//! Which price or product gives which role.

use std::collections::BTreeSet;

use sqlx::types::Json;

use crate::db::tenant::Tenant;
use crate::{
    domain::{
        billing::subscription::Items,
        entitlement::{
            mapping::{Mapping, Sold},
            policy::Policy,
        },
    },
    ids::{ConnectionId, RoleId},
};

/// Keeps mappings from changing until the transaction ends. Whoever reads them to decide holds this; whoever changes them
/// waits for those, so that no read falls between "which subscriptions are concerned" and the change.
pub async fn hold(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock_shared($1)").bind(tenant.guild()).execute(tenant.db()).await?;
    Ok(())
}

/// The same for whoever is about to change them: it waits for those who hold them, and they for it.
pub async fn lock(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(tenant.guild()).execute(tenant.db()).await?;
    Ok(())
}

/// Adds a mapping; `false`: it was there.
pub async fn insert(tenant: &mut Tenant, sold: &Sold, role: RoleId) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO role_mappings (guild_id, source_kind, source_id, role_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Removes a mapping; `false`: there was none.
pub async fn delete(tenant: &mut Tenant, sold: &Sold, role: RoleId) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query(
        "DELETE FROM role_mappings WHERE guild_id = $1 AND source_kind = $2 AND source_id = $3 AND role_id = $4",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Whether anything is mapped to a role.
pub async fn has(tenant: &mut Tenant, role: RoleId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM role_mappings WHERE guild_id = $1 AND role_id = $2)")
        .bind(tenant.guild())
        .bind(role)
        .fetch_one(tenant.db())
        .await
}

/// The policy of a mapping; `None`: there is no such mapping.
pub async fn policy(tenant: &mut Tenant, sold: &Sold, role: RoleId) -> Result<Option<Policy>, sqlx::Error> {
    let found: Option<Option<Json<Policy>>> = sqlx::query_scalar(
        "SELECT policy FROM role_mappings WHERE guild_id = $1 AND source_kind = $2 AND source_id = $3 AND role_id = $4",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .bind(role)
    .fetch_optional(tenant.db())
    .await?;
    Ok(found.map(|policy| policy.map_or(Policy::DEFAULT, |Json(policy)| policy)))
}

/// Sets it, of a mapping that is there.
pub async fn set_policy(
    tenant: &mut Tenant,
    sold: &Sold,
    role: RoleId,
    policy: Policy,
) -> Result<(), sqlx::Error> {
    let overrides = policy.overrides();
    sqlx::query(
        "UPDATE role_mappings SET policy = $5
          WHERE guild_id = $1 AND source_kind = $2 AND source_id = $3 AND role_id = $4",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .bind(role)
    .bind((!overrides.is_empty()).then_some(Json(overrides)))
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// What was bought on one connection: ids of checkout sessions, then of subscriptions.
pub type Bought = (ConnectionId, Vec<String>, Vec<String>);

/// The known purchases and subscriptions that have it among their items, by connection, in the order in which objects are locked.
pub async fn buyers(tenant: &mut Tenant, sold: &Sold) -> Result<Vec<Bought>, sqlx::Error> {
    sqlx::query_as(
        "WITH bought AS (
             SELECT connection_id, session_id, NULL AS subscription_id FROM purchases
              WHERE guild_id = $1 AND CASE $2 WHEN 'price' THEN price_ids ELSE product_ids END @> ARRAY[$3]
             UNION ALL
             SELECT connection_id, NULL, subscription_id FROM subscriptions
              WHERE guild_id = $1 AND CASE $2 WHEN 'price' THEN price_ids ELSE product_ids END @> ARRAY[$3])
         SELECT connection_id, coalesce(array_agg(session_id) FILTER (WHERE session_id IS NOT NULL), '{}'),
                coalesce(array_agg(subscription_id) FILTER (WHERE subscription_id IS NOT NULL), '{}')
           FROM bought GROUP BY connection_id ORDER BY connection_id",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .fetch_all(tenant.db())
    .await
}

/// The mappings of these prices and products, without asking who has what.
pub async fn of_sold(
    tenant: &mut Tenant,
    prices: &[&str],
    products: &[&str],
) -> Result<Vec<Mapping>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT source_kind, source_id, role_id, policy FROM role_mappings
          WHERE guild_id = $1 AND ((source_kind = 'price' AND source_id = ANY ($2))
                                OR (source_kind = 'product' AND source_id = ANY ($3)))",
    )
    .bind(tenant.guild())
    .bind(prices)
    .bind(products)
    .fetch_all(tenant.db())
    .await?;
    rows.into_iter().map(Row::mapping).collect()
}

/// The mappings of these items, and all those of the roles in `held`.
pub async fn concerning(
    tenant: &mut Tenant,
    items: &Items,
    held: &BTreeSet<RoleId>,
) -> Result<Vec<Mapping>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT source_kind, source_id, role_id, policy FROM role_mappings
          WHERE guild_id = $1 AND ((source_kind = 'price' AND source_id = ANY ($2))
                                OR (source_kind = 'product' AND source_id = ANY ($3))
                                OR role_id = ANY ($4))",
    )
    .bind(tenant.guild())
    .bind(items.price_ids())
    .bind(items.product_ids())
    .bind(held.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
    .fetch_all(tenant.db())
    .await?;
    rows.into_iter().map(Row::mapping).collect()
}

#[derive(sqlx::FromRow)]
struct Row {
    source_kind: String,
    source_id: String,
    role_id: RoleId,
    policy: Option<Json<Policy>>,
}

impl Row {
    fn mapping(self) -> Result<Mapping, sqlx::Error> {
        let Self { source_kind: kind, source_id: id, role_id: role, policy } = self;
        let sold = Sold::parse(&kind, &id).ok_or_else(|| {
            sqlx::Error::Decode(format!("the mapping of {kind} {id} cannot be read").into())
        })?;
        Ok(Mapping { sold, role, policy: policy.map_or(Policy::DEFAULT, |Json(policy)| policy) })
    }
}
