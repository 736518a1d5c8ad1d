//! Whether a mapped role is enforced, and what enforcing it would change.

use std::time::Duration;

use super::{audit_log, role_jobs};
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        entitlement::policy::paying_statuses,
        roles::enforcement::{Enforcement, first_check_entry},
    },
    ids::{CustomerId, GuildId, RoleId, UserId},
};

/// Makes the row of a role that is being mapped; one that was mapped before keeps its state.
pub async fn ensure(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO mapped_roles (guild_id, role_id) VALUES ($1, $2)
         -- Changed to what it is, so that it is locked: retention may be about to remove it.
         ON CONFLICT (guild_id, role_id) DO UPDATE SET look_at = mapped_roles.look_at",
    )
    .bind(tenant.guild())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// A role that Discord is to be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Unseen {
    pub role_id: RoleId,
    /// How many hold it because of us, as far as our rows say.
    pub ours: i64,
}

/// Takes one guild with roles to be checked, and moves their next check on by `again`: a check that fails costs no more.
pub async fn take_unseen(
    crossing: &mut Crossing,
    again: Duration,
) -> Result<Option<(GuildId, Vec<Unseen>)>, sqlx::Error> {
    let guild: Option<GuildId> = sqlx::query_scalar(
        "SELECT guild_id FROM mapped_roles WHERE enforcement = 'unseen' AND look_at <= now() ORDER BY look_at LIMIT 1",
    )
    .fetch_optional(crossing.db())
    .await?;
    let Some(guild) = guild else { return Ok(None) };
    let roles = sqlx::query_as(
        "UPDATE mapped_roles m SET look_at = clock_timestamp() + make_interval(secs => $2)
          WHERE m.guild_id = $1 AND m.enforcement = 'unseen' AND m.look_at <= now()
         RETURNING m.role_id, (SELECT count(*) FROM role_grants g
                                WHERE (g.guild_id, g.role_id) = (m.guild_id, m.role_id) AND g.state <> 'ending') AS ours",
    )
    .bind(guild)
    .bind(again.as_secs_f64())
    .fetch_all(crossing.db())
    .await?;
    Ok(Some((guild, roles)))
}

/// Writes the outcome of the first check of a role, and has what waited for it go on. Somebody else may have checked before: then that
/// stands. `others`: who hold the role, not because of us.
pub async fn record_first_check(
    tenant: &mut Tenant,
    role: RoleId,
    enforcement: Enforcement,
    others: i64,
) -> Result<(), sqlx::Error> {
    let recorded = sqlx::query(
        "UPDATE mapped_roles SET enforcement = $3, holders = $4
          WHERE guild_id = $1 AND role_id = $2 AND enforcement = 'unseen'",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(enforcement.as_str())
    .bind(others)
    .execute(tenant.db())
    .await?;
    if recorded.rows_affected() == 0 {
        return Ok(());
    }
    role_jobs::make_due(tenant, role).await?;
    if let Some(entry) = first_check_entry(role, enforcement, others) {
        audit_log::record(tenant, &entry).await?;
    }
    role_jobs::announce_with(tenant).await
}

/// How a role is enforced, which stays so until the transaction ends; `None` if it is not mapped.
pub async fn lock(tenant: &mut Tenant, role: RoleId) -> Result<Option<Enforcement>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT enforcement FROM mapped_roles WHERE guild_id = $1 AND role_id = $2 FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_optional(tenant.db())
    .await
}

/// How a role is enforced; `None` if it is not mapped.
pub async fn enforcement(tenant: &mut Tenant, role: RoleId) -> Result<Option<Enforcement>, sqlx::Error> {
    sqlx::query_scalar("SELECT enforcement FROM mapped_roles WHERE guild_id = $1 AND role_id = $2")
        .bind(tenant.guild())
        .bind(role)
        .fetch_optional(tenant.db())
        .await
}

pub async fn set(tenant: &mut Tenant, role: RoleId, enforcement: Enforcement) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE mapped_roles SET enforcement = $3 WHERE guild_id = $1 AND role_id = $2")
        .bind(tenant.guild())
        .bind(role)
        .bind(enforcement.as_str())
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// Has Discord asked again who holds a role; until then nothing is changed.
pub async fn recheck(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE mapped_roles SET enforcement = 'unseen', holders = NULL, look_at = now()
          WHERE guild_id = $1 AND role_id = $2",
    )
    .bind(tenant.guild())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Who has a role from us, and whether something gives it to them.
pub async fn holders(tenant: &mut Tenant, role: RoleId) -> Result<Vec<(UserId, bool)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT user_id, EXISTS (SELECT FROM access_sources s
                                  WHERE (s.guild_id, s.user_id, s.role_id) = (g.guild_id, g.user_id, g.role_id)
                                    AND s.state = 'live')
           FROM role_grants g WHERE guild_id = $1 AND role_id = $2 AND state <> 'ending' ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_all(tenant.db())
    .await
}

/// Drops the row of a role to which nothing is mapped, which nothing gives, and which nobody has from us. Whoever has it, or is due
/// to, may still lose or get it, by the row's rule.
pub async fn forget_unused(tenant: &mut Tenant, role: RoleId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM mapped_roles WHERE guild_id = $1 AND role_id = $2
            AND NOT EXISTS (SELECT FROM role_mappings WHERE guild_id = $1 AND role_id = $2)
            AND NOT EXISTS (SELECT FROM role_grants WHERE guild_id = $1 AND role_id = $2)
            AND NOT EXISTS (SELECT FROM access_sources WHERE guild_id = $1 AND role_id = $2 AND state = 'live')",
    )
    .bind(tenant.guild())
    .bind(role)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// One mapped role at a glance.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MappedRole {
    pub role_id: RoleId,
    /// Whether roles follow payments.
    pub enforcement: Enforcement,
    /// How many had it, not by us, when we first checked.
    pub holders: Option<i64>,
    /// Why it must not be given: it is suspended.
    pub danger: Option<String>,
    /// When one call finds out whether Discord lets us manage it; `None`: it does, as far as we know.
    pub probe_at: Option<Timestamp>,
    /// With which code it does not.
    pub code: Option<i32>,
    /// What gives it, `price price_…` or `product prod_…`.
    pub sold: Vec<String>,
}

/// The mapped roles of a guild.
pub async fn list(tenant: &mut Tenant) -> Result<Vec<MappedRole>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.role_id, r.enforcement, r.holders, g.danger, h.next_probe_at AS probe_at, h.code,
                array_agg(m.source_kind || ' ' || m.source_id ORDER BY m.source_kind, m.source_id) AS sold
           FROM mapped_roles r JOIN role_mappings m USING (guild_id, role_id)
           LEFT JOIN guild_roles g USING (guild_id, role_id)
           LEFT JOIN role_health h USING (guild_id, role_id)
          WHERE r.guild_id = $1
          GROUP BY r.role_id, r.enforcement, r.holders, g.danger, h.next_probe_at, h.code ORDER BY r.role_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

/// What enforcing a role would change, as our rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Members who pay for it, or were given it, and do not have it by us. Who has it by hand already keeps it, and nothing happens.
    pub gain: Vec<UserId>,
    /// Members who would have it by purchases on an account, or in a mode, that is not connected any more.
    pub unbacked: Vec<UserId>,
    /// Members who have it by us, and whom nothing gives it any more.
    pub lose: Vec<UserId>,
    /// Customers who pay for it and are nobody's.
    pub unlinked: Vec<CustomerId>,
}

/// Computes the preview of a role.
pub async fn preview(tenant: &mut Tenant, role: RoleId) -> Result<Preview, sqlx::Error> {
    let would_have: Vec<(UserId, bool)> = sqlx::query_as(
        "SELECT a.user_id, bool_or(a.kind <> 'stripe' OR c.state = 'active' AND p.missing_since IS NULL AND o.missing_since IS NULL) AS pays
           FROM access_sources a LEFT JOIN stripe_connections c USING (guild_id, connection_id)
           LEFT JOIN subscriptions p ON (p.guild_id, p.connection_id, p.subscription_id)
                                      = (a.guild_id, a.connection_id, a.source_id)
           LEFT JOIN purchases o ON (o.guild_id, o.connection_id, o.session_id) = (a.guild_id, a.connection_id, a.source_id)
          WHERE a.guild_id = $1 AND a.role_id = $2 AND a.state = 'live'
            AND NOT EXISTS (SELECT FROM role_grants g
                             WHERE (g.guild_id, g.user_id, g.role_id) = (a.guild_id, a.user_id, a.role_id)
                               AND g.state = 'confirmed')
          GROUP BY a.user_id ORDER BY a.user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_all(tenant.db())
    .await?;
    let of =
        |wanted| would_have.iter().filter(move |(_, pays)| *pays == wanted).map(|(user, _)| *user).collect();
    let (gain, unbacked) = (of(true), of(false));
    let lose = sqlx::query_scalar(
        "SELECT user_id FROM role_grants g
          WHERE guild_id = $1 AND role_id = $2 AND state <> 'ending'
            AND NOT EXISTS (SELECT FROM access_sources s
                             WHERE (s.guild_id, s.user_id, s.role_id) = (g.guild_id, g.user_id, g.role_id)
                               AND s.state = 'live')
          ORDER BY user_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_all(tenant.db())
    .await?;
    let unlinked = sqlx::query_scalar(
        "SELECT DISTINCT s.customer_id
           FROM (SELECT guild_id, connection_id, customer_id, user_id, missing_since, price_ids, product_ids, status = ANY ($3) AS pays
                   FROM subscriptions
                 UNION ALL
                 SELECT guild_id, connection_id, customer_id, user_id, missing_since, price_ids, product_ids, status = 'paid'
                   FROM purchases WHERE customer_id IS NOT NULL) s
           JOIN role_mappings m USING (guild_id)
           JOIN stripe_connections c USING (guild_id, connection_id)
          WHERE s.guild_id = $1 AND c.state = 'active' AND s.missing_since IS NULL AND m.role_id = $2 AND s.pays AND s.user_id IS NULL
            AND m.source_id = ANY (CASE m.source_kind WHEN 'price' THEN s.price_ids ELSE s.product_ids END)
            AND NOT EXISTS (SELECT FROM member_links l
                             WHERE (l.guild_id, l.connection_id, l.customer_id)
                                 = (s.guild_id, s.connection_id, s.customer_id))
          ORDER BY s.customer_id",
    )
    .bind(tenant.guild())
    .bind(role)
    .bind(paying_statuses())
    .fetch_all(tenant.db())
    .await?;
    Ok(Preview { gain, unbacked, lose, unlinked })
}
