//! Every sealed value that is kept, wherever it is: to count them by key, and to seal them anew. In: where to go on. Out: pages of
//! them. What the services ask of each other is sealed too, for two seconds, and is not counted.

use sqlx::PgConnection;

use super::stripe_connections::Connection;
use crate::crypto::{self, CryptoError, Keyring};
use crate::db::{cross_tenant::Crossing, tenant::Tenant};

/// Values per page: some hundred kilobytes at most.
const PAGE: i64 = 200;

/// Where sealed values are: columns of `stripe_connections`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// A restricted key.
    ApiKey,
    WebhookSecrets,
}

impl Column {
    pub const ALL: [Self; 2] = [Self::ApiKey, Self::WebhookSecrets];

    /// As in the schema, and in the place that a value is bound to.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::WebhookSecrets => "webhook_secrets",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub connection: Connection,
    pub column: Column,
    pub bytes: Vec<u8>,
}

impl Sealed {
    /// The id of its key; `None` if the bytes are damaged.
    pub fn key_id(&self) -> Option<&str> {
        crypto::key_id(&self.bytes).ok()
    }

    /// Whether it opens, and if not, why. What is in it is forgotten at once.
    pub fn opens(&self, keyring: &Keyring) -> Result<(), CryptoError> {
        keyring.open(&self.place(), &self.bytes).map(drop)
    }

    /// The same content, sealed with the first key.
    pub fn sealed_anew(&self, keyring: &Keyring) -> Result<Vec<u8>, CryptoError> {
        use secrecy::ExposeSecret;
        let content = keyring.open(&self.place(), &self.bytes)?;
        keyring.seal(&self.place(), content.expose_secret().as_bytes())
    }

    fn place(&self) -> String {
        self.connection.place(self.column.name())
    }
}

/// The values after one, in an order that does not change when they are sealed anew. An empty page is the end.
pub async fn page(crossing: &mut Crossing, after: Option<&Sealed>) -> Result<Vec<Sealed>, sqlx::Error> {
    page_on(crossing.db(), after).await
}

/// The same on the doctor's session.
pub(super) async fn page_on(
    db: &mut PgConnection,
    after: Option<&Sealed>,
) -> Result<Vec<Sealed>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT guild_id, connection_id, place.name, place.bytes
           FROM stripe_connections
          CROSS JOIN LATERAL (VALUES ('api_key', api_key), ('webhook_secrets', webhook_secrets)) AS place (name, bytes)
          WHERE place.bytes IS NOT NULL
            -- Twice, because only the first form is one that the primary key can serve.
            AND ($1::bigint IS NULL OR (guild_id, connection_id) >= ($1, $2))
            AND ($1::bigint IS NULL OR (guild_id, connection_id, place.name) > ($1, $2, $3))
          ORDER BY guild_id, connection_id, place.name
          LIMIT $4",
    )
    .bind(after.map(|sealed| sealed.connection.guild))
    .bind(after.map(|sealed| sealed.connection.id))
    .bind(after.map(|sealed| sealed.column.name()))
    .bind(PAGE)
    .fetch_all(db)
    .await?;
    Ok(named(rows))
}

/// One tenant's values.
pub async fn of_tenant(tenant: &mut Tenant) -> Result<Vec<Sealed>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT guild_id, connection_id, place.name, place.bytes
           FROM stripe_connections
          CROSS JOIN LATERAL (VALUES ('api_key', api_key), ('webhook_secrets', webhook_secrets)) AS place (name, bytes)
          WHERE guild_id = $1 AND place.bytes IS NOT NULL
          ORDER BY connection_id, place.name",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await?;
    Ok(named(rows))
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    connection: Connection,
    name: String,
    bytes: Vec<u8>,
}

fn named(rows: Vec<Row>) -> Vec<Sealed> {
    let sealed = rows.into_iter().filter_map(|Row { connection, name, bytes }| {
        Some(Sealed { connection, column: Column::named(&name)?, bytes })
    });
    sealed.collect()
}

/// Puts `new` where `old` still is. `false`: somebody has changed it meanwhile, and theirs stays.
pub async fn replace(crossing: &mut Crossing, old: &Sealed, new: &[u8]) -> Result<bool, sqlx::Error> {
    let update = match old.column {
        Column::ApiKey => {
            "UPDATE stripe_connections SET api_key = $4
              WHERE guild_id = $1 AND connection_id = $2 AND api_key = $3"
        }
        Column::WebhookSecrets => {
            "UPDATE stripe_connections SET webhook_secrets = $4
              WHERE guild_id = $1 AND connection_id = $2 AND webhook_secrets = $3"
        }
    };
    let updated = sqlx::query(update)
        .bind(old.connection.guild)
        .bind(old.connection.id)
        .bind(&old.bytes)
        .bind(new)
        .execute(crossing.db())
        .await?;
    Ok(updated.rows_affected() == 1)
}
