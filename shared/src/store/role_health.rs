//! Roles that Discord does not let the bot manage.

use std::time::Duration;

use super::activity_log;
use crate::{
    db::tenant::Tenant,
    domain::activity::{Activity, ActivityEntry},
    ids::RoleId,
};

/// A role can be managed, or is gone: what waited for it goes on.
pub async fn clear(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    let healthy: bool = sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM role_health WHERE guild_id = $1 AND role_id = $2)",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_one(tenant.db())
    .await?;
    if healthy { Ok(()) } else { release_role(tenant, role).await }
}

/// Discord refused a role with this code. The activity log is told the first time.
pub async fn refused(
    tenant: &mut Tenant,
    role: RoleId,
    probe_in: Duration,
    code: u32,
) -> Result<(), sqlx::Error> {
    let is_new: bool = sqlx::query_scalar(
        "INSERT INTO role_health (guild_id, role_id, reason, code, next_probe_at)
         VALUES ($1, $2, 'Discord answers 403 with code ' || $4::integer::text, $4,
                 clock_timestamp() + make_interval(secs => $3))
         ON CONFLICT (guild_id, role_id) DO UPDATE SET next_probe_at = excluded.next_probe_at, reason = excluded.reason,
                                                            code = excluded.code
         RETURNING xmax = 0",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(probe_in.as_secs_f64())
    .bind(code.cast_signed())
    .fetch_one(tenant.db())
    .await?;
    if !is_new {
        return Ok(());
    }
    let detail = Some(format!("role {role}: Discord answers 403 with code {code}"));
    activity_log::record(tenant, ActivityEntry { detail, ..Activity::RoleRefused.into() }).await
}

/// Makes a role's parked jobs pending: the role can be managed again, or somebody says so.
pub async fn release_role(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    // Jobs first, as in a turn.
    sqlx::query(
        "UPDATE role_jobs SET state = 'pending', due_at = now()
          WHERE guild_id = $1 AND role_id = $2 AND state = 'parked'",
    )
    .bind(tenant.guild())
    .bind(role)
    .execute(tenant.db())
    .await?;
    sqlx::query("DELETE FROM role_health WHERE guild_id = $1 AND role_id = $2")
        .bind(tenant.guild())
        .bind(role)
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// Of each role that Discord refused, one job is made pending, and its call finds out whether that is over: somebody may have
/// fixed it unheard.
pub async fn probe_parked_roles(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    // Jobs first, as in a turn.
    sqlx::query(
        "UPDATE role_jobs SET state = 'pending', due_at = now()
          WHERE guild_id = $1 AND job_id IN (
              -- The one that is due first: those that wait for their member wait for longer, and would not probe the role.
              SELECT DISTINCT ON (j.role_id) j.job_id FROM role_jobs j JOIN role_health USING (guild_id, role_id)
               WHERE j.guild_id = $1 AND j.state = 'parked' ORDER BY j.role_id, j.due_at, j.job_id)",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    sqlx::query("UPDATE role_health SET next_probe_at = now() WHERE guild_id = $1 AND next_probe_at > now()")
        .bind(tenant.guild())
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// Whether a role can be managed is found out by the next call for it.
pub async fn probe_now(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE role_health SET next_probe_at = now() WHERE guild_id = $1 AND role_id = $2 AND next_probe_at > now()",
    )
    .bind(tenant.guild())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The roles of a guild that are parked.
pub async fn parked_roles(tenant: &mut Tenant) -> Result<Vec<RoleId>, sqlx::Error> {
    sqlx::query_scalar("SELECT role_id FROM role_health WHERE guild_id = $1")
        .bind(tenant.guild())
        .fetch_all(tenant.db())
        .await
}
