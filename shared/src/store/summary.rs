//! How a guild is doing, in numbers: what `/status` shows. Each count walks one guild's rows.

use super::tenant::Tenant;
use crate::clock::Timestamp;

/// A guild at a glance.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Summary {
    /// Stripe connections that are active.
    pub connections: i64,
    /// Prices and products that are mapped to roles.
    pub mappings: i64,
    /// Subscriptions with access (`trialing`, `active`, `past_due`).
    pub subscriptions: i64,
    /// Of these, how many belong to customers that nobody is linked to.
    pub unlinked: i64,
    /// Roles that members hold because of us.
    pub roles_held: i64,
    /// Role changes on their way.
    pub pending: i64,
    /// Role changes that wait for a member or a permission.
    pub parked: i64,
    /// Mapped roles that had holders and are not turned on.
    pub observed_roles: i64,
    /// Roles that Discord does not let us manage.
    pub parked_roles: i64,
    /// Stripe objects still to be read.
    pub unread: i64,
    /// Why Stripe could not be read lately; `None`: it could.
    pub trouble: Option<String>,
    /// When something was last read from Stripe.
    pub last_read: Option<Timestamp>,
}

/// Looks; `None` for a guild that does not use us.
pub async fn summary(tenant: &mut Tenant) -> Result<Option<Summary>, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM stripe_connections WHERE guild_id = $1 AND state = 'active') AS connections,
                (SELECT count(*) FROM role_mappings WHERE guild_id = $1) AS mappings,
                (SELECT count(*) FROM subscriptions
                  WHERE guild_id = $1 AND status IN ('trialing', 'active', 'past_due')) AS subscriptions,
                (SELECT count(*) FROM subscriptions s
                  WHERE s.guild_id = $1 AND s.status IN ('trialing', 'active', 'past_due')
                    AND NOT EXISTS (SELECT FROM member_links l
                                     WHERE (l.guild_id, l.connection_id, l.customer_id)
                                         = (s.guild_id, s.connection_id, s.customer_id))) AS unlinked,
                (SELECT count(*) FROM role_grants WHERE guild_id = $1 AND state = 'confirmed') AS roles_held,
                (SELECT count(*) FROM role_jobs WHERE guild_id = $1 AND state = 'pending') AS pending,
                (SELECT count(*) FROM role_jobs WHERE guild_id = $1 AND state = 'parked') AS parked,
                (SELECT count(*) FROM mapped_roles WHERE guild_id = $1 AND enforcement = 'observe') AS observed_roles,
                (SELECT count(*) FROM role_health WHERE guild_id = $1) AS parked_roles,
                (SELECT count(*) FROM stripe_sync WHERE guild_id = $1 AND next_at IS NOT NULL) AS unread,
                (SELECT last_error FROM (
                    SELECT c.last_error, 0 AS rank FROM stripe_cursors c JOIN stripe_connections s USING (guild_id, connection_id)
                     WHERE c.guild_id = $1 AND s.state = 'active' AND c.last_error IS NOT NULL
                    UNION ALL
                    SELECT last_error, 1 FROM stripe_sync
                     WHERE guild_id = $1 AND next_at IS NOT NULL AND last_error IS NOT NULL
                    ORDER BY rank LIMIT 1) AS troubles) AS trouble,
                (SELECT max(synced_at) FROM stripe_sync WHERE guild_id = $1) AS last_read
           FROM guilds WHERE guild_id = $1",
    )
    .bind(tenant.guild())
    .fetch_optional(tenant.db())
    .await
}
