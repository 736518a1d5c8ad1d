//! A guild's lease and its pause, in one column: nobody leases a guild before `open_at`. Whoever holds the lease is alone with the guild.

use std::time::Duration;

use uuid::Uuid;

use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::delivery::{
        backoff::{REFUSED, SURELY_REFUSED, TOKEN_REJECTED},
        refusal::{Closed, Refusal},
        update::GuildGate,
    },
    ids::GuildId,
};

/// How many guilds one scan reads: many paused guilds must not make it long.
const SCAN_LIMIT: i64 = 512;

/// Guilds with which jobs a scan finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// What one member asked for.
    Urgent,
    All,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// Leased, and ours.
    pub leased: Vec<GuildId>,
    /// Behind which guild the next scan begins; `None`: at the first one.
    pub position: Option<GuildId>,
}

/// The scan; `$jobs`: which jobs it finds, in the words of the index that serves it.
macro_rules! scan {
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
                -- Only when it is needed: otherwise the scan stops as soon as enough are leased.
                CASE WHEN (SELECT count(*) FROM leased) < $2 THEN (SELECT max(guild_id) FROM ring WHERE n = $5) END"
        )
    };
}

/// Leases up to `limit` guilds with due jobs, scanning guilds from behind `after`, round-robin.
///
/// The scan skips from guild to guild through `role_jobs_ring`, or `role_jobs_urgent` (a loose index scan, written out because Postgres has
/// none), so its cost does not depend on how many jobs a guild has, or how many are paused. It reads 512 guilds
/// at most, and the position moves on past paused ones, so that those behind them are not starved.
pub async fn lease(
    crossing: &mut Crossing,
    scan: Scan,
    after: Option<GuildId>,
    limit: usize,
    owner: Uuid,
    lease: Duration,
) -> Result<Scanned, sqlx::Error> {
    let query = match scan {
        Scan::Urgent => scan!("state = 'pending' AND origin IN ('purchase', 'join', 'command')"),
        Scan::All => scan!("state = 'pending'"),
    };
    let (leased, scanned_to): (Vec<GuildId>, Option<GuildId>) = sqlx::query_as(query)
        .bind(after.map_or(0, GuildId::to_i64))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(owner)
        .bind(lease.as_secs_f64())
        .bind(SCAN_LIMIT)
        .fetch_one(crossing.db())
        .await?;
    let full = leased.len() >= limit;
    let position = if full { leased.iter().max().copied() } else { scanned_to };
    Ok(Scanned { leased, position })
}

/// Leases this guild, if its gate is open. `false`: somebody else has it, or it is closed for a while.
pub async fn lease_this(tenant: &mut Tenant, owner: Uuid, lease: Duration) -> Result<bool, sqlx::Error> {
    let leased = sqlx::query(
        "UPDATE guild_gates SET open_at = clock_timestamp() + make_interval(secs => $3), owner = $2, invited = false
          WHERE guild_id = $1 AND open_at <= clock_timestamp()",
    )
    .bind(tenant.guild())
    .bind(owner)
    .bind(lease.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(leased.rows_affected() == 1)
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
pub async fn release(tenant: &mut Tenant, owner: Uuid, gate: GuildGate) -> Result<Release, sqlx::Error> {
    let (pause, code) = match gate {
        GuildGate::Open => (Duration::ZERO, None),
        GuildGate::Paused(pause) => (pause, None),
        GuildGate::Shutdown => (TOKEN_REJECTED, None),
        GuildGate::Away(code) | GuildGate::Refused(code) => {
            (REFUSED.wait(refusals(tenant).await?), Some(code))
        }
    };
    let released = sqlx::query(
        "UPDATE guild_gates SET owner = NULL, away = $4 AND NOT invited,
                refused_code = CASE WHEN NOT invited THEN $5::integer END,
                refusals = CASE WHEN $5 IS NULL THEN refusals WHEN invited THEN 0 ELSE least(refusals + 1, 100) END,
                open_at = clock_timestamp()
                        + CASE WHEN $5 IS NOT NULL AND invited THEN interval '0' ELSE make_interval(secs => $3) END
          WHERE guild_id = $1 AND owner = $2",
    )
    .bind(tenant.guild())
    .bind(owner)
    .bind(pause.as_secs_f64())
    .bind(matches!(gate, GuildGate::Away(_)))
    .bind(code.map(u32::cast_signed))
    .execute(tenant.db())
    .await?;
    Ok(if released.rows_affected() == 1 { Release::Released } else { Release::FencedOut })
}

/// How often in a row Discord has refused the guild.
async fn refusals(tenant: &mut Tenant) -> Result<u32, sqlx::Error> {
    let refusals: Option<i32> =
        sqlx::query_scalar("SELECT refusals FROM guild_gates WHERE guild_id = $1 FOR NO KEY UPDATE")
            .bind(tenant.guild())
            .fetch_optional(tenant.db())
            .await?;
    Ok(refusals.and_then(|refusals| refusals.try_into().ok()).unwrap_or(0))
}

/// Discord answers again: its next refusal is a first one. Answers whether it had said that the bot is not in the guild. Before the
/// lease is given back, which forgets that.
pub async fn reached(tenant: &mut Tenant, owner: Uuid) -> Result<bool, sqlx::Error> {
    let was_away: Option<bool> = sqlx::query_scalar(
        "UPDATE guild_gates SET refusals = 0 WHERE guild_id = $1 AND owner = $2 AND refusals > 0 RETURNING away",
    )
    .bind(tenant.guild())
    .bind(owner)
    .fetch_optional(tenant.db())
    .await?;
    Ok(was_away == Some(true))
}

/// The bot is in the guild: a gate that is closed because Discord refused is opened, and one that is about to be closed for that
/// stays open. A rate limit's pause stays.
pub async fn invited(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE guild_gates SET invited = true, away = false, refused_code = NULL, refusals = 0,
                open_at = CASE WHEN owner IS NULL AND (away OR refused_code IS NOT NULL) THEN now() ELSE open_at END
          WHERE guild_id = $1",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The bot was removed from the guild, by Discord's own word. Whoever holds the lease is refused once, and that closes the gate.
pub async fn removed(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE guild_gates SET invited = false, away = owner IS NULL, refused_code = NULL, refusals = $2,
                open_at = CASE WHEN owner IS NULL THEN now() + make_interval(secs => $3) ELSE open_at END
          WHERE guild_id = $1",
    )
    .bind(tenant.guild())
    .bind(SURELY_REFUSED.cast_signed())
    .bind(REFUSED.wait(SURELY_REFUSED).as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Why nothing is done for the guild, if Discord refuses it: as the last role call found it, or the last check of its roles.
pub async fn refusal(tenant: &mut Tenant) -> Result<Option<Refusal>, sqlx::Error> {
    let closed: Option<(Option<i32>, Timestamp)> = sqlx::query_as(
        "SELECT refused_code, until FROM (
             SELECT refused_code, open_at AS until, 0 AS rank FROM guild_gates
              WHERE guild_id = $1 AND owner IS NULL AND (away OR refused_code IS NOT NULL) AND open_at > now()
             UNION ALL
             SELECT refused_code, look_at, 1 FROM role_reads
              WHERE guild_id = $1 AND refused_code IS NOT NULL AND look_at > now()
             ORDER BY rank LIMIT 1) AS refusals",
    )
    .bind(tenant.guild())
    .fetch_optional(tenant.db())
    .await?;
    Ok(closed.map(|(code, until)| Refusal { code: code.map(i32::cast_unsigned), until }))
}

/// Why nothing is done for the guild for a while.
pub async fn closed(tenant: &mut Tenant) -> Result<Option<Closed>, sqlx::Error> {
    if let Some(refusal) = refusal(tenant).await? {
        return Ok(Some(Closed::Refused(refusal)));
    }
    // A lease is no pause.
    let until: Option<Timestamp> = sqlx::query_scalar(
        "SELECT open_at FROM guild_gates WHERE guild_id = $1 AND owner IS NULL AND open_at > now()",
    )
    .bind(tenant.guild())
    .fetch_optional(tenant.db())
    .await?;
    Ok(until.map(Closed::ToldToWait))
}
