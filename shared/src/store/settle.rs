//! What a worker's turn with one guild came to, written in one transaction: gate, jobs, books, audit.

use std::time::Duration;

use uuid::Uuid;

use super::{
    activity_log,
    guild_gates::{self, Gate, Release},
    guild_roles,
    role_grants::{self, GrantChange},
    role_jobs,
};
use crate::db::tenant::Tenant;
use crate::{
    domain::{
        activity::{Activity, ActivityEntry},
        job::{JobAction, JobOrigin, JobState},
    },
    ids::{JobId, RoleId, UserId},
};

/// What becomes of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobUpdate {
    /// Which.
    pub id: JobId,
    /// Where it stands now.
    pub state: JobState,
    /// When it is due, from now; for `Pending` and `Parked`.
    pub due_in: Duration,
    /// 1 if this turn was a failure of the job, else 0.
    pub failures: u32,
    /// What happened, in words.
    pub outcome: String,
}

/// What we learned about our power over a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleHealth {
    /// Discord let us change it.
    Works(RoleId),
    /// Discord says that there is no such role: what was known about our power over it is moot, and the list of roles is read again.
    Gone(RoleId),
    /// Discord refused.
    Parked {
        /// Which.
        role: RoleId,
        /// Ask again after this.
        probe_in: Duration,
        /// With which code.
        code: u32,
    },
}

/// A turn's result.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lease's fence.
    pub owner: Uuid,
    /// How the guild is left.
    pub gate: Gate,
    /// Jobs; those not named stay as they are.
    pub jobs: Vec<JobUpdate>,
    /// Our books.
    pub grants: Vec<GrantChange>,
    /// Roles.
    pub roles: Vec<RoleHealth>,
    /// What Discord was asked to change, whatever came of it.
    pub called: Vec<(UserId, RoleId)>,
    /// Discord answered a call as it answers a bot that is in the guild: what it refused before is over.
    pub reached: bool,
}

/// Writes a turn's result; the caller commits. Fenced out: nothing of it is written, and what may have been changed at
/// Discord is looked at again by whoever comes next.
pub async fn settle(tenant: &mut Tenant, turn: &Settlement) -> Result<Release, sqlx::Error> {
    let is_away = matches!(turn.gate, Gate::Away(_));
    let left = is_away && !guild_gates::is_away(tenant).await?;
    // Also if one call was refused for a reason of its own: that call waits longer each time, the guild does not.
    let back = turn.reached && !is_away && guild_gates::reached(tenant, turn.owner).await?;
    if guild_gates::release(tenant, turn.owner, turn.gate).await? == Release::FencedOut {
        // A grant job, not a mere look: it is to be given back if our call took it away.
        for &(user, role) in &turn.called {
            let cause = "a worker lost its lease";
            role_jobs::enqueue(tenant, user, role, JobAction::Grant, JobOrigin::Command, cause).await?;
        }
        return Ok(Release::FencedOut);
    }
    if left {
        activity_log::record(tenant, Activity::BotAway).await?;
    }
    if back {
        activity_log::record(tenant, Activity::BotBack).await?;
    }
    // Before the jobs: who writes what was heard, or read, of a guild's roles locks them in that order, and frees a role's jobs.
    if turn.roles.iter().any(|role| matches!(role, RoleHealth::Gone(_))) {
        // Perhaps nobody heard of it: people are told by the list of roles.
        guild_roles::hint(tenant).await?;
        guild_roles::look(tenant).await?;
    }
    // A job that somebody else finished meanwhile stays as it is.
    sqlx::query(
        "UPDATE role_jobs j SET state = x.state, outcome = x.outcome, attempts = j.attempts + x.failures,
                due_at = clock_timestamp() + make_interval(secs => x.due_in),
                finished_at = CASE WHEN x.state IN ('pending', 'parked', 'held') THEN NULL ELSE clock_timestamp() END
           FROM unnest($2::bigint[], $3::text[], $4::text[], $5::int[], $6::float8[])
                AS x (job_id, state, outcome, failures, due_in)
          WHERE j.guild_id = $1 AND j.job_id = x.job_id AND j.state IN ('pending', 'parked')",
    )
    .bind(tenant.guild())
    .bind(turn.jobs.iter().map(|j| j.id.to_i64()).collect::<Vec<_>>())
    .bind(turn.jobs.iter().map(|j| j.state.as_str()).collect::<Vec<_>>())
    .bind(turn.jobs.iter().map(|j| j.outcome.as_str()).collect::<Vec<_>>())
    .bind(turn.jobs.iter().map(|j| i32::try_from(j.failures).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(turn.jobs.iter().map(|j| j.due_in.as_secs_f64()).collect::<Vec<_>>())
    .execute(tenant.db())
    .await?;
    if turn.jobs.iter().any(|job| job.state == JobState::Applied) {
        hurry(tenant).await?;
    }
    for grant in &turn.grants {
        role_grants::apply(tenant, grant).await?;
    }
    for role in &turn.roles {
        match role {
            RoleHealth::Works(role) | RoleHealth::Gone(role) => works(tenant, *role).await?,
            RoleHealth::Parked { role, probe_in, code } => park(tenant, *role, *probe_in, *code).await?,
        }
    }
    Ok(Release::Released)
}

/// Discord answers: what failed before in this guild does not wait out its time. Those that failed often come later, so that
/// one that always fails does not follow each success.
async fn hurry(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE role_jobs SET due_at = clock_timestamp() + interval '10 s' * attempts
          WHERE guild_id = $1 AND state = 'pending' AND attempts > 0
            AND due_at > clock_timestamp() + interval '10 s' * attempts",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    Ok(())
}

async fn works(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    let healthy: bool = sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM role_health WHERE guild_id = $1 AND role_id = $2)",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_one(tenant.db())
    .await?;
    if healthy { Ok(()) } else { role_jobs::release_role(tenant, role).await }
}

async fn park(tenant: &mut Tenant, role: RoleId, probe_in: Duration, code: u32) -> Result<(), sqlx::Error> {
    let is_new: bool = sqlx::query_scalar(
        "INSERT INTO role_health (guild_id, role_id, reason, code, next_probe_at)
         VALUES ($1, $2, 'Discord answers 403 with code ' || $4::text, $4, clock_timestamp() + make_interval(secs => $3))
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
