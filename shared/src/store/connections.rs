//! Guilds and their Stripe connections.

use sqlx::PgConnection;

use crate::ids::{ConnectionId, GuildId};

/// A connection's place in every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection {
    /// The tenant.
    pub guild: GuildId,
    /// The row.
    pub id: ConnectionId,
}

impl Connection {
    /// The place that a sealed column of this row is bound to.
    pub fn place(&self, column: &str) -> String {
        format!("stripe_connections/{}/{}/{column}", self.guild, self.id)
    }
}

/// What the gateway needs to accept this connection's events.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Whose.
    pub connection: Connection,
    /// Events of the other mode are ignored.
    pub livemode: bool,
    /// Sealed, comma-separated; `None` when the environment holds them.
    pub webhook_secrets: Option<Vec<u8>>,
}

/// What the gateway needs to read this connection's objects.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Sealed restricted key; `None` when the environment holds it, or there is none.
    pub api_key: Option<Vec<u8>>,
    /// `environment` for the connection that variables describe.
    pub label: String,
    /// Live or test: a key of the other mode does not know its objects.
    pub livemode: bool,
    /// Whether `metadata.discord_user_id` may link a customer.
    pub metadata_links: bool,
}

/// The label of the connection that variables describe.
pub const ENVIRONMENT: &str = "environment";

/// Makes the guild and its gate; idempotent.
pub async fn ensure_guild(db: &mut PgConnection, guild: GuildId) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO guilds (guild_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(guild)
        .execute(&mut *db)
        .await?;
    // A guild without a gate would never be claimed: the two rows are made together.
    sqlx::query("INSERT INTO guild_gates (guild_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(guild)
        .execute(db)
        .await?;
    Ok(())
}

/// Does this guild use us?
pub async fn knows_guild(db: &mut PgConnection, guild: GuildId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM guilds WHERE guild_id = $1)")
        .bind(guild)
        .fetch_one(db)
        .await
}

/// Makes or finds the connection `label` of a guild in one mode. The endpoint id is made once and kept.
pub async fn ensure(
    db: &mut PgConnection,
    guild: GuildId,
    label: &str,
    livemode: bool,
    metadata_links: bool,
) -> Result<Connection, sqlx::Error> {
    let endpoint = uuid::Uuid::new_v4().simple().to_string();
    let id = sqlx::query_scalar(
        "INSERT INTO stripe_connections (guild_id, label, livemode, endpoint_id, metadata_links)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (guild_id, livemode, label) DO UPDATE SET metadata_links = excluded.metadata_links, state = 'active'
         RETURNING connection_id",
    )
    .bind(guild)
    .bind(label)
    .bind(livemode)
    .bind(endpoint)
    .bind(metadata_links)
    .fetch_one(db)
    .await?;
    Ok(Connection { guild, id })
}

/// Disconnects what variables described before for this guild, in the other mode. Nothing is revoked by it.
pub async fn disconnect_others(
    db: &mut PgConnection,
    described: Connection,
) -> Result<Vec<Connection>, sqlx::Error> {
    let rows: Vec<(GuildId, ConnectionId)> = sqlx::query_as(
        "UPDATE stripe_connections SET state = 'disconnected'
          WHERE label = $1 AND api_key IS NULL AND state = 'active' AND guild_id = $2 AND connection_id <> $3
         RETURNING guild_id, connection_id",
    )
    .bind(ENVIRONMENT)
    .bind(described.guild)
    .bind(described.id)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(guild, id)| Connection { guild, id }).collect())
}

/// Stores a connection's sealed secrets.
pub async fn seal(
    db: &mut PgConnection,
    connection: Connection,
    api_key: Option<&[u8]>,
    webhook_secrets: Option<&[u8]>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE stripe_connections SET api_key = $3, webhook_secrets = $4 WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(connection.guild)
    .bind(connection.id)
    .bind(api_key)
    .bind(webhook_secrets)
    .execute(db)
    .await?;
    Ok(())
}

/// The endpoint id of a connection's webhook address.
pub async fn endpoint_id(db: &mut PgConnection, connection: Connection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT endpoint_id FROM stripe_connections WHERE guild_id = $1 AND connection_id = $2",
    )
    .bind(connection.guild)
    .bind(connection.id)
    .fetch_one(db)
    .await
}

/// Finds an endpoint by its id.
pub async fn endpoint(db: &mut PgConnection, endpoint_id: &str) -> Result<Option<Endpoint>, sqlx::Error> {
    let row: Option<(GuildId, ConnectionId, bool, Option<Vec<u8>>)> = sqlx::query_as(
        "SELECT guild_id, connection_id, livemode, webhook_secrets
           FROM stripe_connections WHERE endpoint_id = $1 AND state = 'active'",
    )
    .bind(endpoint_id)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(guild, id, livemode, webhook_secrets)| Endpoint {
        connection: Connection { guild, id },
        livemode,
        webhook_secrets,
    }))
}

/// The credential of a connection that is active.
pub async fn credential(
    db: &mut PgConnection,
    connection: Connection,
) -> Result<Option<Credential>, sqlx::Error> {
    let row: Option<(Option<Vec<u8>>, String, bool, bool)> = sqlx::query_as(
        "SELECT api_key, label, livemode, metadata_links FROM stripe_connections
          WHERE guild_id = $1 AND connection_id = $2 AND state = 'active'",
    )
    .bind(connection.guild)
    .bind(connection.id)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(api_key, label, livemode, metadata_links)| Credential {
        api_key,
        label,
        livemode,
        metadata_links,
    }))
}

/// One line of the operator's list.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// The tenant.
    pub guild_id: GuildId,
    /// The row.
    pub connection_id: ConnectionId,
    /// Its name.
    pub label: String,
    /// Live or test.
    pub livemode: bool,
    /// The last part of its webhook address.
    pub endpoint_id: String,
    /// `active` or `disconnected`.
    pub state: String,
}

/// All connections, for the operator.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Listed>, sqlx::Error> {
    let rows: Vec<(GuildId, ConnectionId, String, bool, String, String)> = sqlx::query_as(
        "SELECT guild_id, connection_id, label, livemode, endpoint_id, state
           FROM stripe_connections ORDER BY guild_id, connection_id",
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(guild_id, connection_id, label, livemode, endpoint_id, state)| Listed {
            guild_id,
            connection_id,
            label,
            livemode,
            endpoint_id,
            state,
        })
        .collect())
}
