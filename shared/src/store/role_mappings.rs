//! Which price or product gives which role.

use std::{collections::BTreeSet, time::Duration};

use super::{audit_log, guild_roles, mapped_roles, stripe_events::ObjectKind, stripe_sync};
use crate::db::tenant::Tenant;
use crate::{
    domain::{
        audit::{Actor, AuditAction, AuditEntry, Change},
        billing::subscription::Items,
    },
    ids::{ConnectionId, PriceId, ProductId, RoleId},
};

/// Between the reads that a new mapping asks for: somebody may buy meanwhile, and Stripe allows 25 a second.
const SPACING: Duration = Duration::from_millis(50);

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sold {
    /// One price.
    Price(PriceId),
    /// Every price of a product.
    Product(ProductId),
}

impl Sold {
    fn kind(&self) -> &'static str {
        match self {
            Self::Price(_) => "price",
            Self::Product(_) => "product",
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::Price(id) => id.as_str(),
            Self::Product(id) => id.as_str(),
        }
    }
}

/// Keeps mappings from changing until the transaction ends. Whoever reads them to decide holds this; whoever changes them
/// waits for those, so that no read falls between "which subscriptions are concerned" and the change.
pub async fn hold(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock_shared($1)").bind(tenant.guild()).execute(tenant.db()).await?;
    Ok(())
}

/// What came of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adding {
    /// It is there now, and concerns so many known subscriptions, which are read again.
    Added(usize),
    /// It was there.
    AlreadySo,
    /// The role must not be given, for this reason; nothing is written.
    Dangerous(String),
}

/// Adds a mapping, and has every known subscription that it concerns read again. A role that nobody has looked at yet is taken:
/// it is not given before it was looked at.
pub async fn add(tenant: &mut Tenant, sold: &Sold, role: RoleId) -> Result<Adding, sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(tenant.guild()).execute(tenant.db()).await?;
    if let Some(danger) = guild_roles::danger(tenant, role).await? {
        return Ok(Adding::Dangerous(danger));
    }
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
    if inserted.rows_affected() == 0 {
        return Ok(Adding::AlreadySo);
    }
    mapped_roles::ensure(tenant, role).await?;
    let cause = format!("{} {}", sold.kind(), sold.id());
    let change = Change::default()
        .field("source_kind", None, Some(sold.kind()))
        .field("source_id", None, Some(sold.id()))
        .field("role_id", None, Some(role));
    let entry = AuditEntry::new(Actor::Operator, AuditAction::MappingAdded, cause).role(role).change(change);
    audit_log::record(tenant, &entry).await?;
    let concerned: Vec<(ConnectionId, Vec<String>)> = sqlx::query_as(
        "SELECT connection_id, array_agg(subscription_id) FROM subscriptions
          WHERE guild_id = $1 AND CASE $2 WHEN 'price' THEN price_ids ELSE product_ids END @> ARRAY[$3]
          GROUP BY connection_id ORDER BY connection_id",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .fetch_all(tenant.db())
    .await?;
    let mut count = 0;
    // Connections in order, and ids in order within each: like everybody who marks objects.
    for (id, subscriptions) in concerned {
        count += subscriptions.len();
        stripe_sync::mark_dirty_slowly(tenant, id, ObjectKind::Subscription, &subscriptions, SPACING).await?;
    }
    Ok(Adding::Added(count))
}

/// The roles that these items give.
pub async fn roles_of(tenant: &mut Tenant, items: &Items) -> Result<BTreeSet<RoleId>, sqlx::Error> {
    let items = items.as_slice();
    let roles: Vec<RoleId> = sqlx::query_scalar(
        "SELECT role_id FROM role_mappings
          WHERE guild_id = $1 AND ((source_kind = 'price' AND source_id = ANY ($2))
                                OR (source_kind = 'product' AND source_id = ANY ($3)))",
    )
    .bind(tenant.guild())
    .bind(items.iter().map(|item| item.price.to_string()).collect::<Vec<_>>())
    .bind(items.iter().filter_map(|item| Some(item.product.as_ref()?.to_string())).collect::<Vec<_>>())
    .fetch_all(tenant.db())
    .await?;
    Ok(roles.into_iter().collect())
}
