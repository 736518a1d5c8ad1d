//! The queue of Stripe objects to re-read. One worker per object at a time, and no lost wake-up: a read is final only
//! if `dirty_seq` is still what it was when the read began.
//!
//! `dirty_seq` is 0 as long as every hint is answered; `next_at` may then be in the future, when what was read ceases to be good.
//! So an object is *unread* if `next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now())`: what failed, or is spaced out, is
//! unread too, though it is tried later.
//!
//! A read costs, and events come in bursts. So each good read sets `not_before`: what is hinted at until then is read then, all of it
//! by one read. The time does not move with the hints, so that a stream of them keeps nothing from being read.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use super::stripe_connections::Connection;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::domain::stripe_object::{Object, ObjectKind};
use crate::{clock::Timestamp, domain::job::JobOrigin, ids::ConnectionId};

/// An object under lease.
#[derive(Debug, Clone)]
pub struct Leased {
    pub connection: Connection,
    pub object: Object,
    pub origin: JobOrigin,
    /// The hint that the read answers.
    pub dirty_seq: i64,
    /// Failed reads so far.
    pub attempts: u32,
    /// How often Stripe said, since the last good read, that it has no such object.
    pub missing: u32,
    pub owner: Uuid,
    /// When the lease began, by Postgres' clock: what is read is no older.
    pub since: Timestamp,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Clean: every hint so far was answered.
    Clean,
    /// New hints came while we read: it will be read again.
    StillDirty,
    /// The lease had run out and somebody else has it: the caller must roll back.
    LostLease,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    connection: Connection,
    object_kind: ObjectKind,
    object_id: String,
    origin: JobOrigin,
    dirty_seq: i64,
    attempts: i32,
    missing: i32,
    since: Timestamp,
}

impl Row {
    fn leased(self, owner: Uuid) -> Leased {
        Leased {
            connection: self.connection,
            object: Object { kind: self.object_kind, id: self.object_id },
            origin: self.origin,
            dirty_seq: self.dirty_seq,
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            missing: u32::try_from(self.missing).unwrap_or(0),
            owner,
            since: self.since,
        }
    }
}

/// Leases up to `limit` objects that are due.
pub async fn claim(
    crossing: &mut Crossing,
    limit: usize,
    owner: Uuid,
    lease: Duration,
) -> Result<Vec<Leased>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "WITH due AS MATERIALIZED (
             SELECT guild_id, connection_id, object_kind, object_id FROM stripe_sync
              WHERE next_at <= now() AND (lease_until IS NULL OR lease_until <= now())
              ORDER BY next_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
         )
         UPDATE stripe_sync s SET lease_owner = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
           FROM due WHERE (s.guild_id, s.connection_id, s.object_kind, s.object_id)
                        = (due.guild_id, due.connection_id, due.object_kind, due.object_id)
         RETURNING s.guild_id, s.connection_id, s.object_kind, s.object_id, s.origin, s.dirty_seq,
                   s.attempts, s.missing, now() AS since",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(owner)
    .bind(lease.as_secs_f64())
    .fetch_all(crossing.db())
    .await?;
    Ok(rows.into_iter().map(|row| row.leased(owner)).collect())
}

/// Leases what a list has shown, so that it is applied as a read of each is; those alone about which nothing is to be read, and nothing
/// was read `since` the page was asked for. What was heard of since then waits to be read by itself, or was: the page is older. What
/// somebody has leased is marked to be read after that: it may be a reader of this list that died. What waits for its next try need not
/// wait any more: Stripe shows it.
pub async fn lease_listed(
    tenant: &mut Tenant,
    connection: ConnectionId,
    objects: &BTreeSet<Object>,
    owner: Uuid,
    lease: Duration,
    since: Timestamp,
) -> Result<Vec<Leased>, sqlx::Error> {
    let kinds: Vec<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
    let ids: Vec<&str> = objects.iter().map(|object| object.id.as_str()).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id, origin, dirty_seq, next_at, lease_owner, lease_until)
         SELECT $1::bigint, $2::bigint, kind, id, 'bulk', 0, NULL::timestamptz, $5, clock_timestamp() + make_interval(secs => $6)
           FROM unnest($3::text[], $4::text[]) AS listed (kind, id) ORDER BY kind, id
         ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
             SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until
           WHERE (stripe_sync.next_at IS NULL OR (stripe_sync.dirty_seq = 0 AND stripe_sync.next_at > now()))
             AND (stripe_sync.lease_until IS NULL OR stripe_sync.lease_until <= now())
             AND (stripe_sync.synced_at IS NULL OR stripe_sync.synced_at < $7)
         RETURNING guild_id, connection_id, object_kind, object_id, 'bulk'::text AS origin, dirty_seq, attempts, missing,
                   $7::timestamptz AS since",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(&kinds)
    .bind(&ids)
    .bind(owner)
    .bind(lease.as_secs_f64())
    .bind(since)
    .fetch_all(tenant.db())
    .await?;
    if rows.len() < objects.len() {
        // Their rows are locked by now, all of them and in order.
        sqlx::query(
            "UPDATE stripe_sync s
                SET next_at = now(), dirty_seq = dirty_seq + CASE WHEN s.lease_until > now() THEN 1 ELSE 0 END
               FROM unnest($3::text[], $4::text[]) AS listed (kind, id)
              WHERE s.guild_id = $1 AND s.connection_id = $2 AND (s.object_kind, s.object_id) = (listed.kind, listed.id)
                AND s.lease_owner IS DISTINCT FROM $5
                AND CASE WHEN s.lease_until > now()
                              THEN s.next_at IS NULL OR (s.dirty_seq = 0 AND s.next_at > now())
                         ELSE s.dirty_seq > 0 AND s.next_at > now() AND (s.attempts > 0 OR s.missing > 0) END",
        )
        .bind(tenant.guild())
        .bind(connection)
        .bind(kinds)
        .bind(ids)
        .bind(owner)
        .execute(tenant.db())
        .await?;
    }
    Ok(rows.into_iter().map(|row| row.leased(owner)).collect())
}

/// Ends a lease after a good read. First in the transaction that applies the read: it takes the row's lock, so that
/// no hint can slip between the check and the commit. Hints of the time `spacing` from now share one read.
pub async fn settle(tenant: &mut Tenant, leased: &Leased, spacing: Duration) -> Result<Settled, sqlx::Error> {
    end(tenant, leased, spacing, true).await
}

/// The same where the hint asked for no read of this object: nothing shows that Stripe can be read, and the next hint has to wait for
/// nothing.
pub async fn settle_without_read(tenant: &mut Tenant, leased: &Leased) -> Result<Settled, sqlx::Error> {
    end(tenant, leased, Duration::ZERO, false).await
}

async fn end(
    tenant: &mut Tenant,
    leased: &Leased,
    spacing: Duration,
    was_read: bool,
) -> Result<Settled, sqlx::Error> {
    let clean: Option<bool> = sqlx::query_scalar(
        "UPDATE stripe_sync SET lease_owner = NULL, lease_until = NULL, attempts = 0, missing = 0, last_error = NULL,
                failing_since = NULL, synced_at = CASE WHEN $8 THEN now() ELSE synced_at END,
                read_began_at = CASE WHEN $8 THEN $9 ELSE read_began_at END,
                not_before = now() + make_interval(secs => $7),
                next_at = CASE WHEN dirty_seq <> $6 THEN now() + make_interval(secs => $7) END,
                dirty_seq = CASE WHEN dirty_seq = $6 THEN 0 ELSE dirty_seq END
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4 AND lease_owner = $5
         RETURNING dirty_seq = 0",
    )
    .bind(tenant.guild())
    .bind(leased.connection.id)
    .bind(leased.object.kind.as_str())
    .bind(&leased.object.id)
    .bind(leased.owner)
    .bind(leased.dirty_seq)
    .bind(spacing.as_secs_f64())
    .bind(was_read)
    .bind(leased.since)
    .fetch_optional(tenant.db())
    .await?;
    Ok(match clean {
        Some(true) => Settled::Clean,
        Some(false) => Settled::StillDirty,
        None => Settled::LostLease,
    })
}

/// What was read is good until then; again, if nothing hints at it earlier. In the transaction of [`settle`], which holds the row.
pub async fn read_again_at(tenant: &mut Tenant, leased: &Leased, at: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_sync
            -- Whose clock says that it is over judged by another: by Postgres' it may be over already, and would be read in a loop.
            SET next_at = least(next_at, greatest($5, now() + interval '1 minute'))
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4",
    )
    .bind(tenant.guild())
    .bind(leased.connection.id)
    .bind(leased.object.kind.as_str())
    .bind(&leased.object.id)
    .bind(at)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// What a failed read says about the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Other,
    /// Stripe has none such.
    Missing,
    /// It was read, and is read again after something else: nothing is wrong.
    Waits,
}

/// Ends a lease after a failed read: again after `wait`, or soon if new hints came meanwhile.
pub async fn retry(
    tenant: &mut Tenant,
    leased: &Leased,
    failure: Failure,
    wait: Duration,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_sync SET lease_owner = NULL, lease_until = NULL, attempts = attempts + 1, last_error = $7,
                failing_since = CASE WHEN $10 THEN coalesce(failing_since, now()) END,
                missing = missing + CASE WHEN $9 THEN 1 ELSE 0 END,
                -- It is unread, also if nothing but the time hinted at it.
                dirty_seq = greatest(dirty_seq, 1),
                next_at = clock_timestamp()
                          + make_interval(secs => CASE WHEN dirty_seq = $8 THEN $6 ELSE least($6, 1) END)
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4 AND lease_owner = $5",
    )
    .bind(tenant.guild())
    .bind(leased.connection.id)
    .bind(leased.object.kind.as_str())
    .bind(&leased.object.id)
    .bind(leased.owner)
    .bind(wait.as_secs_f64())
    .bind(error)
    .bind(leased.dirty_seq)
    .bind(failure == Failure::Missing)
    .bind(failure == Failure::Other)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Ends a lease without a read: the next worker may begin at once.
pub async fn give_back(tenant: &mut Tenant, leased: &Leased) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_sync SET lease_owner = NULL, lease_until = NULL
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4 AND lease_owner = $5",
    )
    .bind(tenant.guild())
    .bind(leased.connection.id)
    .bind(leased.object.kind.as_str())
    .bind(&leased.object.id)
    .bind(leased.owner)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// What failed to be read, and waits for its next try, is due one after another at `spacing`, those first that somebody waits for. Not what
/// Stripe says that it does not have. Answers how many there are.
pub async fn wake(
    tenant: &mut Tenant,
    connection: ConnectionId,
    spacing: Duration,
) -> Result<u64, sqlx::Error> {
    let woken = sqlx::query(
        "WITH waiting AS MATERIALIZED (
             SELECT object_kind, object_id, origin, next_at FROM stripe_sync
              WHERE guild_id = $1 AND connection_id = $2 AND failing_since IS NOT NULL AND next_at > now()
              ORDER BY object_kind, object_id FOR NO KEY UPDATE SKIP LOCKED
         ), placed AS (
             SELECT object_kind, object_id, row_number() OVER (ORDER BY origin = 'bulk', next_at) AS place FROM waiting
         )
         UPDATE stripe_sync s SET next_at = least(s.next_at, now() + make_interval(secs => $3 * (placed.place - 1)))
           FROM placed
          WHERE s.guild_id = $1 AND s.connection_id = $2
            AND (s.object_kind, s.object_id) = (placed.object_kind, placed.object_id)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(spacing.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(woken.rows_affected())
}

/// Keeps others from reading an object until the transaction ends; `false`: it is being read, or is to be, and nothing is kept. One that
/// was never heard of has no row, and nothing keeps it.
pub async fn hold_if_read(
    tenant: &mut Tenant,
    connection: ConnectionId,
    object: &Object,
) -> Result<bool, sqlx::Error> {
    let is_unread: Option<bool> = sqlx::query_scalar(
        "SELECT coalesce(lease_until > now(), false) OR next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now()) FROM stripe_sync
          WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3 AND object_id = $4 FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(object.kind.as_str())
    .bind(&object.id)
    .fetch_optional(tenant.db())
    .await?;
    Ok(is_unread != Some(true))
}

/// Marks many objects dirty, due one after another at `spacing`, so that what Stripe hints at meanwhile comes first.
pub async fn mark_dirty_slowly(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    ids: &[String],
    spacing: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id, origin, next_at)
         SELECT $1::bigint, $2::bigint, $3, id, 'bulk', now() + make_interval(secs => $5 * row_number() OVER (ORDER BY id))
           FROM (SELECT DISTINCT id FROM unnest($4::text[]) AS ids (id)) AS ids ORDER BY id
         ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
             SET dirty_seq = stripe_sync.dirty_seq + 1, next_at = least(stripe_sync.next_at, excluded.next_at),
                 -- What waits for a better reason keeps it.
                 origin = CASE WHEN stripe_sync.next_at IS NULL OR stripe_sync.dirty_seq = 0 THEN excluded.origin
                               ELSE stripe_sync.origin END",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(kind.as_str())
    .bind(ids)
    .bind(spacing.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The same, of one kind, for those alone that nobody has read since then: whatever is told of them is older. Answers how many are read
/// because of it; what waits to be read sooner is not counted again. `spacing`: as they are settled with.
pub async fn mark_unless_read_since(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    ids: &[String],
    since: Timestamp,
    (between, spacing): (Duration, Duration),
) -> Result<u64, sqlx::Error> {
    let marked = sqlx::query(
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id, origin, next_at)
         SELECT $1::bigint, $2::bigint, $3, id, 'bulk', now() + make_interval(secs => $5 * row_number() OVER (ORDER BY id))
           FROM (SELECT DISTINCT id FROM unnest($4::text[]) AS ids (id)) AS ids ORDER BY id
         ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
             SET dirty_seq = stripe_sync.dirty_seq + 1, next_at = least(stripe_sync.next_at, excluded.next_at),
                 origin = CASE WHEN stripe_sync.next_at IS NULL OR stripe_sync.dirty_seq = 0 THEN excluded.origin
                               ELSE stripe_sync.origin END
           -- Each read, and each answer without one, sets `not_before`.
           WHERE (stripe_sync.not_before IS NULL OR stripe_sync.not_before < $6::timestamptz + make_interval(secs => $7))
             AND NOT (stripe_sync.dirty_seq > 0 AND stripe_sync.lease_owner IS NULL AND stripe_sync.next_at IS NOT NULL
                      AND stripe_sync.next_at <= excluded.next_at)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(kind.as_str())
    .bind(ids)
    .bind(between.as_secs_f64())
    .bind(since)
    .bind(spacing.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(marked.rows_affected())
}

/// Marks objects dirty as an event does that names them, or a read that leads to them: what was read just now is read again when its
/// `not_before` has come.
pub async fn hint(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    ids: &[String],
    origin: JobOrigin,
) -> Result<(), sqlx::Error> {
    mark(tenant, connection, kind, ids, origin, true).await
}

/// Marks objects dirty without an event: something of ours changed that the read feeds, and somebody waits for it.
pub async fn mark_dirty(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    ids: &[String],
    origin: JobOrigin,
) -> Result<(), sqlx::Error> {
    mark(tenant, connection, kind, ids, origin, false).await
}

/// `is_spaced`: not before the time until which hints wait.
async fn mark(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    ids: &[String],
    origin: JobOrigin,
    is_spaced: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id, origin)
         SELECT DISTINCT $1::bigint, $2::bigint, $3, id, $5 FROM unnest($4::text[]) AS ids (id) ORDER BY id
         ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
             SET dirty_seq = stripe_sync.dirty_seq + 1,
                 next_at = CASE WHEN $6 THEN least(stripe_sync.next_at, greatest(now(), stripe_sync.not_before)) ELSE now() END,
                 -- What waits for a better reason keeps it.
                 origin = CASE WHEN stripe_sync.next_at IS NULL OR stripe_sync.dirty_seq = 0 OR excluded.origin <> 'bulk'
                                    THEN excluded.origin
                               ELSE stripe_sync.origin END",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(kind.as_str())
    .bind(ids)
    .bind(origin)
    .bind(is_spaced)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The same for objects of several kinds, in the order in which their rows are locked: the caller has locked none that comes after.
pub async fn hint_each(
    tenant: &mut Tenant,
    connection: ConnectionId,
    objects: &BTreeSet<&Object>,
    origin: JobOrigin,
) -> Result<(), sqlx::Error> {
    let objects: Vec<&Object> = objects.iter().copied().collect();
    for of_one_kind in objects.chunk_by(|a, b| a.kind == b.kind) {
        let ids: Vec<String> = of_one_kind.iter().map(|object| object.id.clone()).collect();
        hint(tenant, connection, of_one_kind[0].kind, &ids, origin).await?;
    }
    Ok(())
}
