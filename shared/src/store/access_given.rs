//! Sources of access that an owner gave, not sold: rows of `access_sources` without a connection.

use std::collections::BTreeMap;

use super::{audit_log, role_jobs};
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        entitlement::{given::Terms, source::SourceRef},
        job::{JobAction, JobOrigin},
    },
    ids::{GuildId, RoleId, UserId},
};

/// What is said of a source that ended by its time.
const OVER: &str = "its time is over";

/// The terms of what is live, as the rows have them.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    pub reason: Option<String>,
    pub valid_until: Option<Timestamp>,
}

/// To which of these members a source gives a role now; those rows stay so until the transaction ends.
pub async fn lock_live(
    tenant: &mut Tenant,
    users: &[UserId],
    role: RoleId,
    source: &SourceRef,
) -> Result<BTreeMap<UserId, Kept>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        user_id: UserId,
        #[sqlx(flatten)]
        kept: Kept,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT user_id, reason, valid_until FROM access_sources
          WHERE guild_id = $1 AND user_id = ANY ($2) AND role_id = $3 AND kind = $4 AND connection_id IS NULL AND source_id = $5
            AND state = 'live'
          ORDER BY user_id FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(users.iter().map(|user| user.to_i64()).collect::<Vec<_>>())
    .bind(role)
    .bind(source.kind())
    .bind(source.id())
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into_iter().map(|Row { user_id, kept }| (user_id, kept)).collect())
}

/// Gives a role to each of these members, on these terms. Answers those of whom that is news.
pub async fn give(
    tenant: &mut Tenant,
    users: &[UserId],
    role: RoleId,
    source: &SourceRef,
    terms: &Terms,
    evidence: &str,
) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO access_sources
                (guild_id, user_id, role_id, kind, source_id, state, evidence, valid_until, reason, stripe_object)
         SELECT $1, user_id, $3, $4, $5, 'live', $6, $7, $8, NULL FROM unnest($2::bigint[]) AS users (user_id) ORDER BY user_id
         ON CONFLICT (guild_id, user_id, role_id, kind, connection_id, source_id)
             DO UPDATE SET state = 'live', evidence = excluded.evidence, valid_until = excluded.valid_until,
                           reason = excluded.reason, ended_by = NULL,
                           -- Other terms do not begin it anew.
                           changed_at = CASE access_sources.state WHEN 'live' THEN access_sources.changed_at ELSE now() END
              WHERE (access_sources.state, access_sources.valid_until, access_sources.reason)
                    IS DISTINCT FROM ('live', excluded.valid_until, excluded.reason)
         RETURNING user_id",
    )
    .bind(tenant.guild())
    .bind(users.iter().map(|user| user.to_i64()).collect::<Vec<_>>())
    .bind(role)
    .bind(source.kind())
    .bind(source.id())
    .bind(evidence)
    .bind(terms.until)
    .bind(terms.reason.as_ref().map(|reason| reason.as_str()))
    .fetch_all(tenant.db())
    .await
}

/// Ends, by an owner's word, what a source gives a member; `false`: it gave nothing.
pub async fn end(
    tenant: &mut Tenant,
    member: UserId,
    role: RoleId,
    source: &SourceRef,
    evidence: &str,
) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query(
        "UPDATE access_sources SET state = 'ended', ended_by = 'owner', evidence = $6, changed_at = now()
          WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND kind = $4 AND connection_id IS NULL AND source_id = $5
            AND state = 'live'",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .bind(source.kind())
    .bind(source.id())
    .bind(evidence)
    .execute(tenant.db())
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Everything that gives a role to a member now, in words: `sub_… is active`.
pub async fn reasons(tenant: &mut Tenant, member: UserId, role: RoleId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT evidence FROM access_sources
          WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'live' ORDER BY kind DESC, source_id",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .fetch_all(tenant.db())
    .await
}

/// Guilds in which something that was not bought is over, what waits longest first.
pub async fn guilds_with_over(crossing: &mut Crossing, limit: i64) -> Result<Vec<GuildId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT guild_id FROM (SELECT guild_id, valid_until FROM access_sources
                                -- The words of `access_sources_over`, or it does not serve.
                                WHERE state = 'live' AND kind <> 'stripe' AND valid_until <= now()
                                ORDER BY valid_until LIMIT $1) AS over
          GROUP BY guild_id ORDER BY min(valid_until)",
    )
    .bind(limit)
    .fetch_all(crossing.db())
    .await
}

/// Ends up to `limit` sources of a guild that are over, each with its audit entry and a job, and nothing that was bought. Answers how
/// many; what another process is just ending it leaves to that.
pub async fn end_over(tenant: &mut Tenant, limit: i64) -> Result<u64, sqlx::Error> {
    let ended: Vec<(String, RoleId, Vec<UserId>)> = sqlx::query_as(
        "WITH over AS (
             SELECT user_id, role_id, kind, source_id FROM access_sources
              WHERE guild_id = $1 AND state = 'live' AND kind <> 'stripe' AND valid_until <= now()
              ORDER BY valid_until LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
         ), ended AS (
             UPDATE access_sources a SET state = 'ended', ended_by = 'time', evidence = $3, changed_at = now() FROM over
              WHERE a.guild_id = $1 AND (a.user_id, a.role_id, a.kind, a.source_id)
                                      = (over.user_id, over.role_id, over.kind, over.source_id)
                AND a.connection_id IS NULL
             RETURNING a.kind, a.role_id, a.user_id
         )
         SELECT kind, role_id, array_agg(user_id ORDER BY user_id) FROM ended GROUP BY kind, role_id ORDER BY kind, role_id",
    )
    .bind(tenant.guild())
    .bind(limit)
    .bind(OVER)
    .fetch_all(tenant.db())
    .await?;
    let mut sources = 0;
    for (kind, role, users) in ended {
        sources += users.len() as u64;
        let cause = format!("{kind}: {OVER}");
        let entry = AuditEntry::new(Actor::Bot, AuditAction::AccessEnded, cause.clone()).role(role);
        audit_log::record_about(tenant, &entry, &users).await?;
        let (action, origin) = (JobAction::Revoke, JobOrigin::Bulk);
        role_jobs::enqueue_each(tenant, &users, role, action, origin, &cause).await?;
    }
    if sources > 0 {
        role_jobs::announce_with(tenant).await?;
    }
    Ok(sources)
}
