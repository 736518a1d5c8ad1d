//! Servers beside the world's own, each connected to a Stripe account of its own. In: its id and its secrets. Out: a connection
//! whose secrets are sealed in the database, and the address of its webhooks.

use shared::{
    crypto::Keyring,
    db::{authorized::Authorized, pg_roles::Login, pool::Pool, tenant},
    domain::audit::Actor,
    ids::GuildId,
    store::{
        sealed::{self, Column, Sealed},
        stripe_connections::{self, Connection},
    },
};
use sqlx::{Postgres, Transaction};

use super::{cluster::Database, world::World};

/// Of the world's services, and of everything that is sealed for them.
pub(crate) const ENCRYPTION_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The server that most tests take for another.
pub(crate) const SECOND_GUILD: &str = "222222222222222222";

/// The webhook secret of tenants that need no other.
pub(crate) const TENANT_SECRET: &str = "whsec_of_a_tenant";

/// A server to be connected.
pub(crate) struct NewTenant<'a> {
    pub(crate) guild: GuildId,
    /// What its secrets are sealed with, as in `ENCRYPTION_KEYS`.
    pub(crate) keys: &'a str,
    pub(crate) api_key: Option<&'a str>,
    pub(crate) webhook_secret: &'a str,
    /// Whether customers' metadata link members; `None`: as for a new connection.
    pub(crate) metadata_links: Option<bool>,
}

/// A server that is connected.
pub(crate) struct SealedTenant {
    pub(crate) connection: Connection,
    /// The last part of the address of its webhooks.
    pub(crate) endpoint: String,
}

impl<'a> NewTenant<'a> {
    /// With a webhook secret, and no API key.
    pub(crate) fn new(guild: &str, webhook_secret: &'a str) -> Self {
        let guild = guild.parse().expect("an id");
        Self { guild, keys: ENCRYPTION_KEYS, api_key: None, webhook_secret, metadata_links: None }
    }

    /// Does what `nexrole connect` does.
    pub(crate) async fn connect(&self, operator: &Pool) -> SealedTenant {
        let by = Authorized::operator(operator, self.guild).expect("the operator's login");
        let mut tenant = tenant::begin_as(operator, &by).await.expect("it begins");
        stripe_connections::ensure_guild(&mut tenant).await.expect("made");
        let links = self.metadata_links;
        let id = stripe_connections::ensure(&mut tenant, Actor::Operator, "sealed", false, links)
            .await
            .expect("made");
        let connection = Connection { guild: self.guild, id };
        let keyring = Keyring::parse(self.keys).expect("good keys");
        let seal = |column: Column, text: &str| {
            keyring.seal(&connection.place(column.name()), text.as_bytes()).expect("sealed")
        };
        let key = self.api_key.map(|key| seal(Column::ApiKey, key));
        let secrets = seal(Column::WebhookSecrets, self.webhook_secret);
        stripe_connections::seal(&mut tenant, id, key.as_deref(), Some(&secrets)).await.expect("stored");
        let endpoint = stripe_connections::endpoint_id(&mut tenant, id).await.expect("known");
        tenant.commit().await.expect("committed");
        SealedTenant { connection, endpoint }
    }
}

/// One of many servers, with both secrets sealed: `rk_test_{number}` and `whsec_a`.
pub(crate) async fn numbered(operator: &Pool, keys: &str, number: u64) -> SealedTenant {
    let (guild, key) = ((200_000_000_000_000_000 + number).to_string(), format!("rk_test_{number}"));
    let tenant = NewTenant { keys, api_key: Some(&key), ..NewTenant::new(&guild, "whsec_a") };
    tenant.connect(operator).await
}

impl World {
    /// Another server, with [`TENANT_SECRET`]. Out: the last part of the address of its webhooks.
    pub(crate) async fn sealed_tenant(&self, guild: &str) -> String {
        NewTenant::new(guild, TENANT_SECRET).connect(&self.login(Login::Operator)).await.endpoint
    }
}

/// Every secret that is sealed, whose ever it is.
pub(crate) async fn all_sealed(operator: &Pool) -> Vec<Sealed> {
    let mut across = operator.across().await.expect("a connection");
    let mut all: Vec<Sealed> = Vec::new();
    loop {
        let page = sealed::page(&mut across, all.last()).await.expect("a page");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

impl Database {
    /// Connections of which a secret is sealed with the key of this id, which has three letters.
    pub(crate) async fn connections_sealed_with(&self, key: &str) -> i64 {
        let query = "SELECT count(*) FROM stripe_connections
                      WHERE substr(api_key, 3, 3) = $1 OR substr(webhook_secrets, 3, 3) = $1";
        sqlx::query_scalar(query).bind(key.as_bytes()).fetch_one(&self.pool).await.expect("the query is good")
    }

    /// Somebody holds the connection of this numbered server, until the transaction ends.
    pub(crate) async fn hold_numbered(&self, number: u64) -> Transaction<'static, Postgres> {
        let mut hold = self.pool.begin().await.expect("Postgres is up");
        let row = "SELECT FROM stripe_connections WHERE guild_id = $1 FOR UPDATE";
        let guild = i64::try_from(200_000_000_000_000_000 + number).expect("a snowflake");
        let held = sqlx::query(row).bind(guild).execute(&mut *hold).await.expect("the query is good");
        assert_eq!(held.rows_affected(), 1, "there is such a server");
        hold
    }

    /// `nexrole keys rotate` has come to a connection that somebody holds.
    pub(crate) async fn a_rotation_waits(&self) -> bool {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                        AND wait_event_type = 'Lock' AND query LIKE 'UPDATE stripe_connections SET api_key = $4%'";
        let waiting: i64 = sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("the query is good");
        waiting > 0
    }

    /// The one connection follows metadata, and has a webhook secret.
    pub(crate) async fn the_connection_links_and_verifies(&self) -> bool {
        let query = "SELECT metadata_links AND webhook_secrets IS NOT NULL FROM stripe_connections";
        sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("the query is good")
    }

    /// Who did what, and what was before and after, oldest first.
    pub(crate) async fn audited_changes(&self) -> Vec<String> {
        let query = "SELECT actor || ' ' || action || ' ' || change::text FROM audit_log ORDER BY audit_id";
        sqlx::query_scalar(query).fetch_all(&self.pool).await.expect("the query is good")
    }
}
