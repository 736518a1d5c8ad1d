//! Connecting, and the schema.

use std::{future::Future, str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgPool, Postgres, Row, SqlSafeStr, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};

use super::roles::{self, Login, Obstacle, RolesError};

/// Every migration, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A step that takes longer is given up: Postgres itself ends a statement after 15 seconds, so nobody is there any more.
const SILENT: Duration = Duration::from_secs(20);
/// A pool that has no connection after this is asked about apart: it may never get one.
const PROMPT: Duration = Duration::from_millis(250);
/// How long a connection may take to say that it is alive.
const ALIVE: Duration = Duration::from_millis(1500);

/// Runs one step of background work, and gives it up after 20 seconds. A connection whose other end vanished without a word
/// would keep the step waiting for as long as TCP hopes, a quarter of an hour. What was given up may still have happened.
pub async fn within<T>(step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(SILENT, step).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether the connection answers, and may write: one that a failover left read-only would fail every write.
async fn is_of_use(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let read_only = "SELECT current_setting('transaction_read_only')::boolean";
    let asked = sqlx::query_scalar::<_, bool>(read_only).fetch_one(connection);
    let read_only = tokio::time::timeout(ALIVE, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    Ok(!read_only)
}

/// Whether the connection answers at all, and is outside a transaction. sqlx 0.9.0 can put one back that is inside: its
/// `begin()`, dropped between BEGIN and the answer, does not know that it began. What is written there later is never committed.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // In one simple query outside a transaction both are the same moment; inside, the transaction is older.
    let outside = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(connection);
    let outside = tokio::time::timeout(ALIVE, outside).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    let outside = outside.try_get::<bool, _>(0)?;
    if !outside {
        tracing::warn!("a connection came back inside a transaction and is closed");
    }
    Ok(outside)
}

/// A pool for one service. Time limits guard against a forgotten transaction, which would hold back vacuum.
///
/// `connections`: 8 to 16; more only costs. Fails only when the address itself is malformed: connections are made when
/// they are needed, so that a service can start before its database.
pub fn pool(url: &str, connections: u32, login: Login) -> Result<Pool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("nexrole");
    let role = login.across_tenants();
    let prepare = format!(
        "SET statement_timeout = '15s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s';
         -- What was answered must survive a crash of Postgres, whatever the server's own setting is.
         SELECT set_config('synchronous_commit', 'on', false)
          WHERE current_setting('synchronous_commit') = 'off'
            AND current_setting('nexrole.may_lose_data', true) IS DISTINCT FROM 'on';
         SET ROLE {role}"
    );
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(3))
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1800))
        .after_connect(move |connection, _| {
            // By SET, not as startup options: poolers refuse unknown startup parameters.
            let prepare = sqlx::raw_sql(AssertSqlSafe(prepare.clone()));
            Box::pin(async move {
                prepare.execute(connection).await?;
                Ok(())
            })
        })
        // Instead of the usual ping, at the same price: a connection that is read-only or dead is closed, and another is made.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(is_of_use(connection)))
        // sqlx pings what is given back, without a limit: a dead connection would keep its place in the pool.
        .after_release(|connection, _| Box::pin(is_clean(connection)))
        .connect_lazy_with(options);
    Ok(Pool { connections: pool, login })
}

/// A service's connections. There are two ways to use one: for one tenant ([`super::tenant::begin`]), or across tenants.
#[derive(Debug, Clone)]
pub struct Pool {
    connections: PgPool,
    login: Login,
}

impl Pool {
    /// A connection for the few store functions that work across tenants; it may do nothing else.
    pub async fn across(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.connections.acquire().await
    }

    /// The same for several statements, with so much patience for each lock.
    pub async fn across_impatiently(
        &self,
        patience: Duration,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let begin = format!("BEGIN; SET LOCAL lock_timeout = '{}ms'", patience.as_millis());
        self.begin_with(AssertSqlSafe(begin)).await
    }

    pub(super) async fn begin_with(
        &self,
        begin: impl SqlSafeStr,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.connections.begin_with(begin).await
    }

    pub(super) fn login(&self) -> Login {
        self.login
    }

    /// One connection to listen on; it takes no role, since it asks for nothing.
    pub fn listener(&self) -> PgPool {
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        own.connect_lazy_with((*self.connections.connect_options()).clone())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

/// A connection for migrations: they may take as long as they need, and wait for each other.
pub fn migration_pool(url: &str) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("nexrole migrate");
    Ok(PgPoolOptions::new().max_connections(1).connect_lazy_with(options))
}

/// Why the database is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The roles.
    #[error(transparent)]
    Roles(#[from] RolesError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] sqlx::migrate::MigrateError),
}

/// Brings roles and schema up to date. Any number of callers may do so at once.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrationError> {
    let mut db = pool.acquire().await.map_err(RolesError::from)?;
    roles::ensure(&mut db).await?;
    drop(db);
    Ok(MIGRATOR.run(pool).await?)
}

/// Where the database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Reachable, and every migration this release knows is applied.
    Ready,
    /// Reachable; `nexrole migrate` has not been run for this release.
    SchemaBehind,
    /// Reachable; its login may not act as the roles that there are.
    NotAllowed,
    /// Reachable, and set up so that a crash loses what it confirmed, or ruins it: no session can mend that.
    MayLoseData,
    /// Not reachable, with the reason.
    Away(String),
}

impl Readiness {
    /// What it waits for, in words that name no host: health checks are public. `None`: nothing.
    pub fn waits_for(&self) -> Option<&'static str> {
        match self {
            Self::Ready => None,
            Self::SchemaBehind => Some("the schema is behind this release: run `nexrole migrate`"),
            Self::NotAllowed => Some(
                "its login may not act as Nexrole's database roles: run `nexrole migrate`, or ask `nexrole doctor`",
            ),
            Self::MayLoseData => {
                tracing::error!(
                    "fsync or full_page_writes is off: a crash may lose what Stripe was told is recorded. Switch them on, or set \
                     nexrole.may_lose_data = on in postgresql.conf if all of it may go"
                );
                Some("the database may lose data: its fsync or full_page_writes is off")
            }
            Self::Away(error) => {
                tracing::warn!(error, "the database does not answer");
                Some("the database does not answer")
            }
        }
    }
}

/// Looks.
pub async fn readiness(pool: &Pool) -> Readiness {
    let applied = within(
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(&pool.connections),
    );
    let applied: Result<Vec<i64>, sqlx::Error> = tokio::select! {
        applied = applied => applied,
        // A session that cannot have its role is closed again by the pool, which goes on trying and keeps the reason to itself.
        Some(obstacle) = obstacle(pool) => return match obstacle {
            Obstacle::Missing => Readiness::SchemaBehind,
            Obstacle::NotAllowed => Readiness::NotAllowed,
        },
    };
    match applied {
        Ok(applied) if MIGRATOR.iter().all(|known| applied.contains(&known.version)) => {
            durability(pool).await
        }
        Ok(_) => Readiness::SchemaBehind,
        // 42P01: the table does not exist, so nothing was ever migrated.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => {
            Readiness::SchemaBehind
        }
        Err(error) => Readiness::Away(error.to_string()),
    }
}

/// What keeps this login from its roles, asked on a connection of its own, and only if the pool is slow.
async fn obstacle(pool: &Pool) -> Option<Obstacle> {
    tokio::time::sleep(PROMPT).await;
    let asked = within(async {
        let mut db = pool.connections.connect_options().connect().await?;
        let obstacle = roles::obstacle(&mut db, &pool.login.roles()).await?;
        db.close().await?;
        Ok(obstacle)
    });
    // Not to be had either: the pool will say so.
    Some(asked.await.ok()??.1)
}

/// Whether what is committed stays. Tests and the demo say of their own Postgres that it need not.
async fn durability(pool: &Pool) -> Readiness {
    let may_lose = "SELECT 'off' IN (current_setting('fsync'), current_setting('full_page_writes'))
                       AND current_setting('nexrole.may_lose_data', true) IS DISTINCT FROM 'on'";
    match within(sqlx::query_scalar(may_lose).fetch_one(&pool.connections)).await {
        Ok(false) => Readiness::Ready,
        Ok(true) => Readiness::MayLoseData,
        Err(error) => Readiness::Away(error.to_string()),
    }
}
