//! Forgetting a member of a server: what still ties them to it, and the end of what does not.

use std::collections::BTreeSet;

use super::{
    audit_log, claim_codes, customer_hands, follow_questions, link_tokens, member_links, pending_members,
    role_jobs, role_revokes,
};
use crate::db::tenant::Tenant;
use crate::{
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        job::{JobAction, JobOrigin},
    },
    ids::{CustomerId, RoleId, UserId},
};

/// Why access ended: in words that say no more than the audit log may keep.
const UNLINKED: &str = "the customer is not theirs any more";

/// What is open about a member; nothing of it may be forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Ties {
    /// Stripe customers that are this member, and customers, subscriptions and purchases whose metadata names them.
    pub links: i64,
    /// Of the customers that were theirs: still to be read from Stripe.
    pub unread: i64,
    /// Reasons for a role.
    pub sources: i64,
    /// Roles that Discord holds because of us.
    pub held: i64,
    /// Role changes that are not done.
    pub jobs: i64,
}

impl Ties {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What ties a member. `were_theirs`: customers that were linked to them until now.
pub async fn ties(
    tenant: &mut Tenant,
    member: UserId,
    were_theirs: &BTreeSet<CustomerId>,
) -> Result<Ties, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM member_links WHERE guild_id = $1 AND user_id = $2)
                + (SELECT count(*) FROM customers c WHERE guild_id = $1 AND named_user_id = $2
                     AND NOT EXISTS (SELECT FROM member_links l
                                      WHERE (l.guild_id, l.connection_id, l.customer_id, l.user_id)
                                          = (c.guild_id, c.connection_id, c.customer_id, $2)))
                + (SELECT count(*) FROM subscriptions WHERE guild_id = $1 AND user_id = $2)
                + (SELECT count(*) FROM purchases WHERE guild_id = $1 AND user_id = $2) AS links,
                -- Without a list, whatever is due, or only shares its next read: they may have been unlinked by an earlier try.
                (SELECT count(*) FROM stripe_sync s JOIN stripe_connections c USING (guild_id, connection_id)
                  WHERE s.guild_id = $1 AND c.state = 'active' AND c.metadata_links AND s.object_kind <> 'catalogue'
                    AND CASE WHEN cardinality($3::text[]) = 0 THEN s.next_at <= greatest(now(), s.not_before)
                             ELSE s.next_at IS NOT NULL AND (s.dirty_seq > 0 OR s.next_at <= now())
                                  AND (s.object_id = ANY ($3)
                                       OR s.object_id IN (SELECT subscription_id FROM subscriptions
                                                           WHERE guild_id = $1 AND customer_id = ANY ($3)
                                                          UNION ALL
                                                          SELECT session_id FROM purchases
                                                           WHERE guild_id = $1 AND customer_id = ANY ($3))) END) AS unread,
                (SELECT count(*) FROM access_sources
                  WHERE guild_id = $1 AND user_id = $2 AND state = 'live') AS sources,
                -- What was taken is only checked once more.
                (SELECT count(*) FROM role_grants
                  WHERE guild_id = $1 AND user_id = $2 AND state <> 'ending') AS held,
                (SELECT count(*) FROM role_jobs
                  WHERE guild_id = $1 AND user_id = $2 AND finished_at IS NULL AND origin <> 'recheck') AS jobs",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(were_theirs.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_one(tenant.db())
    .await
}

/// Ends every reason for a role that a member has: their customers are not theirs any more.
pub async fn end_access(tenant: &mut Tenant, member: UserId, actor: Actor) -> Result<(), sqlx::Error> {
    let ended: Vec<RoleId> = sqlx::query_scalar(
        "UPDATE access_sources SET state = 'ended', ended_by = 'owner', evidence = $3, changed_at = now()
          WHERE guild_id = $1 AND user_id = $2 AND state = 'live' RETURNING role_id",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(UNLINKED)
    .fetch_all(tenant.db())
    .await?;
    for &role in &ended {
        role_jobs::enqueue(tenant, member, role, JobAction::Revoke, JobOrigin::Command, UNLINKED).await?;
        let entry = AuditEntry::new(actor, AuditAction::AccessEnded, UNLINKED).about(member).role(role);
        audit_log::record(tenant, &entry).await?;
    }
    if ended.is_empty() { Ok(()) } else { role_jobs::announce_with(tenant).await }
}

/// Forgets a member whom nothing ties any more; an error if something does, unless it is to be done `anyway`. Answers how many
/// audit entries were about them: those stay, without the person. One more says that somebody was forgotten, by the actor.
pub async fn forget(
    tenant: &mut Tenant,
    member: UserId,
    actor: Actor,
    anyway: bool,
) -> Result<i64, sqlx::Error> {
    // What mirrors the owner's Stripe account stays, as nobody's.
    let forgotten = sqlx::query_scalar("SELECT forget_member($1, $2, $3)")
        .bind(member)
        .bind(anyway)
        .bind(actor.as_str())
        .fetch_one(tenant.db())
        .await?;
    claim_codes::forget(tenant, member).await?;
    link_tokens::forget(tenant, member).await?;
    member_links::forget_naming(tenant, member).await?;
    follow_questions::forget(tenant, member).await?;
    pending_members::remove(tenant, member).await?;
    role_revokes::forget(tenant, member).await?;
    customer_hands::forget(tenant, member).await?;
    Ok(forgotten)
}
