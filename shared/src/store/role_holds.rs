//! Jobs that are held because they would take a role from too many within a day, and the roles of which some are.

use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    ids::{GuildId, RoleId, UserId},
};

/// Days after the first job was held on which the owner is reminded.
pub const REMINDER_DAYS: [i32; 3] = [1, 3, 7];

/// A job that is held.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeldJob {
    pub role_id: RoleId,
    pub user_id: UserId,
    /// Why the role was to be taken.
    pub cause: String,
    /// Why it is held.
    pub outcome: String,
    /// When the job was made.
    pub created_at: Timestamp,
}

/// All that is held of a guild; `role`: of that one; `member`: of that one.
pub async fn jobs(
    tenant: &mut Tenant,
    role: Option<RoleId>,
    member: Option<UserId>,
) -> Result<Vec<HeldJob>, sqlx::Error> {
    sqlx::query_as(
        "SELECT role_id, user_id, cause, coalesce(outcome, '') AS outcome, created_at FROM role_jobs
          WHERE guild_id = $1 AND state = 'held' AND role_id = coalesce($2, role_id) AND user_id = coalesce($3, user_id)
          ORDER BY role_id, cause, user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(member)
    .fetch_all(tenant.db())
    .await
}

/// Writes down that jobs of a role are held, and when the owner is reminded. `false`: it was known.
pub async fn begin(tenant: &mut Tenant, role: RoleId) -> Result<bool, sqlx::Error> {
    let begun = sqlx::query(
        "INSERT INTO role_holds (guild_id, role_id, remind_at) VALUES ($1, $2, clock_timestamp() + make_interval(days => $3))
         ON CONFLICT (guild_id, role_id) DO UPDATE SET since = clock_timestamp(), reminders = 0, remind_at = excluded.remind_at
             -- What was held before was answered, or is moot. An hour: the jobs of this turn are not written yet.
             WHERE role_holds.since < clock_timestamp() - interval '1 hour'
               AND NOT EXISTS (SELECT FROM role_jobs j WHERE j.state = 'held' AND j.guild_id = role_holds.guild_id
                                                         AND j.role_id = role_holds.role_id)",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(REMINDER_DAYS[0])
    .execute(tenant.db())
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// Guilds whose owner is to be reminded of what is held.
pub async fn guilds_to_remind(crossing: &mut Crossing, limit: i64) -> Result<Vec<GuildId>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT guild_id FROM role_holds WHERE remind_at <= now() LIMIT $1")
        .bind(limit)
        .fetch_all(crossing.db())
        .await
}

/// What an owner is reminded of.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Reminder {
    pub role_id: RoleId,
    /// How many jobs are held.
    pub held: i64,
    /// Since when.
    pub since: Timestamp,
}

/// Takes the reminders that are due: each once, whoever asks. A role of which nothing is held any more is forgotten.
pub async fn take_reminders(tenant: &mut Tenant) -> Result<Vec<Reminder>, sqlx::Error> {
    sqlx::query(
        "DELETE FROM role_holds h
          WHERE guild_id = $1 AND remind_at <= now()
            AND NOT EXISTS (SELECT FROM role_jobs j WHERE j.state = 'held' AND j.guild_id = h.guild_id AND j.role_id = h.role_id)",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    sqlx::query_as(
        "UPDATE role_holds h
            SET reminders = reminders + 1, remind_at = since + make_interval(days => ($2::int[])[reminders + 2])
          WHERE guild_id = $1 AND remind_at <= now()
         RETURNING role_id, since,
                   (SELECT count(*) FROM role_jobs j
                     WHERE j.state = 'held' AND j.guild_id = h.guild_id AND j.role_id = h.role_id) AS held",
    )
    .bind(tenant.guild())
    .bind(&REMINDER_DAYS[..])
    .fetch_all(tenant.db())
    .await
}

/// An owner approves what is held of these members; `role`: of that one. It is taken now. Answers which, and from whom.
///
/// Their access ended by the owner's act from here on, so that nothing holds it again; what they pay for later is not touched.
pub async fn approve(
    tenant: &mut Tenant,
    role: Option<RoleId>,
    members: &[UserId],
    outcome: &str,
) -> Result<Vec<(RoleId, UserId)>, sqlx::Error> {
    let mut approved: Vec<(RoleId, UserId)> = sqlx::query_as(
        "UPDATE role_jobs SET state = 'pending', due_at = clock_timestamp(), outcome = $4,
                -- Many do not go before those who buy now.
                origin = CASE WHEN cardinality($3::bigint[]) > 1 THEN 'bulk' ELSE 'command' END
          WHERE guild_id = $1 AND state = 'held' AND role_id = coalesce($2, role_id) AND user_id = ANY ($3)
         RETURNING role_id, user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(members)
    .bind(outcome)
    .fetch_all(tenant.db())
    .await?;
    approved.sort_unstable();
    approved.dedup();
    sqlx::query(
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, source_id, state, evidence, ended_by, stripe_object)
         SELECT $1, user_id, role_id, 'manual', 'owner', 'ended', $4, 'owner', NULL
           FROM unnest($2::bigint[], $3::bigint[]) AS approved (role_id, user_id) ORDER BY user_id, role_id
         ON CONFLICT (guild_id, user_id, role_id, kind, connection_id, source_id)
             DO UPDATE SET state = 'ended', evidence = excluded.evidence, ended_by = 'owner', changed_at = now(), valid_until = NULL,
                           reason = NULL
              -- What was given by hand meanwhile stays.
              WHERE access_sources.state = 'ended'",
    )
    .bind(tenant.guild())
    .bind(approved.iter().map(|(role, _)| role.to_i64()).collect::<Vec<_>>())
    .bind(approved.iter().map(|(_, user)| user.to_i64()).collect::<Vec<_>>())
    .bind(outcome)
    .execute(tenant.db())
    .await?;
    Ok(approved)
}

/// An owner refuses what is held of a role of these members. Answers who keeps the role; the caller gives them a reason for it.
pub async fn discard(
    tenant: &mut Tenant,
    role: RoleId,
    members: &[UserId],
    outcome: &str,
) -> Result<Vec<UserId>, sqlx::Error> {
    let mut kept: Vec<UserId> = sqlx::query_scalar(
        "UPDATE role_jobs SET state = 'discarded', outcome = $4, finished_at = clock_timestamp()
          WHERE guild_id = $1 AND state = 'held' AND role_id = $2 AND user_id = ANY ($3)
         RETURNING user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(members)
    .bind(outcome)
    .fetch_all(tenant.db())
    .await?;
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}

/// Forgets that jobs were held of roles of which none is any more.
pub async fn end(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM role_holds h
          WHERE guild_id = $1
            AND NOT EXISTS (SELECT FROM role_jobs j WHERE j.state = 'held' AND j.guild_id = h.guild_id AND j.role_id = h.role_id)",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    Ok(())
}
