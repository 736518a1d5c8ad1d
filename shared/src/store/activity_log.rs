//! What went on in a server: 90 days of it, a table for each day.

use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{clock::Timestamp, domain::activity::ActivityEntry, ids::UserId};

pub async fn record(tenant: &mut Tenant, entry: impl Into<ActivityEntry>) -> Result<(), sqlx::Error> {
    let entry = entry.into();
    sqlx::query(
        "INSERT INTO activity_log (guild_id, actor, action, user_id, detail) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.guild())
    .bind(entry.activity.actor().as_str())
    .bind(entry.activity.as_str())
    .bind(entry.user)
    .bind(entry.detail)
    .execute(tenant.db())
    .await?;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    pub at: Timestamp,
    /// Who: a word for the kind.
    pub actor: String,
    pub action: String,
    /// Who did it, or whom it was about.
    pub user_id: Option<UserId>,
    pub detail: Option<String>,
}

/// The last lines, newest first.
pub async fn last(tenant: &mut Tenant, lines: i64) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as(
        "SELECT at, actor, action, user_id, detail FROM activity_log
          WHERE guild_id = $1 ORDER BY at DESC, activity_id DESC LIMIT $2",
    )
    .bind(tenant.guild())
    .bind(lines)
    .fetch_all(tenant.db())
    .await
}

/// Makes the tables of the next days and drops those of 90 days ago; for the retention role. Answers how many were dropped.
pub async fn turn_days(crossing: &mut Crossing) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT turn_activity_days()").fetch_one(crossing.db()).await
}
