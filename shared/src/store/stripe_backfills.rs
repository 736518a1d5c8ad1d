//! What the operator ordered to be read from Stripe again, or derived again, per connection: how far it is, so that a restart goes on.

use std::time::Duration;

use super::stripe_connections::Connection;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{clock::Timestamp, ids::ConnectionId};

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Source {
    /// Stripe's events and lists.
    Stripe,
    /// What was read of Stripe before, as our rows have it.
    Mirror,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Nobody has begun.
    Asked,
    /// A page at a time is looked at.
    Looking,
    /// All was looked at, and what is to be read because of it is being read.
    Reading,
    Done,
}

/// A step that is to be taken.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Turn {
    #[sqlx(flatten)]
    pub connection: Connection,
    pub source: Source,
    pub since: Timestamp,
    pub reads_lists: bool,
    pub state: State,
    pub asked_at: Timestamp,
    /// The last event, or row of ours, that was looked at.
    pub after: Option<String>,
}

/// Orders it. `false`: one is under way, and nothing was written.
pub async fn order(
    tenant: &mut Tenant,
    connection: ConnectionId,
    source: Source,
    since: Timestamp,
    reads_lists: bool,
) -> Result<bool, sqlx::Error> {
    let ordered = sqlx::query(
        "INSERT INTO stripe_backfills (guild_id, connection_id, source, since, reads_lists) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (guild_id, connection_id) DO UPDATE
             SET source = excluded.source, since = excluded.since, reads_lists = excluded.reads_lists, state = 'asked',
                 asked_at = clock_timestamp(), next_at = now(), after = NULL, seen = 0, back_to = NULL, to_read = 0, derived = 0,
                 ended_at = NULL, error = NULL, failing_since = NULL
           WHERE stripe_backfills.state = 'done'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(source)
    .bind(since)
    .bind(reads_lists)
    .execute(tenant.db())
    .await?;
    Ok(ordered.rows_affected() == 1)
}

/// Takes one whose next step is due, and keeps it for `lease`: who dies over it costs that.
pub async fn take(crossing: &mut Crossing, lease: Duration) -> Result<Option<Turn>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS (
             SELECT b.guild_id, b.connection_id FROM stripe_backfills b JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE b.next_at <= now() AND s.state = 'active'
              ORDER BY b.next_at LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED
         )
         UPDATE stripe_backfills b SET next_at = clock_timestamp() + make_interval(secs => $1)
           FROM due WHERE (b.guild_id, b.connection_id) = (due.guild_id, due.connection_id)
         RETURNING b.guild_id, b.connection_id, b.source, b.since, b.reads_lists, b.state, b.asked_at, b.after",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// What a step came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// How many events, or rows, were looked at, and the last of them.
    pub seen: usize,
    pub after: Option<String>,
    /// When the oldest event of them was made.
    pub back_to: Option<Timestamp>,
    /// How many objects are read because of them.
    pub to_read: u64,
    /// How many rows gave something else than was written down.
    pub derived: usize,
    /// Stripe's lists are read, too.
    pub reads_lists: bool,
}

/// Writes down a step, after the rows of its objects. The next, in this state, is due after `wait`. `false`: somebody else took that
/// step, and the caller must roll back.
pub async fn step(
    tenant: &mut Tenant,
    turn: &Turn,
    step: &Step,
    state: State,
    wait: Duration,
) -> Result<bool, sqlx::Error> {
    let stepped = sqlx::query(
        "UPDATE stripe_backfills
            SET state = $7, after = coalesce($8, after), seen = seen + $9, back_to = least(back_to, $10), to_read = to_read + $11,
                derived = derived + $12, reads_lists = reads_lists OR $13, error = NULL, failing_since = NULL,
                next_at = CASE WHEN $7 <> 'done' THEN now() + make_interval(secs => $6) END,
                ended_at = CASE WHEN $7 = 'done' THEN now() END
          WHERE guild_id = $1 AND connection_id = $2 AND asked_at = $3 AND state = $4 AND after IS NOT DISTINCT FROM $5",
    )
    .bind(tenant.guild())
    .bind(turn.connection.id)
    .bind(turn.asked_at)
    .bind(turn.state)
    .bind(&turn.after)
    .bind(wait.as_secs_f64())
    .bind(state)
    .bind(&step.after)
    .bind(i32::try_from(step.seen).unwrap_or(i32::MAX))
    .bind(step.back_to)
    .bind(i32::try_from(step.to_read).unwrap_or(i32::MAX))
    .bind(i32::try_from(step.derived).unwrap_or(i32::MAX))
    .bind(step.reads_lists)
    .execute(tenant.db())
    .await?;
    Ok(stepped.rows_affected() == 1)
}

/// The step could not be taken; again after `wait`.
pub async fn retry(
    tenant: &mut Tenant,
    connection: ConnectionId,
    wait: Duration,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_backfills SET next_at = clock_timestamp() + make_interval(secs => $3), error = $4,
                failing_since = coalesce(failing_since, now())
          WHERE guild_id = $1 AND connection_id = $2 AND state <> 'done'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(wait.as_secs_f64())
    .bind(error)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The step that could not be taken is tried again at once.
pub async fn go_on_now(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_backfills SET next_at = now()
          WHERE guild_id = $1 AND connection_id = $2 AND state <> 'done' AND failing_since IS NOT NULL",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Whether something is still to be read that can be: an object that nobody waits for, or the rest of a list. What fails, or Stripe says
/// that it does not have, is no reason to wait: it is tried on by itself, and shown as such.
pub async fn is_unread(tenant: &mut Tenant, connection: ConnectionId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM stripe_sync
                         WHERE guild_id = $1 AND connection_id = $2 AND origin = 'bulk' AND next_at IS NOT NULL AND dirty_seq > 0
                           AND failing_since IS NULL AND missing = 0)
             OR EXISTS (SELECT FROM stripe_cursors WHERE guild_id = $1 AND connection_id = $2 AND listed_at IS NULL)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_one(tenant.db())
    .await
}

/// How far one is, for people.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Progress {
    pub connection_id: ConnectionId,
    pub source: Source,
    pub since: Timestamp,
    pub reads_lists: bool,
    pub state: State,
    pub asked_at: Timestamp,
    pub seen: i32,
    pub back_to: Option<Timestamp>,
    pub to_read: i32,
    pub derived: i32,
    pub ended_at: Option<Timestamp>,
    pub error: Option<String>,
    /// Objects of the connection that are still to be read, without haste.
    pub unread: i64,
    /// Those that fail, or that Stripe says it does not have.
    pub failing: i64,
    /// How many subscriptions the list has shown that is being read; `None`: none is.
    pub listed: Option<i32>,
    /// How many we knew when that began.
    pub expected: Option<i32>,
}

/// The last of each of a guild's connections.
pub async fn of_guild(tenant: &mut Tenant) -> Result<Vec<Progress>, sqlx::Error> {
    sqlx::query_as(
        "SELECT b.connection_id, b.source, b.since, b.reads_lists, b.state, b.asked_at, b.seen, b.back_to, b.to_read, b.derived, b.ended_at,
                b.error, u.unread, u.failing, CASE WHEN c.list_began_at IS NOT NULL THEN c.list_seen END AS listed,
                c.list_expected AS expected
           FROM stripe_backfills b LEFT JOIN stripe_cursors c USING (guild_id, connection_id)
          CROSS JOIN LATERAL (
              SELECT count(*) FILTER (WHERE failing_since IS NULL AND missing = 0) AS unread,
                     count(*) FILTER (WHERE failing_since IS NOT NULL OR missing > 0) AS failing
                FROM stripe_sync
               WHERE guild_id = $1 AND connection_id = b.connection_id AND next_at IS NOT NULL AND dirty_seq > 0) u
          WHERE b.guild_id = $1 ORDER BY b.connection_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}
