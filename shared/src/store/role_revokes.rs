//! From whom a role is taken, counted for the limit on mass revokes (`domain/delivery/breaker.rs`). Written before the call, in a
//! transaction that holds the lease: no crash and no second worker takes more than was counted.

use crate::db::tenant::Tenant;
use crate::{
    domain::delivery::breaker::{Counts, Evidence, HOLDERS_COUNTED, HOURS, least},
    ids::{RoleId, UserId},
};

/// What is known of a role that is about to be taken from a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// It was counted before: an earlier call for the same member, whatever came of it.
    pub is_counted: bool,
    pub counts: Counts,
}

/// Holders are counted only where they matter, and as many as matter: beyond both the limit is what it is.
pub async fn known(
    tenant: &mut Tenant,
    member: UserId,
    role: RoleId,
    evidence: Evidence,
) -> Result<Known, sqlx::Error> {
    let (is_counted, taken, holders): (bool, i64, i64) = sqlx::query_as(
        "WITH taken AS (
             SELECT user_id, is_confirmed FROM role_revokes
              WHERE guild_id = $1 AND role_id = $3 AND at > clock_timestamp() - make_interval(hours => $5)
         ), counted AS (
             SELECT coalesce(bool_or(user_id = $2 AND is_confirmed = $4), false) AS is_counted,
                    count(*) FILTER (WHERE user_id <> $2 AND is_confirmed = $4) AS others, count(DISTINCT user_id) AS had
               FROM taken
         )
         SELECT is_counted, others,
                CASE WHEN is_counted OR others < $6 THEN had
                     ELSE had + (SELECT count(*) FROM (
                              SELECT FROM role_grants WHERE guild_id = $1 AND role_id = $3 AND state <> 'ending'
                                 AND user_id NOT IN (SELECT user_id FROM taken) LIMIT $7) has) END AS holders
           FROM counted",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .bind(evidence == Evidence::Confirmed)
    .bind(HOURS)
    .bind(i64::try_from(least(evidence)).unwrap_or(i64::MAX))
    .bind(i64::try_from(HOLDERS_COUNTED).unwrap_or(i64::MAX))
    .fetch_one(tenant.db())
    .await?;
    let counts = Counts { holders: holders.unsigned_abs(), taken: taken.unsigned_abs() };
    Ok(Known { is_counted, counts })
}

/// Counts that a role is taken from a member now.
pub async fn count(
    tenant: &mut Tenant,
    member: UserId,
    role: RoleId,
    evidence: Evidence,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO role_revokes (guild_id, role_id, user_id, is_confirmed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (guild_id, role_id, user_id, is_confirmed) DO UPDATE SET at = clock_timestamp()",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(member)
    .bind(evidence == Evidence::Confirmed)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Forgets that anything was taken from a member.
pub(super) async fn forget(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM role_revokes WHERE guild_id = $1 AND user_id = $2")
        .bind(tenant.guild())
        .bind(member)
        .execute(tenant.db())
        .await?;
    Ok(())
}
