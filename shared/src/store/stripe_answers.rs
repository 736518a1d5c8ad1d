//! When hints at Stripe's objects were answered, as their rows in `stripe_sync` have it: whether what one object shows is newer than what is
//! heard of another.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::stripe_object::{Object, ObjectKind},
    ids::ConnectionId,
};

/// Whether a good read of an object began after every event had come that is open about another, which leads to it: it shows what they tell
/// of. Both times are of Postgres' clock. `false`: nobody knows, or no event is open.
pub async fn was_read_after_events(
    tenant: &mut Tenant,
    connection: ConnectionId,
    object: &Object,
    events_about: &str,
) -> Result<bool, sqlx::Error> {
    let is_after: Option<bool> = sqlx::query_scalar(
        "SELECT s.read_began_at > (SELECT max(e.received_at) FROM stripe_events e
                                    WHERE e.guild_id = $1 AND e.connection_id = $2 AND e.object_id = $5 AND e.state = 'recorded')
           FROM stripe_sync s
          WHERE s.guild_id = $1 AND s.connection_id = $2 AND s.object_kind = $3 AND s.object_id = $4",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(object.kind.as_str())
    .bind(&object.id)
    .bind(events_about)
    .fetch_optional(tenant.db())
    .await?
    .flatten();
    Ok(is_after == Some(true))
}

/// Whether hints at an object were answered since then, by a read or without: whatever else shows it as it was before may be out of
/// date. `spacing`: as they were settled with.
pub async fn is_answered_since(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    id: &str,
    since: Timestamp,
    spacing: Duration,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM stripe_sync WHERE guild_id = $1 AND connection_id = $2 AND object_kind = $3
                           AND object_id = $4
                           -- A read moved it on by the spacing, an answer without one did not.
                           AND CASE WHEN not_before = synced_at + make_interval(secs => $6) THEN synced_at
                                    ELSE not_before END >= $5::timestamptz)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(kind.as_str())
    .bind(id)
    .bind(since)
    .bind(spacing.as_secs_f64())
    .fetch_one(tenant.db())
    .await
}
