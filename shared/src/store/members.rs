//! What the Gateway tells about members and guilds: turned into jobs, never into calls.

use std::time::Duration;

use sqlx::PgConnection;

use super::{activity_log, guild_gates, guild_roles, pending_members, role_health};
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    domain::{activity::Activity, job::JobOrigin},
    ids::{GuildId, UserId},
};

/// A member joined, re-joined or left: recheck every role that is due to them, that we gave them, or that waits
/// for them. Answers how many jobs were made; none for an unknown member.
pub async fn recheck(
    tenant: &mut Tenant,
    user: UserId,
    origin: JobOrigin,
    cause: &str,
) -> Result<u64, sqlx::Error> {
    // What waited for the member is answered by the new jobs; so is an earlier joining, which would be believed after they left again.
    sqlx::query(
        "UPDATE role_jobs SET state = 'superseded', outcome = $3, finished_at = now()
          WHERE guild_id = $1 AND user_id = $2 AND (state = 'parked' OR state = 'pending' AND origin = 'join')",
    )
    .bind(tenant.guild())
    .bind(user)
    .bind(cause)
    .execute(tenant.db())
    .await?;
    let made = sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
         SELECT $1, $2, role_id, 'resync', $4, $3 FROM (
             SELECT role_id FROM access_sources WHERE guild_id = $1 AND user_id = $2 AND state = 'live'
             UNION
             SELECT role_id FROM role_grants WHERE guild_id = $1 AND user_id = $2) AS ours",
    )
    .bind(tenant.guild())
    .bind(user)
    .bind(cause)
    .bind(origin)
    .execute(tenant.db())
    .await?;
    Ok(made.rows_affected())
}

/// The bot is in the guild (again): open the gate if that was why it is closed, or is about to be, check newly mapped
/// roles, read what all roles may do, and find out whether roles that Discord refused can be managed now. A rate limit's pause
/// stays.
pub async fn guild_available(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    if guild_gates::is_away(tenant).await? {
        activity_log::record(tenant, Activity::BotBack).await?;
    }
    guild_gates::invited(tenant).await?;
    sqlx::query("UPDATE mapped_roles SET look_at = now() WHERE guild_id = $1 AND enforcement = 'unseen'")
        .bind(tenant.guild())
        .execute(tenant.db())
        .await?;
    pending_members::clear(tenant).await?;
    guild_roles::hint(tenant).await?;
    guild_roles::request_read(tenant).await?;
    role_health::probe_parked_roles(tenant).await
}

/// The bot was removed from the guild: nothing is tried until it is invited, but for a check now and then, since an invitation may
/// be missed.
pub async fn guild_removed(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    if !guild_gates::is_away(tenant).await? {
        activity_log::record(tenant, Activity::BotAway).await?;
    }
    guild_gates::removed(tenant).await?;
    guild_roles::removed(tenant).await
}

/// Compares roles that are due with Discord once more, of all guilds: those that nobody checked for `not_since`. Members may
/// have left and come back unheard. The checks are spread, four a second and guild, so that new jobs come in between. Answers
/// how many were made.
pub async fn sweep_all(crossing: &mut Crossing, not_since: Duration, limit: i64) -> Result<u64, sqlx::Error> {
    sweep(crossing.db(), None, not_since, limit).await
}

/// The same of every role of one guild.
pub async fn sweep_guild(tenant: &mut Tenant) -> Result<u64, sqlx::Error> {
    let guild = tenant.guild();
    sweep(tenant.db(), Some(guild), Duration::ZERO, i64::MAX).await
}

async fn sweep(
    db: &mut PgConnection,
    guild: Option<GuildId>,
    not_since: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let made = sqlx::query(
        "WITH due AS (
             SELECT guild_id, user_id, role_id, kind, connection_id, source_id FROM access_sources
              -- As its index has it.
              WHERE CASE WHEN state = 'live' THEN looked_at END <= now() - make_interval(secs => $2)
                AND guild_id BETWEEN coalesce($1, 0) AND coalesce($1, 9223372036854775807)
              ORDER BY CASE WHEN state = 'live' THEN looked_at END LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
         ), checked AS (
             UPDATE access_sources s SET looked_at = now() FROM due
              WHERE (s.guild_id, s.user_id, s.role_id, s.kind, s.source_id)
                  = (due.guild_id, due.user_id, due.role_id, due.kind, due.source_id)
                AND s.connection_id IS NOT DISTINCT FROM due.connection_id
             RETURNING s.guild_id, s.user_id, s.role_id
         )
         INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause, due_at)
         SELECT guild_id, user_id, role_id, 'resync', 'sweep', 'a regular check',
                now() + interval '250 ms' * row_number() OVER (PARTITION BY guild_id ORDER BY user_id, role_id)
           FROM (SELECT DISTINCT guild_id, user_id, role_id FROM checked) AS roles
          WHERE NOT EXISTS (SELECT FROM role_jobs j
                             WHERE j.state = 'pending' AND j.guild_id = roles.guild_id
                               AND j.user_id = roles.user_id AND j.role_id = roles.role_id)",
    )
    .bind(guild)
    .bind(not_since.as_secs_f64())
    .bind(limit)
    .execute(db)
    .await?;
    Ok(made.rows_affected())
}
