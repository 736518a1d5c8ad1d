//! How far somebody's role is, for themselves to see. In: a member. Out: counts; nothing of what they bought.

use crate::{db::tenant::Tenant, domain::claim::Progress, ids::UserId};

pub async fn of_member(tenant: &mut Tenant, member: UserId) -> Result<Progress, sqlx::Error> {
    let (customers, due, moving, stuck, is_reading, is_unconfirmed, is_unpaid, has_rules_to_accept): (i64, i64, i64, i64, bool, bool, bool, bool) =
        sqlx::query_as(
            "WITH theirs AS MATERIALIZED (
                 SELECT connection_id, customer_id FROM member_links WHERE guild_id = $1 AND user_id = $2),
             bought AS MATERIALIZED (
                 SELECT connection_id, subscription_id AS id, status = 'incomplete' AS is_unpaid
                   FROM subscriptions JOIN theirs USING (connection_id, customer_id) WHERE guild_id = $1
                 UNION ALL
                 SELECT connection_id, session_id, status = 'not_paid'
                   FROM purchases JOIN theirs USING (connection_id, customer_id) WHERE guild_id = $1),
             due AS MATERIALIZED (
                 SELECT DISTINCT role_id FROM access_sources a JOIN mapped_roles m USING (guild_id, role_id)
                  WHERE guild_id = $1 AND a.user_id = $2 AND a.state = 'live' AND m.enforcement = 'on'),
             -- Whose source began has a job until the role is given, or found to be there by somebody's hand.
             open AS MATERIALIZED (
                 SELECT DISTINCT role_id, state FROM due JOIN role_jobs USING (role_id)
                  WHERE guild_id = $1 AND user_id = $2 AND state IN ('pending', 'parked')
                    AND NOT EXISTS (SELECT FROM role_grants g WHERE g.guild_id = $1 AND g.user_id = $2
                                       AND g.role_id = due.role_id AND g.state = 'confirmed'))
             SELECT (SELECT count(*) FROM theirs),
                    (SELECT count(*) FROM due),
                    (SELECT count(DISTINCT role_id) FROM open WHERE state = 'pending'),
                    (SELECT count(DISTINCT role_id) FROM open WHERE state = 'parked'),
                    EXISTS (SELECT FROM (SELECT connection_id, customer_id AS id FROM theirs
                                         UNION ALL SELECT connection_id, id FROM bought) AS read
                              JOIN stripe_sync s ON s.guild_id = $1 AND s.connection_id = read.connection_id
                                                AND s.object_id = read.id
                                                AND s.object_kind IN ('customer', 'subscription', 'checkout_session')
                             WHERE s.dirty_seq > 0 AND s.next_at IS NOT NULL)
                    -- What a customer buys is not known before it is read.
                    OR EXISTS (SELECT FROM member_links WHERE guild_id = $1 AND user_id = $2
                                  AND linked_at > now() - interval '10 seconds'),
                    EXISTS (SELECT FROM link_tokens t
                             WHERE guild_id = $1 AND user_id = $2 AND state = 'pending'
                               AND NOT EXISTS (SELECT FROM member_links l
                                                WHERE (l.guild_id, l.connection_id, l.customer_id)
                                                    = (t.guild_id, t.connection_id, t.customer_id))),
                    EXISTS (SELECT FROM bought WHERE is_unpaid),
                    EXISTS (SELECT FROM pending_members WHERE guild_id = $1 AND user_id = $2)",
        )
        .bind(tenant.guild())
        .bind(member)
        .fetch_one(tenant.db())
        .await?;
    let count = |rows: i64| usize::try_from(rows).unwrap_or_default();
    Ok(Progress {
        customers: count(customers),
        due: count(due),
        moving: count(moving),
        stuck: count(stuck),
        is_reading,
        is_unconfirmed,
        is_unpaid,
        has_rules_to_accept,
    })
}
