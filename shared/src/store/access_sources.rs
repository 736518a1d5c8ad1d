//! Why a member should have a role. Desired = at least one live source.

use super::audit_log;
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        entitlement::{
            diff::{RoleEntitlement, Transition},
            ended_by::EndedBy,
            mapping::Sold,
            source::SourceRef,
        },
        job::{JobAction, JobOrigin},
        stripe_object::ObjectKind,
    },
    ids::{ConnectionId, CustomerId, RoleId, UserId},
};

/// One role that a source gives now, as our rows have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    pub given: RoleEntitlement,
    /// When it ends by itself; `None`: it does not.
    pub until: Option<Timestamp>,
}

/// What a source at Stripe gives now.
pub async fn live(tenant: &mut Tenant, source: &SourceRef) -> Result<Vec<Live>, sqlx::Error> {
    let rows: Vec<(UserId, RoleId, Option<Timestamp>)> = sqlx::query_as(
        "SELECT user_id, role_id, valid_until FROM access_sources
          WHERE guild_id = $1 AND connection_id = $2 AND source_id = $3
            AND stripe_object = $4 AND state = 'live'",
    )
    .bind(tenant.guild())
    .bind(source.connection())
    .bind(source.id())
    .bind(source.stripe_object())
    .fetch_all(tenant.db())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(user, role, until)| Live { given: RoleEntitlement { user, role }, until })
        .collect())
}

/// Says of live roles of a source when they end by themselves.
pub async fn set_until(
    tenant: &mut Tenant,
    source: &SourceRef,
    ends: &[(RoleEntitlement, Option<Timestamp>)],
) -> Result<(), sqlx::Error> {
    for (given, until) in ends {
        sqlx::query(
            "UPDATE access_sources SET valid_until = $7
              WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND kind = $4
                AND connection_id IS NOT DISTINCT FROM $5 AND source_id = $6 AND state = 'live'",
        )
        .bind(tenant.guild())
        .bind(given.user)
        .bind(given.role)
        .bind(source.kind())
        .bind(source.connection())
        .bind(source.id())
        .bind(until)
        .execute(tenant.db())
        .await?;
    }
    Ok(())
}

/// Why a source changes, for the rows that are written with it.
#[derive(Debug, Clone, Copy)]
pub struct Because<'a> {
    pub actor: Actor,
    /// How soon the bot is to act on it.
    pub origin: JobOrigin,
    /// Of an end: by what, where that is known.
    pub ended_by: Option<EndedBy>,
    /// What was read or said; kept with the source.
    pub evidence: &'a str,
    /// The same with the event that led to it; kept with the job and the audit entry.
    pub cause: &'a str,
}

/// Applies one transition: the source, the audit entry and the job that wakes the bot, together.
///
/// The job is written for every change of a source, not only when the union of sources changes: two concurrent
/// cancels would each see the other as live, and nobody would revoke. The bot checks the union when it acts.
pub async fn apply(
    tenant: &mut Tenant,
    source: &SourceRef,
    transition: Transition,
    because: Because<'_>,
) -> Result<(), sqlx::Error> {
    let (given, state, action, audited) = match transition {
        Transition::Begin(given) => (given, "live", JobAction::Grant, AuditAction::AccessBegan),
        Transition::End(given) => (given, "ended", JobAction::Revoke, AuditAction::AccessEnded),
    };
    let Because { actor, origin, ended_by, evidence, cause } = because;
    sqlx::query(
        "INSERT INTO access_sources
                (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, stripe_object, ended_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (guild_id, user_id, role_id, kind, connection_id, source_id)
             DO UPDATE SET state = excluded.state, evidence = excluded.evidence, changed_at = now(), valid_until = NULL,
                           ended_by = excluded.ended_by",
    )
    .bind(tenant.guild())
    .bind(given.user)
    .bind(given.role)
    .bind(source.kind())
    .bind(source.connection())
    .bind(source.id())
    .bind(state)
    .bind(evidence)
    .bind(source.stripe_object())
    .bind(ended_by)
    .execute(tenant.db())
    .await?;
    super::role_jobs::enqueue(tenant, given.user, given.role, action, origin, cause).await?;
    let entry = AuditEntry::new(actor, audited, cause).about(given.user).role(given.role);
    audit_log::record(tenant, &entry).await
}

/// The subscriptions, or the checkout sessions, of a connection that give access as far as we know: what a list of Stripe's lacks of
/// them is to be read by itself.
pub async fn live_of_kind(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT source_id FROM access_sources
          WHERE guild_id = $1 AND connection_id = $2 AND kind = 'stripe' AND stripe_object = $3 AND state = 'live'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(kind.as_str())
    .fetch_all(tenant.db())
    .await
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
       JOIN (SELECT guild_id, connection_id, subscription_id AS id, customer_id, missing_since FROM subscriptions
             UNION ALL
             SELECT guild_id, connection_id, session_id, customer_id, missing_since FROM purchases WHERE customer_id IS NOT NULL) s
         ON (s.guild_id, s.connection_id, s.id) = (a.guild_id, a.connection_id, a.source_id)
      WHERE a.guild_id = $1 AND a.kind = 'stripe' AND a.state = 'live' AND (c.state <> 'active' OR s.missing_since IS NOT NULL)
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
        "UPDATE access_sources a SET state = 'ended', ended_by = 'owner', evidence = $3, changed_at = now()
           FROM (SELECT connection_id, subscription_id AS id, missing_since FROM subscriptions WHERE guild_id = $1 AND customer_id = $2
                 UNION ALL
                 SELECT connection_id, session_id, missing_since FROM purchases WHERE guild_id = $1 AND customer_id = $2) s
           JOIN stripe_connections c ON c.guild_id = $1 AND c.connection_id = s.connection_id
          WHERE a.guild_id = $1 AND a.kind = 'stripe' AND a.state = 'live'
            AND (s.connection_id, s.id) = (a.connection_id, a.source_id)
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

/// Ends, by an owner's word, what a mapping that was just removed alone gave: nothing else that is mapped to the role is in the same subscription or
/// purchase, as far as it was read. Returns whose that was.
pub async fn end_unmapped(
    tenant: &mut Tenant,
    sold: &Sold,
    role: RoleId,
    evidence: &str,
) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH ended AS (
             UPDATE access_sources a SET state = 'ended', ended_by = 'owner', evidence = $5, changed_at = now()
              WHERE a.guild_id = $1 AND a.role_id = $4 AND a.kind = 'stripe' AND a.state = 'live'
                -- Without any mapping nothing that was bought gives the role, whatever the subscription's last read lacked.
                AND (NOT EXISTS (SELECT FROM role_mappings WHERE guild_id = $1 AND role_id = $4)
                     OR EXISTS (SELECT FROM (SELECT guild_id, connection_id, subscription_id AS id, price_ids, product_ids
                                               FROM subscriptions
                                             UNION ALL
                                             SELECT guild_id, connection_id, session_id, price_ids, product_ids FROM purchases) s
                                 WHERE (s.guild_id, s.connection_id, s.id) = (a.guild_id, a.connection_id, a.source_id)
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

/// Whether something else than this source gives a member the role, too.
pub async fn is_given_otherwise(
    tenant: &mut Tenant,
    source: &SourceRef,
    given: RoleEntitlement,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM access_sources
                         WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'live'
                           AND (kind, source_id, connection_id) IS DISTINCT FROM ($4, $5, $6::bigint))",
    )
    .bind(tenant.guild())
    .bind(given.user)
    .bind(given.role)
    .bind(source.kind())
    .bind(source.id())
    .bind(source.connection())
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
