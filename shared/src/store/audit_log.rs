//! The audit log. Append-only: triggers refuse everything else, but that a person in it is forgotten.

use crate::db::tenant::Tenant;
use crate::{domain::audit::AuditEntry, ids::UserId};

/// Writes one entry, in the transaction that it describes.
pub async fn record(tenant: &mut Tenant, entry: &AuditEntry) -> Result<(), sqlx::Error> {
    let change = if entry.change.is_empty() { None } else { Some(sqlx::types::Json(&entry.change)) };
    sqlx::query(
        "INSERT INTO audit_log (guild_id, actor, action, user_id, role_id, cause, address, change)
         VALUES ($1, $2, $3, $4, $5, $6, $7::inet, $8)",
    )
    .bind(tenant.guild())
    .bind(entry.actor.as_str())
    .bind(entry.action.as_str())
    .bind(entry.user)
    .bind(entry.role)
    .bind(&entry.cause)
    .bind(entry.address.map(|address| address.to_string()))
    .bind(change)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Writes the same entry about each of many members.
pub async fn record_about(
    tenant: &mut Tenant,
    entry: &AuditEntry,
    users: &[UserId],
) -> Result<(), sqlx::Error> {
    let change = if entry.change.is_empty() { None } else { Some(sqlx::types::Json(&entry.change)) };
    sqlx::query(
        "INSERT INTO audit_log (guild_id, actor, action, user_id, role_id, cause, address, change)
         SELECT $1, $2, $3, user_id, $5, $6, $7::inet, $8 FROM unnest($4::bigint[]) AS users (user_id) ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(entry.actor.as_str())
    .bind(entry.action.as_str())
    .bind(users.iter().map(|user| user.to_i64()).collect::<Vec<_>>())
    .bind(entry.role)
    .bind(&entry.cause)
    .bind(entry.address.map(|address| address.to_string()))
    .bind(change)
    .execute(tenant.db())
    .await?;
    Ok(())
}
