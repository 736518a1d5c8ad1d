//! Has what happened at Stripe since some time read again. In: since when, and perhaps one connection. Out: what came of it for each.
//!
//! The gateway does it, since it alone has the keys; how far it is, `store::stripe_backfills` says.

use super::{ActionError, begin_known};
use crate::{
    clock::Timestamp,
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        backfill::Way,
    },
    store::{
        audit_log,
        stripe_backfills::{self, Source},
        stripe_connections::{self, Listed},
    },
};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backfilled {
    /// The guild has no such connection that is active; nothing is written.
    NoConnection,
    /// One for each that is active, or that was asked for.
    Ordered(Vec<(Listed, Outcome)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway begins at once.
    Begun(Way),
    /// One is under way, and goes on as it is; nothing is written.
    UnderWay,
}

/// `endpoint`: the last part of a connection's webhook address; `None`: all of the guild. `since` is in the past.
pub async fn backfill(
    pool: &Pool,
    by: &Authorized,
    endpoint: Option<&str>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Backfilled, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let all = stripe_connections::of_guild(&mut tenant).await?;
    let asked = |listed: &Listed| {
        listed.state == "active" && endpoint.is_none_or(|endpoint| listed.endpoint_id == endpoint)
    };
    let way = Way::since(since, now);
    let mut ordered = Vec::new();
    // In the order of their ids, as everybody locks them.
    for listed in all.into_iter().filter(asked) {
        let id = listed.connection_id;
        let is_new =
            stripe_backfills::order(&mut tenant, id, Source::Stripe, since, way.reads_lists()).await?;
        if is_new {
            let change = Change::default().time("since", None, Some(since));
            let entry = AuditEntry::new(by.actor(), AuditAction::BackfillAsked, format!("connection {id}"));
            audit_log::record(&mut tenant, &entry.change(change)).await?;
        }
        ordered.push((listed, if is_new { Outcome::Begun(way) } else { Outcome::UnderWay }));
    }
    if ordered.is_empty() {
        return Ok(Backfilled::NoConnection);
    }
    tenant.commit().await?;
    Ok(Backfilled::Ordered(ordered))
}
