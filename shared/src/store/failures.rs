//! What was given up, or fails again and again, of all kinds: read where each is kept, in no queue of its own.

use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        delivery::update::WAITS,
        failed::FailedListKind,
        notices::{NoticeKind, NoticeState},
        stripe_object::ObjectKind,
    },
    ids::{ConnectionId, EventId, NoticeId, RoleId, UserId},
};

/// Events, and notices, that are read at most.
const MOST: i64 = 200;
/// What waits for another object of the same customer does so for seconds; after so many times it hangs.
const HANGS_AFTER: i32 = 4;

/// An object that is to be read from Stripe, and cannot be.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedRead {
    pub connection_id: ConnectionId,
    pub object_kind: ObjectKind,
    pub object_id: String,
    /// Whose it is, as far as it is known.
    pub member: Option<UserId>,
    /// Since when it fails; `None`: Stripe answers.
    pub since: Option<Timestamp>,
    pub attempts: i32,
    /// Stripe says that it has none such.
    pub is_missing: bool,
    pub error: Option<String>,
    /// When it is tried again; `None`: it is not.
    pub next_at: Option<Timestamp>,
}

/// Those of connections that are active. What was given up, since Stripe said for days that it has none such, is among them while it gives
/// access.
pub async fn reads(tenant: &mut Tenant) -> Result<Vec<FailedRead>, sqlx::Error> {
    sqlx::query_as(
        "WITH failed AS (
             SELECT connection_id, object_kind, object_id, failing_since AS since, attempts, missing > 0 AS is_missing,
                    last_error AS error, next_at
               FROM stripe_sync
              WHERE guild_id = $1 AND next_at IS NOT NULL AND dirty_seq > 0
                AND (failing_since IS NOT NULL OR missing > 0 OR attempts >= $2)
             UNION ALL
             SELECT p.connection_id, p.kind, p.id, p.missing_since, 0, true, NULL, NULL
               FROM (SELECT connection_id, 'subscription' AS kind, subscription_id AS id, missing_since FROM subscriptions
                      WHERE guild_id = $1 AND missing_since IS NOT NULL
                     UNION ALL
                     SELECT connection_id, 'checkout_session', session_id, missing_since FROM purchases
                      WHERE guild_id = $1 AND missing_since IS NOT NULL) p
              WHERE EXISTS (SELECT FROM access_sources a
                             WHERE (a.guild_id, a.connection_id, a.source_id) = ($1, p.connection_id, p.id) AND a.state = 'live')
                AND NOT EXISTS (SELECT FROM stripe_sync y
                                 WHERE (y.guild_id, y.connection_id, y.object_kind, y.object_id) = ($1, p.connection_id, p.kind, p.id)
                                   AND y.next_at IS NOT NULL AND y.dirty_seq > 0)
         )
         SELECT f.*, coalesce(
                    (SELECT a.user_id FROM access_sources a
                      WHERE (a.guild_id, a.connection_id, a.source_id) = ($1, f.connection_id, f.object_id)
                      ORDER BY a.state DESC, a.user_id LIMIT 1),
                    (SELECT l.user_id FROM member_links l
                      WHERE (l.guild_id, l.connection_id) = ($1, f.connection_id)
                        AND l.customer_id IN (f.object_id,
                            (SELECT customer_id FROM subscriptions s
                              WHERE (s.guild_id, s.connection_id, s.subscription_id) = ($1, f.connection_id, f.object_id)),
                            (SELECT customer_id FROM purchases s
                              WHERE (s.guild_id, s.connection_id, s.session_id) = ($1, f.connection_id, f.object_id)))
                      LIMIT 1)) AS member
           FROM failed f JOIN stripe_connections c ON (c.guild_id, c.connection_id) = ($1, f.connection_id)
          WHERE c.state = 'active' ORDER BY f.connection_id, f.object_kind, f.object_id",
    )
    .bind(tenant.guild())
    .bind(HANGS_AFTER)
    .fetch_all(tenant.db())
    .await
}

/// An event that was accepted, and that no read will answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LostEvent {
    pub connection_id: ConnectionId,
    pub event_id: EventId,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub object_id: String,
    /// As the queue of reads knows it; `None`: it does not.
    pub object_kind: Option<ObjectKind>,
    pub received_at: Timestamp,
}

/// The oldest of them.
pub async fn events(tenant: &mut Tenant) -> Result<Vec<LostEvent>, sqlx::Error> {
    sqlx::query_as(
        "SELECT e.connection_id, e.event_id, e.type, e.object_id, y.object_kind, e.received_at
           FROM stripe_events e
           LEFT JOIN stripe_sync y ON (y.guild_id, y.connection_id, y.object_id) = (e.guild_id, e.connection_id, e.object_id)
          WHERE e.guild_id = $1 AND e.state = 'recorded'
            AND (y.object_id IS NULL OR y.next_at IS NULL OR (y.dirty_seq = 0 AND y.next_at > now()))
          ORDER BY e.received_at, e.event_id LIMIT $2",
    )
    .bind(tenant.guild())
    .bind(MOST)
    .fetch_all(tenant.db())
    .await
}

/// A list of Stripe's that cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedList {
    pub connection_id: ConnectionId,
    pub what: FailedListKind,
    pub since: Timestamp,
    pub error: String,
    pub next_at: Timestamp,
}

/// Of connections that are active.
pub async fn lists(tenant: &mut Tenant) -> Result<Vec<FailedList>, sqlx::Error> {
    sqlx::query_as(
        "SELECT * FROM (
             SELECT connection_id, 'events' AS what, failing_since AS since, coalesce(last_error, '') AS error, next_poll_at AS next_at
               FROM stripe_cursors WHERE guild_id = $1 AND failing_since IS NOT NULL
             UNION ALL
             SELECT connection_id, 'other', other_failing_since, coalesce(other_error, ''), other_poll_at
               FROM stripe_cursors WHERE guild_id = $1 AND other_failing_since IS NOT NULL
             UNION ALL
             SELECT connection_id, 'list', list_failing_since, coalesce(list_error, ''), list_next_at
               FROM stripe_cursors WHERE guild_id = $1 AND list_failing_since IS NOT NULL
             UNION ALL
             SELECT connection_id, 'backfill', failing_since, coalesce(error, ''), next_at
               FROM stripe_backfills WHERE guild_id = $1 AND failing_since IS NOT NULL AND next_at IS NOT NULL) AS failed
           JOIN (SELECT connection_id FROM stripe_connections WHERE guild_id = $1 AND state = 'active') AS c USING (connection_id)
          ORDER BY since, connection_id, what",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

/// A change of a member's role that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedJob {
    pub role_id: RoleId,
    pub user_id: UserId,
    pub since: Timestamp,
    pub attempts: i32,
    /// Why not, in words.
    pub error: String,
    /// When it is tried again; `None`: it is given up.
    pub next_at: Option<Timestamp>,
}

/// Those that were given up while access goes on, that are parked, or that failed and are tried again. Not what waits for the member to
/// join, which is no failure, nor what is held, which waits for an answer.
pub async fn jobs(tenant: &mut Tenant) -> Result<Vec<FailedJob>, sqlx::Error> {
    sqlx::query_as(
        "SELECT role_id, user_id, created_at AS since, attempts, coalesce(outcome, '') AS error,
                CASE WHEN state <> 'failed' THEN due_at END AS next_at
           FROM role_jobs j
          WHERE guild_id = $1
            AND (state = 'pending' AND attempts > 0 AND outcome NOT LIKE $2
                 OR state = 'parked' AND outcome NOT LIKE $2
                 OR state = 'failed'
                    AND EXISTS (SELECT FROM access_sources a
                                 WHERE (a.guild_id, a.user_id, a.role_id) = (j.guild_id, j.user_id, j.role_id) AND a.state = 'live')
                    AND NOT EXISTS (SELECT FROM role_jobs k
                                     WHERE (k.guild_id, k.user_id, k.role_id) = (j.guild_id, j.user_id, j.role_id)
                                       AND k.job_id > j.job_id AND k.state <> 'superseded'))
          ORDER BY role_id, user_id, job_id",
    )
    .bind(tenant.guild())
    .bind(format!("{WAITS}%"))
    .fetch_all(tenant.db())
    .await
}

/// A notice that was not sent, or perhaps not.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedNotice {
    pub notice_id: NoticeId,
    pub user_id: UserId,
    pub source_id: String,
    pub kind: NoticeKind,
    pub state: NoticeState,
    pub due_at: Timestamp,
    pub attempts: i32,
    pub error: Option<String>,
    /// When it is tried again; `None`: it is not.
    pub next_at: Option<Timestamp>,
    /// Whether Discord surely does not have it.
    pub may_be_sent: bool,
}

/// Of each failed payment the last one that is still news.
pub async fn notices(tenant: &mut Tenant) -> Result<Vec<FailedNotice>, sqlx::Error> {
    sqlx::query_as(
        "SELECT * FROM (
             SELECT DISTINCT ON (user_id, connection_id, source_id, anchor)
                    notice_id, user_id, source_id, kind, state, due_at, attempts, outcome AS error, next_at,
                    tried_at IS NULL AND state = 'pending' OR state = 'undeliverable' AND attempts = 0 AS may_be_sent
               FROM member_notices
              WHERE guild_id = $1 AND due_at <= now()
                AND CASE WHEN kind IN ('began', 'halfway', 'last_day') THEN ends_at > now()
                         ELSE due_at > now() - interval '3 days' END
              ORDER BY user_id, connection_id, source_id, anchor, due_at DESC, notice_id DESC) AS last
          WHERE state IN ('undeliverable', 'unsure') OR state = 'pending' AND attempts > 0
          ORDER BY due_at, notice_id LIMIT $2",
    )
    .bind(tenant.guild())
    .bind(MOST)
    .fetch_all(tenant.db())
    .await
}
