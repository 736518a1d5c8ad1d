//! Recording events: the one statement of the request path.

use std::collections::HashSet;

use super::stripe_connections::Connection;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::domain::stripe_object::Object;
use crate::{
    clock::Timestamp,
    ids::{ConnectionId, EventId, GuildId},
};

/// An event to record.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whose endpoint it came to.
    pub connection: Connection,
    pub id: EventId,
    /// Stripe's type, also one invented tomorrow.
    pub event_type: String,
    /// The object to re-read; `None` when it is none that we read, or the event is not for us.
    pub object: Option<Object>,
    /// Stripe's time of creation.
    pub created: Option<Timestamp>,
    /// Live or test.
    pub livemode: bool,
    /// The version that the payload was rendered with.
    pub api_version: Option<String>,
}

/// Whether an event was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is recorded now, and its object is dirty.
    New,
    /// It was recorded before; nothing was changed.
    Duplicate,
}

/// Records events once and marks their objects dirty, in one statement. Answers in the order of `events`.
pub async fn record(crossing: &mut Crossing, events: &[NewEvent]) -> Result<Vec<Recorded>, sqlx::Error> {
    let column = |of: fn(&NewEvent) -> Option<String>| events.iter().map(of).collect::<Vec<_>>();
    let new: Vec<(GuildId, ConnectionId, String)> = sqlx::query_as(
        "WITH batch AS (
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                                  $7::timestamptz[], $8::boolean[], $9::text[])
                 AS b (guild_id, connection_id, event_id, type, object_kind, object_id, created, livemode, api_version)
         ), recorded AS (
             INSERT INTO stripe_events
                 (guild_id, connection_id, event_id, type, object_id, created, livemode, api_version, state)
             SELECT guild_id, connection_id, event_id, type, object_id, created, livemode, api_version,
                    CASE WHEN object_id IS NULL THEN 'ignored' ELSE 'recorded' END
               FROM batch
              -- One order for everybody: two gateways with overlapping batches cannot deadlock.
              ORDER BY guild_id, connection_id, event_id
             ON CONFLICT DO NOTHING
             RETURNING guild_id, connection_id, event_id
         ), dirty AS (
             INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id)
             -- DISTINCT: an upsert may touch a row only once per statement.
             SELECT DISTINCT guild_id, connection_id, object_kind, object_id
               FROM batch JOIN recorded USING (guild_id, connection_id, event_id)
              WHERE object_id IS NOT NULL
              ORDER BY guild_id, connection_id, object_kind, object_id
             ON CONFLICT (guild_id, connection_id, object_kind, object_id) DO UPDATE
                 SET dirty_seq = stripe_sync.dirty_seq + 1, origin = 'purchase',
                     -- As `stripe_sync::hint` does.
                     next_at = least(stripe_sync.next_at, greatest(now(), stripe_sync.not_before))
         )
         SELECT guild_id, connection_id, event_id FROM recorded",
    )
    .bind(events.iter().map(|e| e.connection.guild.to_i64()).collect::<Vec<_>>())
    .bind(events.iter().map(|e| e.connection.id.to_i64()).collect::<Vec<_>>())
    .bind(column(|e| Some(e.id.to_string())))
    .bind(column(|e| Some(e.event_type.clone())))
    .bind(column(|e| e.object.as_ref().map(|o| o.kind.as_str().to_owned())))
    .bind(column(|e| e.object.as_ref().map(|o| o.id.clone())))
    .bind(events.iter().map(|e| e.created).collect::<Vec<_>>())
    .bind(events.iter().map(|e| e.livemode).collect::<Vec<_>>())
    .bind(column(|e| e.api_version.clone()))
    .fetch_all(crossing.db())
    .await?;
    let mut new: HashSet<_> = new.into_iter().collect();
    // Two copies in one batch: the first is new, the second a duplicate.
    Ok(events
        .iter()
        .map(|e| match new.remove(&(e.connection.guild, e.connection.id, e.id.to_string())) {
            true => Recorded::New,
            false => Recorded::Duplicate,
        })
        .collect())
}

/// The newest event that no read has answered yet: the cause shown to people.
pub async fn latest_open(
    tenant: &mut Tenant,
    connection: ConnectionId,
    object_id: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT event_id FROM stripe_events
          WHERE guild_id = $1 AND connection_id = $2 AND object_id = $3 AND state = 'recorded'
          ORDER BY received_at DESC LIMIT 1",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(object_id)
    .fetch_optional(tenant.db())
    .await
}

/// Marks the object's recorded events processed. Only right while the caller holds the object's `stripe_sync` row
/// with an unchanged `dirty_seq`: then every committed event was answered by the read.
pub async fn mark_processed(
    tenant: &mut Tenant,
    connection: ConnectionId,
    object_id: &str,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE stripe_events SET state = 'processed'
          WHERE guild_id = $1 AND connection_id = $2 AND object_id = $3 AND state = 'recorded'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(object_id)
    .execute(tenant.db())
    .await?;
    Ok(done.rows_affected())
}
