//! What Discord holds because of us: the rows of `role_grants`, whose life is [`crate::domain::roles::grant`].

use uuid::Uuid;

use super::audit_log;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        audit::{Actor, AuditEntry},
        delivery::update::GrantChange,
        roles::grant::{Grant, GrantState},
    },
    ids::{RoleId, UserId},
};

/// The cause of such checks.
const ONCE_MORE: &str = "checked once more";

/// Whether the lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// It does; the changes are written.
    Held,
    /// It has run out; nothing is written, and no call may be made.
    Lost,
}

/// Writes, before the calls that they announce, how rows are from now on: after a crash this tells a role that we gave from one
/// that a person gave.
pub async fn intend(tenant: &mut Tenant, owner: Uuid, changes: &[GrantChange]) -> Result<Fence, sqlx::Error> {
    if fence(tenant, owner).await? == Fence::Lost {
        return Ok(Fence::Lost);
    }
    for change in changes {
        apply(tenant, change).await?;
    }
    Ok(Fence::Held)
}

/// Whether the lease still holds; if so, nobody else has the guild before the transaction ends.
pub async fn fence(tenant: &mut Tenant, owner: Uuid) -> Result<Fence, sqlx::Error> {
    // Locked: whoever leases the guild next passes it over until this is written.
    let held: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM guild_gates WHERE guild_id = $1 AND owner = $2 AND open_at > clock_timestamp() FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(owner)
    .fetch_optional(tenant.db())
    .await?;
    Ok(if held.is_some() { Fence::Held } else { Fence::Lost })
}

/// Writes a change with its audit entries. Repeating it writes nothing: entries belong to changes of rows.
pub async fn apply(tenant: &mut Tenant, change: &GrantChange) -> Result<(), sqlx::Error> {
    if write(tenant, change).await? == 0 {
        return Ok(());
    }
    for &action in change.entries {
        let entry =
            AuditEntry::new(Actor::Bot, action, change.cause.clone()).about(change.user).role(change.role);
        audit_log::record(tenant, &entry).await?;
    }
    Ok(())
}

/// Answers how many rows were as they should be, and are changed.
async fn write(tenant: &mut Tenant, change: &GrantChange) -> Result<u64, sqlx::Error> {
    let statement = match (change.from, change.to) {
        (None, None) => return Ok(0),
        // Nothing that we gave was ever confirmed without an intention.
        (None, Some(to)) if to.state == GrantState::Confirmed => return adopt(tenant, change, to).await,
        (None, Some(_)) => {
            "INSERT INTO role_grants (guild_id, user_id, role_id, state, intended_at, confirmed_at, absent_since, look_at, unseen,
                                      taken_at)
             SELECT $1, $2, $3, $5, $6::timestamptz, CASE WHEN $5 <> 'intended' THEN $6 END, $7, $8, $9, $10 WHERE $4::text IS NULL
             ON CONFLICT DO NOTHING"
        }
        // `since`: of an intention when it was written, of the others when Discord confirmed it.
        (Some(_), Some(_)) => {
            "UPDATE role_grants
                SET state = $5, intended_at = CASE WHEN $5 = 'intended' THEN $6 ELSE intended_at END,
                    confirmed_at = CASE WHEN $5 <> 'intended' THEN $6 ELSE confirmed_at END,
                    absent_since = $7, look_at = $8, unseen = $9, taken_at = $10
              WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = $4"
        }
        (Some(from), None) => return remove(tenant, change, from).await,
    };
    let Some(to) = change.to else { return Ok(0) };
    let written = sqlx::query(statement)
        .bind(tenant.guild())
        .bind(change.user)
        .bind(change.role)
        .bind(change.from)
        .bind(to.state)
        .bind(to.since)
        .bind(to.absent_since)
        .bind(to.look_at)
        .bind(to.unseen)
        .bind(to.taken_at)
        .execute(tenant.db())
        .await?;
    Ok(written.rows_affected())
}

/// A role that a person gave becomes ours, if it is still paid for and the owner did not say meanwhile that it is not to.
async fn adopt(tenant: &mut Tenant, change: &GrantChange, to: Grant) -> Result<u64, sqlx::Error> {
    let adopted = sqlx::query(
        "WITH question AS (
             -- Locked: whoever says no after this finds that it is ours.
             SELECT state FROM follow_questions WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 FOR NO KEY UPDATE
         )
         INSERT INTO role_grants (guild_id, user_id, role_id, state, confirmed_at)
         SELECT $1, $2, $3, $4, $5
          WHERE NOT EXISTS (SELECT FROM question WHERE state = 'keep')
            AND EXISTS (SELECT FROM access_sources
                         WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'live' AND kind = 'stripe')
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(change.user)
    .bind(change.role)
    .bind(to.state)
    .bind(to.since)
    .execute(tenant.db())
    .await?;
    Ok(adopted.rows_affected())
}

async fn remove(tenant: &mut Tenant, change: &GrantChange, from: GrantState) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query(
        "DELETE FROM role_grants WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = $4",
    )
    .bind(tenant.guild())
    .bind(change.user)
    .bind(change.role)
    .bind(from)
    .execute(tenant.db())
    .await?;
    Ok(removed.rows_affected())
}

/// Whether there is a row about a member and a role: that it is, or may be, ours.
pub async fn has(tenant: &mut Tenant, member: UserId, role: RoleId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM role_grants WHERE guild_id = $1 AND user_id = $2 AND role_id = $3)",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .fetch_one(tenant.db())
    .await
}

/// When a check found that somebody had taken a role from a member whom we gave it; `None`: none did.
pub async fn taken_at(
    tenant: &mut Tenant,
    member: UserId,
    role: RoleId,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let taken_at: Option<Option<Timestamp>> = sqlx::query_scalar(
        "SELECT taken_at FROM role_grants WHERE guild_id = $1 AND user_id = $2 AND role_id = $3",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .fetch_optional(tenant.db())
    .await?;
    Ok(taken_at.flatten())
}

/// Has rows checked whose time has come, unless a job waits for the same: what waits checks, too. Answers how many.
pub async fn recheck(crossing: &mut Crossing, limit: i64) -> Result<u64, sqlx::Error> {
    let made = sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
         SELECT g.guild_id, g.user_id, g.role_id, 'resync', 'recheck', $1
           FROM role_grants g LEFT JOIN mapped_roles m USING (guild_id, role_id)
          WHERE g.look_at <= statement_timestamp()
            -- What is only observed is not checked.
            AND coalesce(m.enforcement, 'on') = 'on'
            AND NOT EXISTS (SELECT FROM role_jobs j
                             WHERE j.state = 'pending' AND (j.guild_id, j.user_id) = (g.guild_id, g.user_id)
                               AND j.role_id = g.role_id)
            AND NOT EXISTS (SELECT FROM role_jobs j
                             WHERE j.state = 'parked'
                               AND (j.guild_id, j.user_id, j.role_id) = (g.guild_id, g.user_id, g.role_id))
            AND NOT EXISTS (SELECT FROM role_jobs j
                             WHERE j.state = 'held'
                               AND (j.guild_id, j.user_id, j.role_id) = (g.guild_id, g.user_id, g.role_id))
          ORDER BY g.look_at LIMIT $2",
    )
    .bind(ONCE_MORE)
    .bind(limit)
    .execute(crossing.db())
    .await?;
    Ok(made.rows_affected())
}

/// Has every row of a guild checked now that waits for another check: what happened meanwhile was not told. Answers how many.
pub async fn recheck_guild(tenant: &mut Tenant) -> Result<u64, sqlx::Error> {
    let released = sqlx::query(
        "UPDATE role_jobs j SET state = 'pending', due_at = now()
           FROM role_grants g
          WHERE g.guild_id = $1 AND g.look_at IS NOT NULL AND j.state = 'parked'
            AND (j.guild_id, j.user_id, j.role_id) = (g.guild_id, g.user_id, g.role_id)",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    let made = sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause)
         SELECT g.guild_id, g.user_id, g.role_id, 'resync', 'recheck', $2 FROM role_grants g
          WHERE g.guild_id = $1 AND g.look_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM role_jobs j
                             WHERE j.state = 'pending' AND (j.guild_id, j.user_id) = (g.guild_id, g.user_id)
                               AND j.role_id = g.role_id)",
    )
    .bind(tenant.guild())
    .bind(ONCE_MORE)
    .execute(tenant.db())
    .await?;
    Ok(released.rows_affected() + made.rows_affected())
}
