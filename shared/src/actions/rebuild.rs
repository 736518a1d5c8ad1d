//! Has access derived again from what was read from Stripe, without a read where the rows are enough. Out: a [`Rebuilt`].
//!
//! The gateway does it, by the derivation that follows a read. By rows alone access begins, and none ends: what would end is read first.

use super::{ActionError, begin_known};
use crate::{
    clock::Timestamp,
    db::{authorized::Authorized, pool::Pool},
    domain::audit::{AuditAction, AuditEntry},
    store::{
        audit_log,
        stripe_backfills::{self, Source},
        stripe_connections,
    },
};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuilt {
    /// The guild has no connection that is active; nothing is written.
    NoConnection,
    Ordered {
        /// Of so many connections.
        connections: usize,
        /// Of so many a backfill or a rebuild is under way, and goes on as it is.
        under_way: usize,
    },
}

pub async fn rebuild(pool: &Pool, by: &Authorized, now: Timestamp) -> Result<Rebuilt, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let all = stripe_connections::of_guild(&mut tenant).await?;
    let (mut connections, mut under_way) = (0, 0);
    for listed in all.into_iter().filter(|listed| listed.state == "active") {
        let id = listed.connection_id;
        if !stripe_backfills::order(&mut tenant, id, Source::Mirror, now, false).await? {
            under_way += 1;
            continue;
        }
        connections += 1;
        let entry = AuditEntry::new(by.actor(), AuditAction::RebuildAsked, format!("connection {id}"));
        audit_log::record(&mut tenant, &entry).await?;
    }
    if connections + under_way == 0 {
        return Ok(Rebuilt::NoConnection);
    }
    tenant.commit().await?;
    Ok(Rebuilt::Ordered { connections, under_way })
}
