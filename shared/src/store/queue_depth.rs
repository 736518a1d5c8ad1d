//! How much work waits, over all tenants: what `/metrics` shows. Numbers only.

use crate::db::cross_tenant::Crossing;

/// Rows that are counted at most: a scrape must stay cheap when a queue is long.
const COUNTED: i64 = 100_000;

/// The queues' lengths, each counted up to 100,000, and the age of the oldest that is due.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct Queues {
    /// Role jobs to be done.
    pub pending: i64,
    /// Role jobs that wait for a member or a permission.
    pub parked: i64,
    /// Role jobs that an owner is to approve or discard.
    pub held: i64,
    /// Seconds since the oldest role job that is due became so; 0: none is due.
    pub oldest_due_seconds: f64,
    /// Stripe objects to be read.
    pub unread: i64,
    /// Seconds since the oldest of them was to be read; 0: none is due.
    pub oldest_unread_seconds: f64,
}

pub async fn depth(crossing: &mut Crossing) -> Result<Queues, sqlx::Error> {
    sqlx::query_as(
        "-- What waits for an invitation of the bot is nobody's alarm.
         WITH pending AS MATERIALIZED (SELECT due_at FROM role_jobs JOIN guild_gates USING (guild_id)
                                        WHERE state = 'pending' AND NOT away LIMIT $1),
              unread AS MATERIALIZED (SELECT next_at FROM stripe_sync
                                       WHERE next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now()) LIMIT $1)
         SELECT (SELECT count(*) FROM pending) AS pending,
                (SELECT count(*) FROM (SELECT FROM role_jobs WHERE state = 'parked' LIMIT $1) p) AS parked,
                (SELECT count(*) FROM (SELECT FROM role_jobs WHERE state = 'held' LIMIT $1) h) AS held,
                (SELECT greatest(0, coalesce(extract(epoch FROM now() - min(due_at)), 0))::float8 FROM pending)
                    AS oldest_due_seconds,
                (SELECT count(*) FROM unread) AS unread,
                (SELECT greatest(0, coalesce(extract(epoch FROM now() - min(next_at)), 0))::float8 FROM unread)
                    AS oldest_unread_seconds",
    )
    .bind(COUNTED)
    .fetch_one(crossing.db())
    .await
}
