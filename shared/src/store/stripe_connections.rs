//! Guilds and their Stripe connections.

use super::audit_log;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry, Change},
    ids::{ConnectionId, GuildId},
};

/// A connection's place in every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::FromRow)]
pub struct Connection {
    #[sqlx(rename = "guild_id")]
    pub guild: GuildId,
    #[sqlx(rename = "connection_id")]
    pub id: ConnectionId,
}

impl Connection {
    /// The place that a sealed column of this row is bound to.
    pub fn place(&self, column: &str) -> String {
        format!("stripe_connections/{}/{}/{column}", self.guild, self.id)
    }
}

/// What the gateway needs to accept this connection's events.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Endpoint {
    #[sqlx(flatten)]
    pub connection: Connection,
    /// Events of the other mode are ignored.
    pub livemode: bool,
    /// Sealed, comma-separated; `None` when the environment holds them.
    pub webhook_secrets: Option<Vec<u8>>,
}

/// What the gateway needs to read this connection's objects.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Credential {
    /// Sealed restricted key; `None` when the environment holds it, or there is none.
    pub api_key: Option<Vec<u8>>,
    /// `environment` for the connection that variables describe.
    pub label: String,
    /// Live or test: a key of the other mode does not know its objects.
    pub livemode: bool,
    /// Whether `metadata.discord_user_id` may link a customer.
    pub metadata_links: bool,
    /// Whether sealed webhook secrets are there.
    pub has_webhook_secrets: bool,
}

/// The label of the connection that variables describe.
pub const ENVIRONMENT: &str = "environment";

/// Makes the guild and its gate; idempotent.
pub async fn ensure_guild(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO guilds (guild_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(tenant.guild())
        .execute(tenant.db())
        .await?;
    // A guild without a gate would never be claimed: the two rows are made together.
    sqlx::query("INSERT INTO guild_gates (guild_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(tenant.guild())
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// Does this guild use us?
pub async fn knows_guild(tenant: &mut Tenant) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM guilds WHERE guild_id = $1)")
        .bind(tenant.guild())
        .fetch_one(tenant.db())
        .await
}

/// Makes or finds the connection `label` of a guild in one mode, and sets it to active. The endpoint id is made once and kept,
/// and so is `metadata_links` where it is `None`.
pub async fn ensure(
    tenant: &mut Tenant,
    actor: Actor,
    label: &str,
    livemode: bool,
    metadata_links: Option<bool>,
) -> Result<ConnectionId, sqlx::Error> {
    let endpoint = uuid::Uuid::new_v4().simple().to_string();
    let made = sqlx::query(
        "INSERT INTO stripe_connections (guild_id, label, livemode, endpoint_id, metadata_links)
         VALUES ($1, $2, $3, $4, coalesce($5, false)) ON CONFLICT (guild_id, livemode, label) DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(label)
    .bind(livemode)
    .bind(endpoint)
    .bind(metadata_links)
    .execute(tenant.db())
    .await?
    .rows_affected()
        == 1;
    let (id, links, state): (ConnectionId, bool, String) = sqlx::query_as(
        "SELECT connection_id, metadata_links, state FROM stripe_connections
          WHERE guild_id = $1 AND livemode = $2 AND label = $3 FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(livemode)
    .bind(label)
    .fetch_one(tenant.db())
    .await?;
    let now = metadata_links.unwrap_or(links);
    let mut change = Change::default().field("metadata_links", (!made).then_some(links), Some(now)).field(
        "state",
        (!made).then_some(state.as_str()),
        Some("active"),
    );
    if made {
        change = change.field("label", None, Some(label)).field("livemode", None, Some(livemode));
    }
    if change.is_empty() {
        return Ok(id);
    }
    sqlx::query(
        "UPDATE stripe_connections SET metadata_links = $3, state = 'active' WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(id)
    .bind(now)
    .execute(tenant.db())
    .await?;
    let entry = AuditEntry::new(actor, AuditAction::ConnectionSet, format!("connection {id}")).change(change);
    audit_log::record(tenant, &entry).await?;
    Ok(id)
}

/// Disconnects what variables described before for this guild, in the other mode. Nothing is revoked by it.
pub async fn disconnect_others(
    tenant: &mut Tenant,
    described: ConnectionId,
) -> Result<Vec<ConnectionId>, sqlx::Error> {
    let ended: Vec<ConnectionId> = sqlx::query_scalar(
        "UPDATE stripe_connections SET state = 'disconnected'
          WHERE label = $1 AND api_key IS NULL AND state = 'active' AND guild_id = $2 AND connection_id <> $3
         RETURNING connection_id",
    )
    .bind(ENVIRONMENT)
    .bind(tenant.guild())
    .bind(described)
    .fetch_all(tenant.db())
    .await?;
    for id in &ended {
        let change = Change::default().field("state", Some("active"), Some("disconnected"));
        let cause = format!("connection {id}: variables describe another");
        let entry = AuditEntry::new(Actor::Environment, AuditAction::ConnectionEnded, cause).change(change);
        audit_log::record(tenant, &entry).await?;
    }
    Ok(ended)
}

/// What a connection was before it was disconnected.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Before {
    pub state: String,
    pub has_api_key: bool,
    pub has_webhook_secrets: bool,
}

/// Disconnects, and drops the sealed secrets. Returns what was before; `None`: it was so already.
pub async fn disconnect(
    tenant: &mut Tenant,
    connection: ConnectionId,
) -> Result<Option<Before>, sqlx::Error> {
    sqlx::query_as(
        "WITH before AS (
             SELECT state, api_key IS NOT NULL AS has_api_key, webhook_secrets IS NOT NULL AS has_webhook_secrets
               FROM stripe_connections
              WHERE guild_id = $1 AND connection_id = $2
                AND (state = 'active' OR api_key IS NOT NULL OR webhook_secrets IS NOT NULL) FOR NO KEY UPDATE)
         UPDATE stripe_connections SET state = 'disconnected', api_key = NULL, webhook_secrets = NULL
           FROM before WHERE guild_id = $1 AND connection_id = $2
         RETURNING before.state, has_api_key, has_webhook_secrets",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_optional(tenant.db())
    .await
}

/// Stores a connection's sealed secrets; `None` leaves what is there.
pub async fn seal(
    tenant: &mut Tenant,
    connection: ConnectionId,
    api_key: Option<&[u8]>,
    webhook_secrets: Option<&[u8]>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_connections SET api_key = coalesce($3, api_key), webhook_secrets = coalesce($4, webhook_secrets)
          WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(api_key)
    .bind(webhook_secrets)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// A connection's sealed secrets: the API key, and the webhook secrets.
pub async fn sealed(
    tenant: &mut Tenant,
    connection: ConnectionId,
) -> Result<(Option<Vec<u8>>, Option<Vec<u8>>), sqlx::Error> {
    sqlx::query_as(
        "SELECT api_key, webhook_secrets FROM stripe_connections WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_one(tenant.db())
    .await
}

/// The endpoint id of a connection's webhook address.
pub async fn endpoint_id(tenant: &mut Tenant, connection: ConnectionId) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT endpoint_id FROM stripe_connections WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_one(tenant.db())
    .await
}

/// Finds an endpoint by its id.
pub async fn endpoint(crossing: &mut Crossing, endpoint_id: &str) -> Result<Option<Endpoint>, sqlx::Error> {
    sqlx::query_as(
        "SELECT guild_id, connection_id, livemode, webhook_secrets
           FROM stripe_connections WHERE endpoint_id = $1 AND state = 'active'",
    )
    .bind(endpoint_id)
    .fetch_optional(crossing.db())
    .await
}

/// The endpoint ids after one, in their order: those of active connections. An empty page is the end.
pub async fn endpoint_ids(crossing: &mut Crossing, after: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT endpoint_id FROM stripe_connections
          WHERE endpoint_id > $1 AND state = 'active' ORDER BY endpoint_id LIMIT 5000",
    )
    .bind(after)
    .fetch_all(crossing.db())
    .await
}

/// The active connection of this mode, if there is exactly one.
pub async fn only_one(crossing: &mut Crossing, livemode: bool) -> Result<Option<Connection>, sqlx::Error> {
    let some: Vec<Connection> = sqlx::query_as(
        "SELECT guild_id, connection_id FROM stripe_connections WHERE state = 'active' AND livemode = $1 LIMIT 2",
    )
    .bind(livemode)
    .fetch_all(crossing.db())
    .await?;
    Ok(if let [one] = some[..] { Some(one) } else { None })
}

/// A guild's active connections of this mode, in their order.
pub async fn of_mode(tenant: &mut Tenant, livemode: bool) -> Result<Vec<ConnectionId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT connection_id FROM stripe_connections
          WHERE guild_id = $1 AND state = 'active' AND livemode = $2 ORDER BY connection_id",
    )
    .bind(tenant.guild())
    .bind(livemode)
    .fetch_all(tenant.db())
    .await
}

/// The credential of a connection that is active.
pub async fn credential(
    tenant: &mut Tenant,
    connection: ConnectionId,
) -> Result<Option<Credential>, sqlx::Error> {
    sqlx::query_as(
        "SELECT api_key, label, livemode, metadata_links, webhook_secrets IS NOT NULL AS has_webhook_secrets
           FROM stripe_connections
          WHERE guild_id = $1 AND connection_id = $2 AND state = 'active'",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_optional(tenant.db())
    .await
}

/// Whether `metadata.discord_user_id` may link a customer of a connection.
pub async fn metadata_links(tenant: &mut Tenant, connection: ConnectionId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT coalesce((SELECT metadata_links FROM stripe_connections WHERE guild_id = $1 AND connection_id = $2), false)",
    )
    .bind(tenant.guild())
    .bind(connection)
    .fetch_one(tenant.db())
    .await
}

/// One line of the operator's list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    pub guild_id: GuildId,
    pub connection_id: ConnectionId,
    pub label: String,
    /// Live or test.
    pub livemode: bool,
    /// The last part of its webhook address.
    pub endpoint_id: String,
    /// `active` or `disconnected`.
    pub state: String,
}

/// Tenants with a connection, after one: a page of them, in order. An empty page is the end.
pub async fn guilds(crossing: &mut Crossing, after: Option<GuildId>) -> Result<Vec<GuildId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT guild_id FROM stripe_connections WHERE guild_id > $1 ORDER BY guild_id LIMIT 200",
    )
    .bind(after.map_or(0, GuildId::to_i64))
    .fetch_all(crossing.db())
    .await
}

/// All connections, for the operator.
pub async fn list(crossing: &mut Crossing) -> Result<Vec<Listed>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT guild_id, connection_id, label, livemode, endpoint_id, state
           FROM stripe_connections ORDER BY guild_id, connection_id",
    );
    Ok(listed(rows.fetch_all(crossing.db()).await?))
}

/// All connections of one guild.
pub async fn of_guild(tenant: &mut Tenant) -> Result<Vec<Listed>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT guild_id, connection_id, label, livemode, endpoint_id, state
           FROM stripe_connections WHERE guild_id = $1 ORDER BY guild_id, connection_id",
    );
    Ok(listed(rows.bind(tenant.guild()).fetch_all(tenant.db()).await?))
}

fn listed(rows: Vec<(GuildId, ConnectionId, String, bool, String, String)>) -> Vec<Listed> {
    rows.into_iter()
        .map(|(guild_id, connection_id, label, livemode, endpoint_id, state)| Listed {
            guild_id,
            connection_id,
            label,
            livemode,
            endpoint_id,
            state,
        })
        .collect()
}
