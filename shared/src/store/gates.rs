//! A guild's gate: lease end and rate-limit pause in one column. Whoever holds the lease is alone with the guild.

use std::time::Duration;

use uuid::Uuid;

use super::{crossing::Crossing, tenant::Tenant};
use crate::ids::GuildId;

/// How many guilds one walk looks at: a crowd of paused guilds must not make it long.
const STEPS: i64 = 512;

/// Which jobs a walk looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// What one member asked for.
    Urgent,
    /// All.
    All,
}

/// What a walk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Leased, and ours.
    pub leased: Vec<GuildId>,
    /// Where the next walk begins; `None`: at the ring's beginning.
    pub position: Option<GuildId>,
}

/// The walk; `$jobs`: which jobs it looks for, in the words of the index that serves it.
macro_rules! walk {
    ($jobs:literal) => {
        concat!(
            "WITH RECURSIVE ring (guild_id, due_at, n) AS (
             (SELECT guild_id, due_at, 1 FROM role_jobs
               WHERE ", $jobs, " AND guild_id > $1 ORDER BY guild_id, due_at LIMIT 1)
             UNION ALL
             SELECT x.guild_id, x.due_at, r.n + 1
               FROM ring r CROSS JOIN LATERAL (
                   SELECT guild_id, due_at FROM role_jobs
                    WHERE ", $jobs, " AND guild_id > r.guild_id ORDER BY guild_id, due_at LIMIT 1) x
              WHERE r.n < $5
         ), pick AS (
             SELECT g.guild_id FROM ring JOIN guild_gates g USING (guild_id)
              WHERE ring.due_at <= clock_timestamp() AND g.open_at <= clock_timestamp()
              LIMIT $2 FOR NO KEY UPDATE OF g SKIP LOCKED
         ), leased AS (
             UPDATE guild_gates g SET open_at = clock_timestamp() + make_interval(secs => $4), owner = $3, invited = false
               FROM pick WHERE g.guild_id = pick.guild_id
             RETURNING g.guild_id
         )
         SELECT ARRAY (SELECT guild_id FROM leased),
                -- Only when it is needed: otherwise the walk stops as soon as enough are leased.
                CASE WHEN (SELECT count(*) FROM leased) < $2 THEN (SELECT max(guild_id) FROM ring WHERE n = $5) END"
        )
    };
}

/// Leases up to `limit` guilds with due jobs, walking the ring of guilds from behind `after`.
///
/// The walk skips from guild to guild through `role_jobs_ring`, or `role_jobs_urgent` (a loose index scan, written out because Postgres has
/// none), so its cost does not depend on how many jobs a guild has, or how many are paused. It looks at 512 guilds
/// at most, and the position moves on past paused ones, so that those behind them are not starved.
pub async fn lease(
    crossing: &mut Crossing,
    ring: Ring,
    after: Option<GuildId>,
    limit: usize,
    owner: Uuid,
    lease: Duration,
) -> Result<Walk, sqlx::Error> {
    let walk = match ring {
        Ring::Urgent => walk!("state = 'pending' AND origin IN ('purchase', 'join', 'command')"),
        Ring::All => walk!("state = 'pending'"),
    };
    let (leased, walked_to): (Vec<GuildId>, Option<GuildId>) = sqlx::query_as(walk)
        .bind(after.map_or(0, GuildId::to_i64))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(owner)
        .bind(lease.as_secs_f64())
        .bind(STEPS)
        .fetch_one(crossing.db())
        .await?;
    let full = leased.len() >= limit;
    let position = if full { leased.iter().max().copied() } else { walked_to };
    Ok(Walk { leased, position })
}

/// How a guild is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// For whoever comes next.
    Open,
    /// Closed for so long, by Discord's word.
    Paused(Duration),
    /// The bot is not in the guild: closed for so long, or until it is invited. Open, if that was during the lease.
    Away(Duration),
}

/// Whether we still held the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Yes, and it is given back.
    Released,
    /// No: it had run out, and somebody else may have taken it.
    FencedOut,
}

/// Whether the gate is closed because the bot is not in the guild.
pub async fn is_away(tenant: &mut Tenant) -> Result<bool, sqlx::Error> {
    let away: Option<bool> = sqlx::query_scalar("SELECT away FROM guild_gates WHERE guild_id = $1")
        .bind(tenant.guild())
        .fetch_optional(tenant.db())
        .await?;
    Ok(away == Some(true))
}

/// Gives the lease back. First in the settling transaction.
pub async fn release(tenant: &mut Tenant, owner: Uuid, gate: Gate) -> Result<Release, sqlx::Error> {
    let (closed_for, away) = match gate {
        Gate::Open => (Duration::ZERO, false),
        Gate::Paused(pause) => (pause, false),
        Gate::Away(pause) => (pause, true),
    };
    let released = sqlx::query(
        "UPDATE guild_gates SET owner = NULL, away = $4 AND NOT invited,
                open_at = clock_timestamp() + CASE WHEN $4 AND invited THEN interval '0' ELSE make_interval(secs => $3) END
          WHERE guild_id = $1 AND owner = $2",
    )
    .bind(tenant.guild())
    .bind(owner)
    .bind(closed_for.as_secs_f64())
    .bind(away)
    .execute(tenant.db())
    .await?;
    Ok(if released.rows_affected() == 1 { Release::Released } else { Release::FencedOut })
}
