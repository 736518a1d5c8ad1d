//! The audit log. Append-only: a trigger refuses everything else.

use sqlx::PgConnection;

use crate::{domain::audit::AuditEntry, ids::GuildId};

/// Writes one entry, in the transaction that it describes.
pub async fn record(db: &mut PgConnection, guild: GuildId, entry: &AuditEntry) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit_log (guild_id, actor, action, user_id, role_id, cause) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(guild)
    .bind(entry.actor.as_str())
    .bind(entry.action.as_str())
    .bind(entry.user)
    .bind(entry.role)
    .bind(&entry.cause)
    .execute(db)
    .await?;
    Ok(())
}
