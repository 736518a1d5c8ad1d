//! The audit log of one guild, for its owner: page by page, oldest first.

use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    ids::{RoleId, UserId},
};

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    /// Its number; grows with time, with gaps.
    pub audit_id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub user_id: Option<UserId>,
    pub role_id: Option<RoleId>,
    pub cause: String,
    /// From where it was asked for, over a network.
    pub address: Option<String>,
    /// What was before, and what is now: `{"field": [before, now]}`.
    pub change: Option<serde_json::Value>,
}

pub const PAGE: i64 = 1000;

/// The page behind `after` (0: the first).
pub async fn page(tenant: &mut Tenant, after: i64) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as(
        "SELECT audit_id, at, actor, action, user_id, role_id, cause, host(address) AS address, change
           FROM audit_log
          WHERE guild_id = $1 AND audit_id > $2 ORDER BY audit_id LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(after)
    .bind(PAGE)
    .fetch_all(tenant.db())
    .await
}
