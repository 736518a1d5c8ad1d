//! Why a member should have a role. Desired = at least one live source.

use std::collections::BTreeSet;

use super::{audit_log, role_mappings::Sold};
use crate::db::tenant::Tenant;
use crate::{
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        entitlement::diff::{Gift, Transition},
        job::{JobAction, JobOrigin},
    },
    ids::{ConnectionId, CustomerId, RoleId, SubscriptionId, UserId},
};

/// What this subscription gives now, as our rows have it.
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
    audit_log::record(tenant, &entry).await
}

/// A customer who paid on an account, or in a mode, that is not connected any more: nothing will show the end of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unbacked {
    /// `cus_…`
    pub customer_id: CustomerId,
    /// How many roles of members still follow from it.
    pub sources: i64,
}

/// All such customers of a guild. One statement for the bot and the doctor.
pub(super) const UNBACKED: &str = "SELECT s.customer_id, count(*) AS sources
       FROM access_sources a JOIN stripe_connections c USING (guild_id, connection_id)
       JOIN subscriptions s ON (s.guild_id, s.connection_id, s.subscription_id) = (a.guild_id, a.connection_id, a.source_id)
      WHERE a.guild_id = $1 AND a.state = 'live' AND (c.state <> 'active' OR s.missing_since IS NOT NULL)
      GROUP BY s.customer_id ORDER BY s.customer_id";

pub async fn unbacked(tenant: &mut Tenant) -> Result<Vec<Unbacked>, sqlx::Error> {
    sqlx::query_as(UNBACKED).bind(tenant.guild()).fetch_all(tenant.db()).await
}

/// Ends what a customer paid for on accounts that are not connected any more, by an owner's word. Answers how many reasons for
/// a role that were.
pub async fn end_unbacked(
    tenant: &mut Tenant,
    customer: &CustomerId,
    actor: Actor,
) -> Result<usize, sqlx::Error> {
    let cause = format!("{customer} was unlinked, and paid on an account that is not connected");
    let ended: Vec<(UserId, RoleId)> = sqlx::query_as(
        "UPDATE access_sources a SET state = 'ended', evidence = $3, changed_at = now()
           FROM subscriptions s JOIN stripe_connections c USING (guild_id, connection_id)
          WHERE a.guild_id = $1 AND a.state = 'live' AND s.guild_id = $1 AND s.customer_id = $2
            AND (s.connection_id, s.subscription_id) = (a.connection_id, a.source_id)
            AND (c.state <> 'active' OR s.missing_since IS NOT NULL)
         RETURNING a.user_id, a.role_id",
    )
    .bind(tenant.guild())
    .bind(customer)
    .bind(&cause)
    .fetch_all(tenant.db())
    .await?;
    for &(user, role) in &ended {
        super::role_jobs::enqueue(tenant, user, role, JobAction::Revoke, JobOrigin::Command, &cause).await?;
        let entry = AuditEntry::new(actor, AuditAction::AccessEnded, cause.clone()).about(user).role(role);
        audit_log::record(tenant, &entry).await?;
    }
    if !ended.is_empty() {
        super::role_jobs::announce_with(tenant).await?;
    }
    Ok(ended.len())
}

/// Ends what a mapping that was just removed alone gave: nothing else that is mapped to the role is in the same subscription, as far
/// as it was read. Returns whose that was.
pub async fn end_unmapped(
    tenant: &mut Tenant,
    sold: &Sold,
    role: RoleId,
    evidence: &str,
) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH ended AS (
             UPDATE access_sources a SET state = 'ended', evidence = $5, changed_at = now()
              WHERE a.guild_id = $1 AND a.role_id = $4 AND a.kind = 'stripe' AND a.state = 'live'
                -- Without any mapping nothing that was bought gives the role, whatever the subscription's last read lacked.
                AND (NOT EXISTS (SELECT FROM role_mappings WHERE guild_id = $1 AND role_id = $4)
                     OR EXISTS (SELECT FROM subscriptions s
                                 WHERE (s.guild_id, s.connection_id, s.subscription_id)
                                     = (a.guild_id, a.connection_id, a.source_id)
                                   AND $3 = ANY (CASE $2 WHEN 'price' THEN s.price_ids ELSE s.product_ids END)
                                   AND NOT EXISTS (SELECT FROM role_mappings m
                                                    WHERE m.guild_id = $1 AND m.role_id = $4
                                                      AND m.source_id = ANY (CASE m.source_kind WHEN 'price' THEN s.price_ids
                                                                                                ELSE s.product_ids END))))
             RETURNING a.user_id)
         SELECT DISTINCT user_id FROM ended ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(sold.kind())
    .bind(sold.id())
    .bind(role)
    .bind(evidence)
    .fetch_all(tenant.db())
    .await
}

/// Whether anything gives a role to a member.
pub async fn is_due(tenant: &mut Tenant, member: UserId, role: RoleId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM access_sources
                         WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'live')",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .fetch_one(tenant.db())
    .await
}

/// How many live sources come from a connection.
pub async fn count_live(tenant: &mut Tenant, connection: ConnectionId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM access_sources WHERE guild_id = $1 AND connection_id = $2 AND state = 'live'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_one(tenant.db())
    .await
}
