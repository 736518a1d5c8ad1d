//! What Discord holds because of us.

use uuid::Uuid;

use super::{audit, tenant::Tenant};
use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry},
    ids::{RoleId, UserId},
};

/// Whether the lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// It does; the intentions are written.
    Held,
    /// It has run out; nothing is written, and no call may be made.
    Lost,
}

/// Writes down, before the calls, that these roles are about to be given. After a crash this tells a role that we
/// gave from one that a human gave. A confirmed grant stays confirmed.
pub async fn intend(
    tenant: &mut Tenant,
    owner: Uuid,
    user: UserId,
    roles: &[RoleId],
) -> Result<Fence, sqlx::Error> {
    let held: bool = sqlx::query_scalar(
        "WITH lease AS (
             SELECT guild_id FROM guild_gates WHERE guild_id = $1 AND owner = $2 AND open_at > clock_timestamp()
         ), intended AS (
             INSERT INTO role_grants (guild_id, user_id, role_id, state)
             SELECT guild_id, $3, role_id, 'intended' FROM lease, unnest($4::bigint[]) AS roles (role_id)
              ORDER BY role_id
             ON CONFLICT DO NOTHING
         )
         SELECT EXISTS (SELECT FROM lease)",
    )
    .bind(tenant.guild())
    .bind(owner)
    .bind(user)
    .bind(roles.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
    .fetch_one(tenant.db())
    .await?;
    Ok(if held { Fence::Held } else { Fence::Lost })
}

/// A change of our books about one role of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantChange {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub role: RoleId,
    /// What.
    pub change: Change,
    /// Why, for the audit log.
    pub cause: String,
}

/// What our books learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Discord has it, by us.
    Granted,
    /// It had been lost, and Discord has it again, by us.
    GrantedAgain,
    /// Discord does not have it any more, by us or already gone.
    Revoked,
    /// It was granted without our recording it, and is revoked.
    GrantedAndRevoked,
    /// It went away with the member.
    Lost,
    /// We meant to give it, and did not.
    Forgotten,
}

/// Writes a change with its audit entries. Repeating it writes nothing: entries belong to changes of the books.
pub async fn apply(tenant: &mut Tenant, grant: &GrantChange) -> Result<(), sqlx::Error> {
    let actions: &[AuditAction] = match grant.change {
        Change::Granted => &[AuditAction::RoleGranted],
        Change::GrantedAgain => &[AuditAction::RoleLost, AuditAction::RoleGranted],
        Change::Revoked => &[AuditAction::RoleRevoked],
        Change::GrantedAndRevoked => &[AuditAction::RoleGranted, AuditAction::RoleRevoked],
        Change::Lost => &[AuditAction::RoleLost],
        Change::Forgotten => &[],
    };
    let statement = match grant.change {
        Change::Granted => {
            "UPDATE role_grants SET state = 'confirmed', confirmed_at = now()
              WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'intended'"
        }
        Change::GrantedAgain => {
            "UPDATE role_grants SET confirmed_at = now()
              WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'confirmed'"
        }
        Change::Revoked | Change::Lost => {
            "DELETE FROM role_grants WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'confirmed'"
        }
        Change::GrantedAndRevoked | Change::Forgotten => {
            "DELETE FROM role_grants WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'intended'"
        }
    };
    let changed = sqlx::query(statement)
        .bind(tenant.guild())
        .bind(grant.user)
        .bind(grant.role)
        .execute(tenant.db())
        .await?
        .rows_affected();
    if changed == 0 {
        return Ok(());
    }
    for &action in actions {
        let entry =
            AuditEntry::new(Actor::Bot, action, grant.cause.clone()).about(grant.user).role(grant.role);
        audit::record(tenant, &entry).await?;
    }
    Ok(())
}
