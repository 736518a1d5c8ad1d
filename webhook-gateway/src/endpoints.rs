//! Which connection a webhook address belongs to, and its secrets. In: the last part of the path. Out: an [`Endpoint`].

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use moka::future::Cache;
use secrecy::SecretString;
use shared::store::database::Pool;
use shared::{
    crypto::Keyring,
    store::connections::{self, Connection},
};
use tokio::sync::Semaphore;

use crate::config::split_secrets;

/// Strangers can ask for any address: what is remembered is bounded in number and in time. A rotated secret is seen
/// after this long.
const REMEMBERED: u64 = 10_000;
const REMEMBER_FOR: Duration = Duration::from_secs(30);
/// Look-ups at the same time: strangers must not take the connections that events need.
const LOOK_UPS: usize = 2;

/// Where events of one connection come in.
#[derive(Debug)]
pub struct Endpoint {
    /// Whose.
    pub connection: Connection,
    /// Events of the other mode are not for it.
    pub livemode: bool,
    /// Any of them may have signed.
    pub secrets: Vec<SecretString>,
}

/// No answer: the database is away, or a sealed secret does not open. The cause is logged here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// The connection that variables describe.
enum Environment {
    /// None is described.
    None,
    /// One is; empty until its row is known, which takes a database.
    One(OnceLock<Arc<Endpoint>>),
}

/// Finds endpoints.
pub struct Endpoints {
    pool: Pool,
    keyring: Option<Keyring>,
    environment: Environment,
    remembered: Cache<String, Option<Arc<Endpoint>>>,
    look_ups: Semaphore,
}

impl Endpoints {
    /// Looks in `pool`, opens secrets with `keyring`. `configured`: whether variables describe a connection, which
    /// [`Endpoints::introduce`] will tell of.
    pub fn new(pool: Pool, keyring: Option<Keyring>, configured: bool) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBER_FOR).build();
        let environment = if configured { Environment::One(OnceLock::new()) } else { Environment::None };
        Self { pool, keyring, environment, remembered, look_ups: Semaphore::new(LOOK_UPS) }
    }

    /// Tells of the connection that variables describe, once its row is known.
    pub fn introduce(&self, endpoint: Endpoint) {
        if let Environment::One(known) = &self.environment {
            known.get_or_init(|| Arc::new(endpoint));
        }
    }

    /// The endpoint at `/webhooks/stripe`: the one from variables; `None` if there is none. Not available until its row
    /// is known: an event could not be stored.
    pub fn configured(&self) -> Result<Option<Arc<Endpoint>>, Unavailable> {
        match &self.environment {
            Environment::None => Ok(None),
            Environment::One(known) => known.get().cloned().map(Some).ok_or(Unavailable),
        }
    }

    /// The endpoint at `/webhooks/stripe/{id}`; `None` if there is none.
    pub async fn find(&self, id: &str) -> Result<Option<Arc<Endpoint>>, Unavailable> {
        let word = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !word {
            return Ok(None);
        }
        // Many at once for one address share one look-up; a failed one is not remembered.
        let found = self.remembered.try_get_with_by_ref(id, self.load(id)).await;
        found.map_err(|error: Arc<anyhow::Error>| {
            tracing::error!(error = format!("{error:#}"), "a webhook endpoint cannot be looked up");
            Unavailable
        })
    }

    async fn load(&self, id: &str) -> anyhow::Result<Option<Arc<Endpoint>>> {
        let _turn = self.look_ups.acquire().await?;
        let mut db = self.pool.across().await?;
        let Some(stored) = connections::endpoint(&mut db, id).await? else { return Ok(None) };
        let Some(sealed) = stored.webhook_secrets else {
            // Secrets held by the environment: only the connection that it describes has any.
            let configured = self
                .configured()
                .map_err(|_| anyhow::anyhow!("the configured connection is not known yet"))?;
            return Ok(configured.filter(|endpoint| endpoint.connection == stored.connection));
        };
        let keyring = self.keyring.as_ref().ok_or_else(|| anyhow::anyhow!("ENCRYPTION_KEYS is not set"))?;
        let secrets = keyring.open(&stored.connection.place("webhook_secrets"), &sealed)?;
        let secrets = split_secrets(&secrets)
            .ok_or_else(|| anyhow::anyhow!("the sealed secrets are no whsec_ list"))?;
        Ok(Some(Arc::new(Endpoint { connection: stored.connection, livemode: stored.livemode, secrets })))
    }
}
