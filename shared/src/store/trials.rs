//! The trials of a member's subscriptions, and which was said to be a repetition.

use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        billing::trial::{KnownTrial, RUNNING, repeated},
    },
    ids::{ConnectionId, SubscriptionId, UserId},
    store::audit_log,
};

/// Says of each trial of a member's that runs and is not their first that it is not: once, in the audit log. Access does not depend on it.
/// Answers of how many.
///
/// A transaction of its own: it locks the member's subscriptions in the order of their ids, whatever was read.
pub async fn say_which_repeat(tenant: &mut Tenant, member: UserId) -> Result<usize, sqlx::Error> {
    let trials = of_member(tenant, member).await?;
    let repeated = repeated(&trials);
    for (trial, first) in &repeated {
        set_repeats(tenant, trial, &first.subscription).await?;
        let cause = format!(
            "{} is in a trial; the first one of this member was of {}, since {}",
            trial.subscription,
            first.subscription,
            first.began.date()
        );
        let entry = AuditEntry::new(Actor::Stripe, AuditAction::TrialRepeated, cause).about(member);
        audit_log::record(tenant, &entry).await?;
    }
    Ok(repeated.len())
}

/// The trials of the subscriptions that are a member's by their own or by their customer's link, locked.
async fn of_member(tenant: &mut Tenant, member: UserId) -> Result<Vec<KnownTrial>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "WITH theirs AS (
             SELECT connection_id, subscription_id FROM subscriptions WHERE guild_id = $1 AND user_id = $2
             UNION
             SELECT connection_id, s.subscription_id
               FROM member_links l JOIN subscriptions s USING (guild_id, connection_id, customer_id)
              WHERE guild_id = $1 AND l.user_id = $2 AND s.user_id IS NULL)
         SELECT connection_id, subscription_id, trial_began_at AS began, repeats_trial_of AS said,
                coalesce(status = ANY ($3) AND trial_ends_at > now(), false) AS is_running
           FROM subscriptions JOIN theirs USING (connection_id, subscription_id)
          WHERE guild_id = $1 AND trial_began_at IS NOT NULL
          ORDER BY connection_id, subscription_id COLLATE \"C\" FOR NO KEY UPDATE OF subscriptions",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(RUNNING.map(|status| status.as_str().to_owned()).to_vec())
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into_iter().map(Row::trial).collect())
}

async fn set_repeats(
    tenant: &mut Tenant,
    trial: &KnownTrial,
    first: &SubscriptionId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE subscriptions SET repeats_trial_of = $4
          WHERE guild_id = $1 AND connection_id = $2 AND subscription_id = $3",
    )
    .bind(tenant.guild())
    .bind(trial.connection)
    .bind(&trial.subscription)
    .bind(first)
    .execute(tenant.db())
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    connection_id: ConnectionId,
    subscription_id: SubscriptionId,
    began: Timestamp,
    is_running: bool,
    said: Option<String>,
}

impl Row {
    fn trial(self) -> KnownTrial {
        let Self { connection_id: connection, subscription_id: subscription, began, is_running, said } = self;
        KnownTrial { connection, subscription, began, is_running, said }
    }
}
