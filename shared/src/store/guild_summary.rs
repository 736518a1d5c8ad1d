//! How a guild is doing, in numbers: what `/status` shows. Each count walks one guild's rows.

use super::guild_roles;
use crate::db::tenant::Tenant;
use crate::{clock::Timestamp, domain::entitlement::policy::paying_statuses, ids::RoleId};

/// A guild at a glance.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Summary {
    /// Stripe connections that are active.
    pub connections: i64,
    /// Prices and products that are mapped to roles.
    pub mappings: i64,
    /// Subscriptions whose status gives access by the default policy, of accounts that are connected.
    pub subscriptions: i64,
    /// Of these, how many belong to customers that nobody is linked to.
    pub unlinked: i64,
    /// Subscriptions that are in a trial which is not their member's first.
    pub repeated_trials: i64,
    /// Roles that members hold because of us, without those that were deleted.
    pub roles_held: i64,
    /// Roles that payers had because of us, and that somebody else took from them.
    pub taken: i64,
    /// Roles that a person gave to who pays for them now, and of which nobody said whether they follow the payment.
    pub given_by_hand: i64,
    /// Role changes on their way.
    pub pending: i64,
    /// Role changes that wait for a member or a permission.
    pub parked: i64,
    /// Roles that are not taken from members until a person agrees.
    pub held: i64,
    /// Mapped roles that had holders and are not turned on.
    pub observed_roles: i64,
    /// Mapped roles that were deleted in Discord, and for which no other is mapped.
    #[sqlx(skip)]
    pub deleted_roles: Vec<RoleId>,
    /// Roles that Discord does not let us manage.
    pub parked_roles: i64,
    /// Of these, how many because the server wants two-factor authentication (code 60003).
    pub two_factor_roles: i64,
    /// Stripe objects still to be read.
    pub unread: i64,
    /// Subscriptions that Stripe's list has shown so far, of connections whose first reading of it is not over; `None`: of none.
    pub listed: Option<i64>,
    /// How many of them were known when it began.
    pub listed_of: Option<i64>,
    /// Objects that an event named and that the account does not have: a test event's, or another account's.
    pub absent: i64,
    /// Why nothing can be read from Stripe; `None`: something was, since whatever fails began to fail.
    pub trouble: Option<String>,
    /// Reads that fail, if only these.
    pub failing: i64,
    /// Why one of them does.
    pub failure: Option<String>,
    /// Events that webhooks were to bring, and polling brought, since webhooks last brought all that was new.
    pub webhooks_missed: i64,
    /// When that was; `None`: never.
    pub webhooks_at: Option<Timestamp>,
    /// When something was last read from Stripe.
    pub last_read: Option<Timestamp>,
}

/// Checks; `None` for a guild that does not use us.
pub async fn summary(tenant: &mut Tenant) -> Result<Option<Summary>, sqlx::Error> {
    let deleted = guild_roles::deleted(tenant).await?;
    let summary: Option<Summary> = sqlx::query_as(
        "WITH failing AS (
             SELECT c.connection_id, c.failing_since, c.last_error, 0 AS rank
               FROM stripe_cursors c JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE c.guild_id = $1 AND s.state = 'active' AND c.failing_since IS NOT NULL
             UNION ALL
             SELECT c.connection_id, c.list_failing_since, c.list_error, 0
               FROM stripe_cursors c JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE c.guild_id = $1 AND s.state = 'active' AND c.list_failing_since IS NOT NULL
             UNION ALL
             SELECT y.connection_id, y.failing_since, y.last_error, 1
               FROM stripe_sync y JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE y.guild_id = $1 AND s.state = 'active' AND y.next_at IS NOT NULL AND y.failing_since IS NOT NULL
         ), answered AS (
             SELECT connection_id, max(at) AS at
               FROM (SELECT connection_id, synced_at AS at FROM stripe_sync WHERE guild_id = $1
                     UNION ALL
                     SELECT connection_id, answered_at FROM stripe_cursors WHERE guild_id = $1) AS answers
              GROUP BY connection_id
         ), unread AS (
             -- Stripe answered that it has none such, and is asked again in case it is the key that is wrong.
             SELECT y.missing > 0 AND y.failing_since IS NULL AS is_absent
               FROM stripe_sync y JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE y.guild_id = $1 AND s.state = 'active' AND y.next_at IS NOT NULL AND (y.dirty_seq > 0 OR y.next_at <= now())
         ), listing AS (
             SELECT c.list_seen, c.list_expected
               FROM stripe_cursors c JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE c.guild_id = $1 AND s.state = 'active' AND c.list_began_at IS NOT NULL AND c.listed_at IS NULL
         ), silent AS (
             SELECT c.webhook_missed, c.webhook_at
               FROM stripe_cursors c JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE c.guild_id = $1 AND s.state = 'active' AND c.webhook_missed > 0
         ), paying AS (
             SELECT p.connection_id, p.customer_id, p.user_id,
                    p.repeats_trial_of IS NOT NULL AND p.trial_ends_at > now() AS repeats_trial
               FROM subscriptions p JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE p.guild_id = $1 AND s.state = 'active' AND p.missing_since IS NULL
                AND p.status = ANY ($3)
         )
         SELECT (SELECT count(*) FROM stripe_connections WHERE guild_id = $1 AND state = 'active') AS connections,
                (SELECT count(*) FROM role_mappings WHERE guild_id = $1) AS mappings,
                (SELECT count(*) FROM paying) AS subscriptions,
                (SELECT count(*) FROM paying p
                  WHERE p.user_id IS NULL
                    AND NOT EXISTS (SELECT FROM member_links l
                                     WHERE (l.guild_id, l.connection_id, l.customer_id)
                                         = ($1, p.connection_id, p.customer_id))) AS unlinked,
                (SELECT count(*) FROM paying p WHERE p.repeats_trial) AS repeated_trials,
                (SELECT count(*) FROM role_grants WHERE guild_id = $1 AND state = 'confirmed'
                    AND taken_at IS NULL AND role_id <> ALL ($2)) AS roles_held,
                (SELECT count(*) FROM role_grants WHERE guild_id = $1 AND taken_at IS NOT NULL
                    AND role_id <> ALL ($2)) AS taken,
                (SELECT count(*) FROM follow_questions q
                  WHERE guild_id = $1 AND state = 'open'
                    AND EXISTS (SELECT FROM access_sources s
                                 WHERE (s.guild_id, s.user_id, s.role_id) = (q.guild_id, q.user_id, q.role_id)
                                   AND s.state = 'live' AND s.kind = 'stripe')) AS given_by_hand,
                -- A mere check changes nothing if all is well.
                (SELECT count(*) FROM role_jobs
                  WHERE guild_id = $1 AND state = 'pending'
                    AND NOT (action = 'resync' AND origin IN ('sweep', 'recheck'))) AS pending,
                (SELECT count(*) FROM role_jobs WHERE guild_id = $1 AND state = 'parked') AS parked,
                (SELECT count(*) FROM role_jobs WHERE guild_id = $1 AND state = 'held') AS held,
                (SELECT count(*) FROM mapped_roles WHERE guild_id = $1 AND enforcement = 'observe') AS observed_roles,
                (SELECT count(*) FROM role_health WHERE guild_id = $1) AS parked_roles,
                (SELECT count(*) FROM role_health WHERE guild_id = $1 AND code = 60003) AS two_factor_roles,
                (SELECT count(*) FROM unread WHERE NOT is_absent) AS unread,
                (SELECT sum(list_seen) FROM listing) AS listed,
                (SELECT sum(list_expected) FROM listing) AS listed_of,
                (SELECT count(*) FROM unread WHERE is_absent) AS absent,
                (SELECT f.last_error FROM failing f LEFT JOIN answered a USING (connection_id)
                  WHERE a.at IS NULL OR f.failing_since > a.at ORDER BY f.rank, f.failing_since LIMIT 1) AS trouble,
                (SELECT count(*) FROM failing) AS failing,
                (SELECT last_error FROM failing ORDER BY rank, failing_since LIMIT 1) AS failure,
                (SELECT coalesce(sum(webhook_missed), 0) FROM silent) AS webhooks_missed,
                (SELECT min(webhook_at) FROM silent) AS webhooks_at,
                (SELECT max(synced_at) FROM stripe_sync WHERE guild_id = $1) AS last_read
           FROM guilds WHERE guild_id = $1",
    )
    .bind(tenant.guild())
    .bind(deleted.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
    .bind(paying_statuses())
    .fetch_optional(tenant.db())
    .await?;
    let deleted_roles = guild_roles::unreplaced(tenant, &deleted).await?;
    Ok(summary.map(|summary| Summary { deleted_roles, ..summary }))
}
