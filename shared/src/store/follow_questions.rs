//! Questions to a server's owner: a person gave a role, and its holder pays for it now; is it to follow the payment? Rows of
//! `follow_questions`, whose rules are [`crate::domain::roles::by_hand`].

use super::role_jobs;
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        job::{JobAction, JobOrigin},
        roles::by_hand::{Question, QuestionChange},
    },
    ids::{RoleId, UserId},
};

/// What a check made of a question. Repeating it changes nothing.
pub(super) async fn apply(
    tenant: &mut Tenant,
    (user, role, change): (UserId, RoleId, QuestionChange),
) -> Result<(), sqlx::Error> {
    let statement = match change {
        QuestionChange::Ask => {
            "INSERT INTO follow_questions (guild_id, user_id, role_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        }
        // An answer that came meanwhile stays.
        QuestionChange::Close => {
            "DELETE FROM follow_questions WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 AND state = 'open'"
        }
    };
    sqlx::query(statement).bind(tenant.guild()).bind(user).bind(role).execute(tenant.db()).await?;
    Ok(())
}

/// A question, with since when the role is paid for.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Asked {
    pub user_id: UserId,
    pub role_id: RoleId,
    pub state: Question,
    pub asked_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    /// `None`: nothing that was bought gives the role now.
    pub pays_since: Option<Timestamp>,
}

/// What is open, and is paid for now; by role and member.
pub async fn open(tenant: &mut Tenant) -> Result<Vec<Asked>, sqlx::Error> {
    sqlx::query_as(
        "SELECT q.user_id, q.role_id, q.state, q.asked_at, q.answered_at, min(s.changed_at) AS pays_since
           FROM follow_questions q JOIN access_sources s USING (guild_id, user_id, role_id)
          WHERE q.guild_id = $1 AND q.state = 'open' AND s.state = 'live' AND s.kind = 'stripe'
          GROUP BY q.guild_id, q.user_id, q.role_id ORDER BY q.role_id, q.user_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

/// The question about a member and a role, which stays as it is until the transaction ends: no role becomes ours by it meanwhile.
/// `None`: it was never asked.
pub async fn lock(
    tenant: &mut Tenant,
    member: UserId,
    role: RoleId,
) -> Result<Option<Question>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT state FROM follow_questions WHERE guild_id = $1 AND user_id = $2 AND role_id = $3 FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(role)
    .fetch_optional(tenant.db())
    .await
}

/// The same for all that are open about a role and paid for now: about whom.
pub async fn lock_open(tenant: &mut Tenant, role: RoleId) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT user_id FROM follow_questions q
          WHERE guild_id = $1 AND role_id = $2 AND state = 'open'
            AND EXISTS (SELECT FROM access_sources s
                         WHERE (s.guild_id, s.user_id, s.role_id) = (q.guild_id, q.user_id, q.role_id)
                           AND s.state = 'live' AND s.kind = 'stripe')
          ORDER BY user_id FOR NO KEY UPDATE OF q",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_all(tenant.db())
    .await
}

/// Writes the answer about these members.
pub async fn answer(
    tenant: &mut Tenant,
    members: &[UserId],
    role: RoleId,
    answer: Question,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE follow_questions SET state = $4, answered_at = CASE WHEN $4 <> 'open' THEN now() END
          WHERE guild_id = $1 AND user_id = ANY ($2) AND role_id = $3",
    )
    .bind(tenant.guild())
    .bind(members.iter().map(|user| user.to_i64()).collect::<Vec<_>>())
    .bind(role)
    .bind(answer)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Has all members checked about whom it is open whether a role is to follow the payment: a mapping says it now. Answers how many.
pub async fn recheck(tenant: &mut Tenant, role: RoleId, cause: &str) -> Result<usize, sqlx::Error> {
    let members = lock_open(tenant, role).await?;
    role_jobs::enqueue_each(tenant, &members, role, JobAction::Resync, JobOrigin::Bulk, cause).await?;
    Ok(members.len())
}

/// Forgets what was asked about a member.
pub(super) async fn forget(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM follow_questions WHERE guild_id = $1 AND user_id = $2")
        .bind(tenant.guild())
        .bind(member)
        .execute(tenant.db())
        .await?;
    Ok(())
}
