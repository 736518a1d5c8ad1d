//! Why a member should have a role. Desired = at least one live source.

use std::collections::BTreeSet;

use super::{audit, tenant::Tenant};
use crate::{
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        job::{JobAction, JobOrigin},
        transition::{Gift, Transition},
    },
    ids::{ConnectionId, RoleId, SubscriptionId, UserId},
};

/// What this subscription gives now, in our books.
pub async fn live(
    tenant: &mut Tenant,
    connection: ConnectionId,
    subscription: &SubscriptionId,
) -> Result<BTreeSet<Gift>, sqlx::Error> {
    let rows: Vec<(UserId, RoleId)> = sqlx::query_as(
        "SELECT user_id, role_id FROM access_sources
          WHERE guild_id = $1 AND connection_id = $2 AND source_id = $3 AND state = 'live'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(subscription)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into_iter().map(|(user, role)| Gift { user, role }).collect())
}

/// Applies one transition: the source, the audit entry and the job that wakes the bot, together.
///
/// The job is written for every change of a source, not only when the union of sources changes: two concurrent
/// cancels would each see the other as live, and nobody would revoke. The bot looks at the union when it acts.
pub async fn apply(
    tenant: &mut Tenant,
    connection: ConnectionId,
    subscription: &SubscriptionId,
    transition: Transition,
    origin: JobOrigin,
    evidence: &str,
    cause: &str,
) -> Result<(), sqlx::Error> {
    let (gift, state, action, audited) = match transition {
        Transition::Begin(gift) => (gift, "live", JobAction::Grant, AuditAction::AccessBegan),
        Transition::End(gift) => (gift, "ended", JobAction::Revoke, AuditAction::AccessEnded),
    };
    sqlx::query(
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
         VALUES ($1, $2, $3, 'stripe', $4, $5, $6, $7)
         ON CONFLICT (guild_id, user_id, role_id, kind, connection_id, source_id)
             DO UPDATE SET state = excluded.state, evidence = excluded.evidence, changed_at = now()",
    )
    .bind(tenant.guild())
    .bind(gift.user)
    .bind(gift.role)
    .bind(connection)
    .bind(subscription)
    .bind(state)
    .bind(evidence)
    .execute(tenant.db())
    .await?;
    super::role_jobs::enqueue(tenant, gift.user, gift.role, action, origin, cause).await?;
    let entry = AuditEntry::new(Actor::Stripe, audited, cause).about(gift.user).role(gift.role);
    audit::record(tenant, &entry).await
}
