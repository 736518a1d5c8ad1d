//! How far Stripe's list of running subscriptions was read, per connection: a page at a time, so that a restart reads on. The rest of a
//! connection's reading is in `stripe_cursors`, in the same row.

use std::time::Duration;

use super::stripe_connections::Connection;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        billing::{portal::Portal, subscription::SubscriptionStatus},
        stripe_object::ObjectKind,
    },
    ids::ConnectionId,
};

/// A connection of which a page is to be read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Turn {
    #[sqlx(flatten)]
    pub connection: Connection,
    /// Since when the list is being read; `None`: it is to be begun.
    pub began_at: Option<Timestamp>,
    /// The last subscription of the page before; `None`: there was none.
    pub after: Option<String>,
    /// Whether a list was read to its end since the cursor was set.
    pub is_listed: bool,
    /// By Postgres' clock: what the page shows is no older.
    pub since: Timestamp,
}

/// Takes one connection whose next page is due, and keeps it for `lease`: a reader that dies costs that. First contact is begun by
/// [`begin`].
pub async fn take(crossing: &mut Crossing, lease: Duration) -> Result<Option<Turn>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS (
             SELECT p.guild_id, p.connection_id FROM stripe_cursors p JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE p.list_next_at <= now() AND s.state = 'active' AND (p.list_began_at IS NOT NULL OR p.listed_at IS NOT NULL)
              ORDER BY p.list_next_at LIMIT 1 FOR NO KEY UPDATE OF p SKIP LOCKED
         )
         UPDATE stripe_cursors c SET list_next_at = clock_timestamp() + make_interval(secs => $1)
           FROM due WHERE (c.guild_id, c.connection_id) = (due.guild_id, due.connection_id)
         RETURNING c.guild_id, c.connection_id, c.list_began_at AS began_at,
                   CASE WHEN c.list_began_at IS NOT NULL THEN c.list_after END AS after,
                   c.listed_at IS NOT NULL AS is_listed, clock_timestamp() AS since",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// Begins the list anew: its first page is due at once. Answers since when that is.
pub async fn begin(tenant: &mut Tenant, connection: ConnectionId) -> Result<Timestamp, sqlx::Error> {
    let began_at = sqlx::query_scalar(
        "UPDATE stripe_cursors
            SET list_began_at = clock_timestamp(), list_next_at = now(), list_after = NULL, list_seen = 0,
                list_expected = (SELECT nullif(count(*), 0) FROM subscriptions
                                  WHERE guild_id = $1 AND connection_id = $2 AND missing_since IS NULL AND status <> ALL ($3))
          WHERE guild_id = $1 AND connection_id = $2
         RETURNING list_began_at",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(SubscriptionStatus::ENDED.map(|status| status.as_str().to_owned()).to_vec())
    .fetch_one(tenant.db())
    .await?;
    // After the cursor's row, as `turn` takes them.
    sqlx::query("DELETE FROM stripe_list_pages WHERE guild_id = $1 AND connection_id = $2")
        .bind(tenant.guild())
        .bind(connection)
        .execute(tenant.db())
        .await?;
    Ok(began_at)
}

/// The same, with what was bought once: as at first contact, and not where that was not made yet.
pub async fn begin_whole(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    let was_begun = sqlx::query(
        "UPDATE stripe_cursors SET listed_at = NULL
          WHERE guild_id = $1 AND connection_id = $2 AND (listed_at IS NOT NULL OR list_began_at IS NOT NULL)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    if was_begun.rows_affected() == 1 {
        begin(tenant, connection).await?;
    }
    Ok(())
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// It is written down, and the next is due at once.
    Page,
    /// The list was there before: it turns in a circle.
    Again,
    /// Somebody else went on with the list: the caller must roll back.
    LostTurn,
}

/// Writes down what a page has shown. After the rows of its objects.
pub async fn turn(tenant: &mut Tenant, turn: &Turn, ids: &[String]) -> Result<Turned, sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE stripe_cursors SET list_after = coalesce($6, list_after), list_seen = list_seen + $5, list_next_at = now(),
                list_error = NULL, list_failing_since = NULL, answered_at = now()
          WHERE guild_id = $1 AND connection_id = $2 AND list_began_at = $3 AND list_after IS NOT DISTINCT FROM $4",
    )
    .bind(tenant.guild())
    .bind(turn.connection.id)
    .bind(turn.began_at)
    .bind(&turn.after)
    .bind(i32::try_from(ids.len()).unwrap_or(i32::MAX))
    .bind(ids.last())
    .execute(tenant.db())
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(Turned::LostTurn);
    }
    let Some(last) = ids.last() else { return Ok(Turned::Page) };
    let noted = sqlx::query(
        "INSERT INTO stripe_list_pages (guild_id, connection_id, last_id, ids) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(turn.connection.id)
    .bind(last)
    .bind(ids)
    .execute(tenant.db())
    .await?;
    Ok(if noted.rows_affected() == 1 { Turned::Page } else { Turned::Again })
}

/// The subscriptions that give access as far as we know, and that no page has shown: each is to be read by itself.
pub async fn unlisted(tenant: &mut Tenant, connection: ConnectionId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT source_id FROM access_sources
          WHERE guild_id = $1 AND connection_id = $2 AND kind = 'stripe' AND stripe_object = $3 AND state = 'live'
         EXCEPT SELECT unnest(ids) FROM stripe_list_pages WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(ObjectKind::Subscription.as_str())
    .fetch_all(tenant.db())
    .await
}

/// The list was read to its end. The next one begins after `wait`.
pub async fn end(tenant: &mut Tenant, connection: ConnectionId, wait: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM stripe_list_pages WHERE guild_id = $1 AND connection_id = $2")
        .bind(tenant.guild())
        .bind(connection)
        .execute(tenant.db())
        .await?;
    sqlx::query(
        "UPDATE stripe_cursors SET listed_at = now(), list_began_at = NULL, list_after = NULL,
                list_next_at = now() + make_interval(secs => $3)
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(wait.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The page could not be read; again after `wait`.
pub async fn retry(
    tenant: &mut Tenant,
    connection: ConnectionId,
    wait: Duration,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET list_next_at = clock_timestamp() + make_interval(secs => $3), list_error = $4,
                list_failing_since = coalesce(list_failing_since, now())
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(wait.as_secs_f64())
    .bind(error)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The page was not read, for no fault of anybody's: the next reader may begin at once.
pub async fn give_back(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE stripe_cursors SET list_next_at = now() WHERE guild_id = $1 AND connection_id = $2")
        .bind(tenant.guild())
        .bind(connection)
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// How far a connection is read, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Progress {
    #[sqlx(flatten)]
    pub connection: Connection,
    /// How many subscriptions the list has shown that is being read; `None`: none is.
    pub seen: Option<i32>,
    /// How many we knew when it began.
    pub expected: Option<i32>,
    /// Why it cannot be read on.
    pub error: Option<String>,
    /// Reads of Stripe's API in this calendar month, UTC, but for those of the last minute.
    pub reads: i32,
    /// Where members manage or cancel what they pay for.
    #[sqlx(flatten)]
    pub portal: Portal,
    /// How many Stripe grants it.
    pub granted: i32,
}

/// Of all connections, in order.
pub async fn progress(crossing: &mut Crossing) -> Result<Vec<Progress>, sqlx::Error> {
    sqlx::query_as(
        "SELECT guild_id, connection_id, CASE WHEN list_began_at IS NOT NULL THEN list_seen END AS seen,
                list_expected AS expected, list_error AS error,
                CASE WHEN reads_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN reads ELSE 0 END AS reads,
                reads_granted AS granted, portal_url, portal_read, portal_login_url
           FROM stripe_cursors JOIN stripe_connections USING (guild_id, connection_id) ORDER BY guild_id, connection_id",
    )
    .fetch_all(crossing.db())
    .await
}
