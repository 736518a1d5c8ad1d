//! The API key of a connection: from the environment, or sealed in the database.

use std::sync::Arc;

use shared::db::pool::{Pool, within};
use shared::{
    crypto::Keyring,
    db::tenant,
    store::{
        stripe_connections::{self, Connection, Credential},
        stripe_cursors,
    },
};

use super::budget::{ApiKey, Budgets};
use crate::config::Environment;

/// Whether `metadata.discord_user_id` is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataLinks {
    /// The owner opted in.
    On,
    /// They did not.
    Off,
}

/// What it takes to read a connection's account.
pub struct Key {
    pub key: ApiKey,
    /// Live or test.
    pub livemode: bool,
    pub metadata: MetadataLinks,
    /// Whether its events are to come by webhook.
    pub expects_webhooks: bool,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// A person has to act.
    #[error("{0}")]
    Missing(String),
    /// It may be there.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

pub struct Keys {
    pub pool: Pool,
    /// Opens keys that are in it.
    pub keyring: Option<Keyring>,
    /// The connection whose key is not.
    pub environment: Option<Environment>,
    pub budgets: Arc<Budgets>,
}

impl Keys {
    /// The key of a connection.
    pub async fn of(&self, connection: Connection) -> Result<Key, NoKey> {
        let budget = self.budgets.of(connection);
        let stored = within(async {
            let mut tenant = tenant::begin(&self.pool, connection.guild).await?;
            if budget.asks_for_month()
                && let Some(month) = stripe_cursors::month_of_reads(&mut tenant, connection.id).await?
            {
                budget.set_month(month);
            }
            stripe_connections::credential(&mut tenant, connection.id).await
        });
        let stored = stored.await?;
        let missing = |why: &str| NoKey::Missing(why.to_owned());
        let credential = stored.ok_or_else(|| missing("the connection is not active"))?;
        let Credential { api_key, label, livemode, metadata_links, has_webhook_secrets } = credential;
        let metadata = if metadata_links { MetadataLinks::On } else { MetadataLinks::Off };
        let environment = self.environment.as_ref().filter(|environment| {
            label == stripe_connections::ENVIRONMENT
                && (environment.guild, environment.livemode) == (connection.guild, livemode)
        });
        let expects_webhooks =
            has_webhook_secrets || environment.is_some_and(|it| !it.webhook_secrets.is_empty());
        let key = match (api_key, environment) {
            (Some(sealed), _) => {
                let keyring = self.keyring.as_ref().ok_or_else(|| missing("ENCRYPTION_KEYS is not set"))?;
                keyring
                    .open(&connection.place("api_key"), &sealed)
                    .map_err(|error| missing(&error.to_string()))?
            }
            (None, Some(environment)) => environment.api_key.clone(),
            (None, None) => return Err(missing("the connection has no API key")),
        };
        let key = ApiKey::new(key, budget);
        Ok(Key { key, livemode, metadata, expects_webhooks })
    }
}
