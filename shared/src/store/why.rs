//! Why a member has, or lacks, a role: evidence, books, jobs and history, as our database has them.

use super::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::enforcement::Enforcement,
    ids::{JobId, RoleId, UserId},
};

/// A reason for access, past or present.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Source {
    /// The role.
    pub role_id: RoleId,
    /// `sub_…`
    pub source_id: String,
    /// `live` or `ended`.
    pub state: String,
    /// What was read.
    pub evidence: String,
    /// Since when.
    pub changed_at: Timestamp,
    /// Whether the role follows payments; `None`: it is not mapped (any more).
    pub enforcement: Option<Enforcement>,
    /// Why the role must not be given: it is suspended.
    pub danger: Option<String>,
}

/// A role that Discord holds because of us.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Held {
    /// The role.
    pub role_id: RoleId,
    /// `intended` or `confirmed`.
    pub state: String,
    /// When Discord confirmed it.
    pub confirmed_at: Option<Timestamp>,
}

/// A job that is not done.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OpenJob {
    /// The row.
    pub job_id: JobId,
    /// The role.
    pub role_id: RoleId,
    /// `grant`, `revoke` or `resync`.
    pub action: String,
    /// `pending` or `parked`.
    pub state: String,
    /// What happened last.
    pub outcome: Option<String>,
    /// When it is tried.
    pub due_at: Timestamp,
    /// Failures so far.
    pub attempts: i32,
}

/// A line of history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// Which role.
    pub role_id: Option<RoleId>,
    /// Why.
    pub cause: String,
}

/// Everything we know about one member of one guild.
#[derive(Debug, Clone)]
pub struct Story {
    /// Stripe customers that are this member.
    pub customers: Vec<String>,
    /// Reasons.
    pub sources: Vec<Source>,
    /// Books.
    pub held: Vec<Held>,
    /// Jobs not done.
    pub jobs: Vec<OpenJob>,
    /// The last 50 lines, newest first.
    pub history: Vec<Event>,
}

/// Collects the story.
pub async fn story(tenant: &mut Tenant, user: UserId) -> Result<Story, sqlx::Error> {
    let customers = sqlx::query_scalar(
        "SELECT customer_id FROM member_links WHERE guild_id = $1 AND user_id = $2 ORDER BY 1",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let sources = sqlx::query_as(
        "SELECT role_id, source_id, state, evidence, changed_at, enforcement, danger
           FROM access_sources LEFT JOIN mapped_roles USING (guild_id, role_id)
           LEFT JOIN guild_roles USING (guild_id, role_id)
          WHERE guild_id = $1 AND user_id = $2 ORDER BY role_id, changed_at DESC",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let held = sqlx::query_as(
        "SELECT role_id, state, confirmed_at FROM role_grants WHERE guild_id = $1 AND user_id = $2 ORDER BY role_id",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let jobs = sqlx::query_as(
        "SELECT job_id, role_id, action, state, outcome, due_at, attempts FROM role_jobs
          WHERE guild_id = $1 AND user_id = $2 AND state IN ('pending', 'parked') ORDER BY job_id",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    let history = sqlx::query_as(
        "SELECT at, actor, action, role_id, cause FROM audit_log
          WHERE guild_id = $1 AND user_id = $2 ORDER BY audit_id DESC LIMIT 50",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_all(tenant.db())
    .await?;
    Ok(Story { customers, sources, held, jobs, history })
}
