//! Who has joined and not accepted the server's rules yet, as far as the current session of the Gateway told.

use crate::{db::tenant::Tenant, ids::UserId};

/// They were heard to join so.
pub async fn add(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    // Only of guilds that use us; the bot may be in others.
    sqlx::query(
        "INSERT INTO pending_members (guild_id, user_id) SELECT guild_id, $2 FROM guilds WHERE guild_id = $1
         ON CONFLICT (guild_id, user_id) DO UPDATE SET heard_at = now()",
    )
    .bind(tenant.guild())
    .bind(member)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// They accepted, left, or joined without rules to accept; or are forgotten.
pub async fn remove(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM pending_members WHERE guild_id = $1 AND user_id = $2")
        .bind(tenant.guild())
        .bind(member)
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// A session begins: what happened before is not told.
pub async fn clear(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM pending_members WHERE guild_id = $1")
        .bind(tenant.guild())
        .execute(tenant.db())
        .await?;
    Ok(())
}
