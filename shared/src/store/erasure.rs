//! Forgetting a member of a server: what still ties them to it, and the end of what does not.

use super::{audit, tenant::Tenant};
use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry},
    ids::{ConnectionId, CustomerId, UserId},
};

/// What is open about a member; nothing of it may be forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Ties {
    /// Stripe customers that are this member.
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
    /// Whether nothing is open.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What ties a member. `were_theirs`: customers that were linked to them until now.
pub async fn ties(
    tenant: &mut Tenant,
    member: UserId,
    were_theirs: &[(ConnectionId, CustomerId)],
) -> Result<Ties, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM member_links WHERE guild_id = $1 AND user_id = $2) AS links,
                (SELECT count(*) FROM stripe_sync
                  WHERE guild_id = $1 AND object_kind = 'customer' AND next_at IS NOT NULL
                    AND (connection_id, object_id) IN (SELECT * FROM unnest($3::bigint[], $4::text[]))) AS unread,
                (SELECT count(*) FROM access_sources
                  WHERE guild_id = $1 AND user_id = $2 AND state = 'live') AS sources,
                (SELECT count(*) FROM role_grants WHERE guild_id = $1 AND user_id = $2) AS held,
                (SELECT count(*) FROM role_jobs
                  WHERE guild_id = $1 AND user_id = $2 AND finished_at IS NULL) AS jobs",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(were_theirs.iter().map(|(connection, _)| *connection).collect::<Vec<_>>())
    .bind(were_theirs.iter().map(|(_, customer)| customer.to_string()).collect::<Vec<_>>())
    .fetch_one(tenant.db())
    .await
}

/// Forgets a member whom nothing ties any more; an error if something does. Answers how many audit entries were about them:
/// those stay, without the person.
pub async fn forget(tenant: &mut Tenant, member: UserId) -> Result<i64, sqlx::Error> {
    let entries = sqlx::query_scalar("SELECT forget_member($1)").bind(member).fetch_one(tenant.db()).await?;
    let entry = AuditEntry::new(Actor::Operator, AuditAction::MemberErased, "a member was forgotten");
    audit::record(tenant, &entry).await?;
    Ok(entries)
}
