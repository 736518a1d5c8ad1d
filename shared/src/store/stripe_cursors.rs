//! How far Stripe's list of events was read, per connection.

use std::time::Duration;

use super::stripe_connections::Connection;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::billing::{READS_GRANTED, READS_PER_PAYMENT},
    ids::{ConnectionId, EventId},
};

/// A connection whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub connection: Connection,
    /// The newest event that was read.
    pub last_event: Option<String>,
    /// When Stripe last answered a poll; `None`: it never did.
    pub answered_at: Option<Timestamp>,
    /// Whether first contact is made.
    pub listed: Listed,
    /// The list of events that are no matter of access, if its turn has come too.
    pub other: Option<OtherCursor>,
}

/// How far the list of other events was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherCursor {
    /// The newest event that was read; `None`: there was none, or none is known any more.
    pub last_event: Option<String>,
}

/// Whether the list of all subscriptions was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Not since the cursor was set: it is to be begun.
    Never,
    /// It is being read, or was.
    Begun,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    connection: Connection,
    last_event_id: Option<String>,
    answered_at: Option<Timestamp>,
    is_listed: bool,
    other_event_id: Option<String>,
    other_is_due: bool,
}

/// Makes the cursor of a connection, due at once; idempotent.
pub async fn ensure(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO stripe_cursors (guild_id, connection_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Polls at once, for the key may be another account's since the last time: then the list of events does not know the cursor, and
/// the whole state is read again. Without a cursor that would show nothing, and there is little to read. A list that was being read goes on
/// at once, and the portal is looked for again where none was found.
pub async fn begin(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET next_poll_at = now(), other_poll_at = now(),
                listed_at = CASE WHEN last_event_id IS NOT NULL THEN listed_at END,
                list_began_at = CASE WHEN last_event_id IS NOT NULL THEN list_began_at END,
                list_next_at = CASE WHEN list_began_at IS NOT NULL THEN now() ELSE list_next_at END,
                portal_next_at = CASE WHEN portal_read = 'page' THEN portal_next_at ELSE now() END
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Takes one connection whose poll is due, and moves its next poll on by `every`: a poller that dies costs one poll. So too with the
/// list of other events and `other_every`, which is looked at when the first is.
pub async fn take(
    crossing: &mut Crossing,
    every: Duration,
    other_every: Duration,
) -> Result<Option<Cursor>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "WITH due AS (
             SELECT p.guild_id, p.connection_id, p.other_poll_at <= now() AS other_is_due
               FROM stripe_cursors p JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE p.next_poll_at <= now() AND s.state = 'active'
              ORDER BY p.next_poll_at LIMIT 1 FOR NO KEY UPDATE OF p SKIP LOCKED
         )
         UPDATE stripe_cursors c SET next_poll_at = clock_timestamp() + make_interval(secs => $1),
                other_poll_at = CASE WHEN due.other_is_due THEN clock_timestamp() + make_interval(secs => $2)
                                     ELSE c.other_poll_at END
           FROM due WHERE (c.guild_id, c.connection_id) = (due.guild_id, due.connection_id)
         RETURNING c.guild_id, c.connection_id, c.last_event_id, c.answered_at,
                   (c.listed_at IS NOT NULL OR c.list_began_at IS NOT NULL) AS is_listed, c.other_event_id, due.other_is_due",
    )
    .bind(every.as_secs_f64())
    .bind(other_every.as_secs_f64())
    .fetch_optional(crossing.db())
    .await?;
    Ok(row.map(|row| Cursor {
        connection: row.connection,
        last_event: row.last_event_id,
        answered_at: row.answered_at,
        listed: if row.is_listed { Listed::Begun } else { Listed::Never },
        other: row.other_is_due.then_some(OtherCursor { last_event: row.other_event_id }),
    }))
}

/// A poll came to the end of the list. `brought`: how many of its events webhooks had brought before; `missed`: how many they had not,
/// though they were to.
pub async fn polled(
    tenant: &mut Tenant,
    connection: ConnectionId,
    brought: i32,
    missed: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET last_error = NULL, failing_since = NULL, answered_at = now(),
                webhook_at = CASE WHEN $3 > 0 AND $4 = 0 THEN now() ELSE webhook_at END,
                webhook_missed = CASE WHEN $3 > 0 AND $4 = 0 THEN 0 ELSE webhook_missed + $4 END
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(brought)
    .bind(missed)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Events up to this one are recorded.
pub async fn advance(
    tenant: &mut Tenant,
    connection: ConnectionId,
    event: &EventId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET last_event_id = $3, last_error = NULL, failing_since = NULL, answered_at = now()
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(event)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The list of events does not reach back to the cursor: begin again, with the whole state.
pub async fn reset(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET last_event_id = NULL, listed_at = NULL, list_began_at = NULL, next_poll_at = now()
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The poll failed; again after `wait`.
pub async fn retry(
    tenant: &mut Tenant,
    connection: ConnectionId,
    wait: Duration,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET next_poll_at = clock_timestamp() + make_interval(secs => $3), last_error = $4,
                failing_since = coalesce(failing_since, now())
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

/// Of the other events, those up to this one are recorded; `None`: the list does not reach back to the cursor, and begins anew.
pub async fn set_other(
    tenant: &mut Tenant,
    connection: ConnectionId,
    event: Option<&EventId>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE stripe_cursors SET other_event_id = $3 WHERE guild_id = $1 AND connection_id = $2")
        .bind(tenant.guild())
        .bind(connection)
        .bind(event)
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// The other events were read to the end of their list.
pub async fn polled_other(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET other_error = NULL, other_failing_since = NULL
          WHERE guild_id = $1 AND connection_id = $2 AND other_failing_since IS NOT NULL",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The poll of the other events failed; again after `wait`, with the next poll of those that matter.
pub async fn retry_other(
    tenant: &mut Tenant,
    connection: ConnectionId,
    wait: Duration,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET other_poll_at = clock_timestamp() + make_interval(secs => $3), other_error = $4,
                other_failing_since = coalesce(other_failing_since, now())
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

/// Adds to the reads of this calendar month, UTC, and counts anew how many Stripe grants: so many for each payment of the last 30 days that
/// we know of, which of a subscription is its latest.
pub async fn count_reads(
    tenant: &mut Tenant,
    connection: ConnectionId,
    reads: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors
            SET reads = $3 + CASE WHEN reads_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN reads ELSE 0 END,
                reads_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date,
                reads_granted = least(2000000000, greatest($4::bigint, $5::bigint * (
                    (SELECT count(*) FROM subscriptions
                      WHERE guild_id = $1 AND connection_id = $2 AND paid_invoice_at > now() - interval '30 days')
                  + (SELECT count(*) FROM purchases
                      WHERE guild_id = $1 AND connection_id = $2 AND paid_at > now() - interval '30 days'))))::integer
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(reads)
    .bind(READS_GRANTED)
    .bind(READS_PER_PAYMENT)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// How many reads of this calendar month, UTC, were made and are granted, as was written last.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct MonthOfReads {
    pub reads: i32,
    pub granted: i32,
    /// Seconds.
    ends_in: f64,
}

impl MonthOfReads {
    /// Until the next month begins.
    pub fn ends_in(self) -> Duration {
        Duration::try_from_secs_f64(self.ends_in).unwrap_or_default()
    }
}

/// `None`: the connection is not read.
pub async fn month_of_reads(
    tenant: &mut Tenant,
    connection: ConnectionId,
) -> Result<Option<MonthOfReads>, sqlx::Error> {
    sqlx::query_as(
        "SELECT CASE WHEN reads_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN reads ELSE 0 END AS reads,
                reads_granted AS granted,
                extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month' - now() AT TIME ZONE 'UTC')::float8
                    AS ends_in
           FROM stripe_cursors WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_optional(tenant.db())
    .await
}

/// The list of events is polled at once, and that of other events with it, if it failed.
pub async fn poll_now(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET next_poll_at = now(),
                other_poll_at = CASE WHEN other_failing_since IS NOT NULL THEN now() ELSE other_poll_at END
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}
