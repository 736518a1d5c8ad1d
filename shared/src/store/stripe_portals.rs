//! The login page of each connection's customer portal: what its configuration at Stripe says, read daily, and what its owner pasted.
//! The rest of a connection's reading is in `stripe_cursors`, in the same row.

use std::time::Duration;

use sqlx::{FromRow, Row, postgres::PgRow};

use super::stripe_connections::Connection;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    domain::billing::{
        page::PageUrl,
        portal::{Portal, PortalRead},
    },
    ids::{ConnectionId, UserId},
};

/// From `portal_url` of `stripe_connections`, and `portal_read` and `portal_login_url` of `stripe_cursors`.
impl<'r> FromRow<'r, PgRow> for Portal {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let pasted: Option<&str> = row.try_get("portal_url")?;
        let read = PortalRead::kept(row.try_get("portal_read")?, row.try_get("portal_login_url")?);
        Ok(Self { pasted: pasted.and_then(|url| PageUrl::parse(url).ok()), read })
    }
}

/// Takes one connection whose configuration is to be read, and keeps it for `lease`: a reader that dies costs that.
pub async fn take(crossing: &mut Crossing, lease: Duration) -> Result<Option<Connection>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS (
             SELECT p.guild_id, p.connection_id FROM stripe_cursors p JOIN stripe_connections s USING (guild_id, connection_id)
              WHERE p.portal_next_at <= now() AND s.state = 'active'
              ORDER BY p.portal_next_at LIMIT 1 FOR NO KEY UPDATE OF p SKIP LOCKED
         )
         UPDATE stripe_cursors c SET portal_next_at = clock_timestamp() + make_interval(secs => $1)
           FROM due WHERE (c.guild_id, c.connection_id) = (due.guild_id, due.connection_id)
         RETURNING c.guild_id, c.connection_id",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// It was read, and is again after `wait`.
pub async fn was_read(
    tenant: &mut Tenant,
    connection: ConnectionId,
    read: &PortalRead,
    wait: Duration,
) -> Result<(), sqlx::Error> {
    let page = match read {
        PortalRead::Page(page) => Some(page.as_str()),
        PortalRead::Disabled | PortalRead::Missing | PortalRead::Refused => None,
    };
    sqlx::query(
        "UPDATE stripe_cursors SET portal_read = $3, portal_login_url = $4, portal_next_at = now() + make_interval(secs => $5)
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(read.as_str())
    .bind(page)
    .bind(wait.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// It could not be read, and is tried again after `wait`. What was read before stays.
pub async fn retry(tenant: &mut Tenant, connection: ConnectionId, wait: Duration) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET portal_next_at = now() + make_interval(secs => $3) WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(wait.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// It is read at once: the key is another, or may read more.
pub async fn read_now(tenant: &mut Tenant, connection: ConnectionId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_cursors SET portal_next_at = now() WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// What the owner pasted; the connection's row stays so until the transaction ends.
pub async fn lock_pasted(
    tenant: &mut Tenant,
    connection: ConnectionId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT portal_url FROM stripe_connections WHERE guild_id = $1 AND connection_id = $2 FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_one(tenant.db())
    .await
}

/// Keeps what the owner pasted; `None`: nothing, any more.
pub async fn paste(
    tenant: &mut Tenant,
    connection: ConnectionId,
    page: Option<&PageUrl>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE stripe_connections SET portal_url = $3 WHERE guild_id = $1 AND connection_id = $2")
        .bind(tenant.guild())
        .bind(connection)
        .bind(page.map(PageUrl::as_str))
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// Those of the connections on which a member has a customer.
pub async fn of_member(tenant: &mut Tenant, member: UserId) -> Result<Vec<Portal>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.portal_url, k.portal_read, k.portal_login_url
           FROM stripe_connections c LEFT JOIN stripe_cursors k USING (guild_id, connection_id)
          WHERE c.guild_id = $1
            AND EXISTS (SELECT FROM member_links l
                         WHERE l.guild_id = $1 AND l.connection_id = c.connection_id AND l.user_id = $2)
          ORDER BY c.connection_id",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
}
