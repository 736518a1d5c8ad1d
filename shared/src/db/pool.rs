//! Connecting, and the schema.

use std::{
    future::Future,
    io,
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgPool, Postgres, Row, SqlSafeStr, Transaction,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};

use super::{
    cross_tenant::Crossing,
    pg_roles::{self, Login, RolesError, Standing},
};

/// Every migration, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A step that takes longer is given up: Postgres itself ends a statement after 15 seconds, so nobody is there any more.
const SILENT: Duration = Duration::from_secs(20);
/// A pool that has no connection after this is asked about apart: it may never get one.
const PROMPT: Duration = Duration::from_millis(250);
/// How long a connection may take to say that it is alive.
const ALIVE: Duration = Duration::from_millis(1500);
/// Between two tries of a migration that could not have a table, and how long it goes on.
const TRY_AGAIN: Duration = Duration::from_secs(1);
const GIVE_UP: Duration = Duration::from_secs(300);

/// Runs one step of background work, and gives it up after 20 seconds. A connection whose other end vanished without a word
/// would keep the step waiting for as long as TCP hopes, a quarter of an hour. What was given up may still have happened.
pub async fn within<T>(step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(SILENT, step).await.unwrap_or_else(|_| Err(given_up()))
}

fn given_up() -> sqlx::Error {
    let words = format!("no answer within {} seconds", SILENT.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, words))
}

/// Whether a step was ended for taking too long, by [`within`] or by Postgres (57014): the next try may take as long.
pub fn took_too_long(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::TimedOut,
        error => error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "57014"),
    }
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
    /// A session for the few store functions that work across tenants; it may do nothing else.
    pub async fn across(&self) -> Result<Crossing, sqlx::Error> {
        self.connections.acquire().await.map(Crossing::on_session)
    }

    /// The same in a transaction, with so much patience for each lock.
    pub async fn across_impatiently(&self, patience: Duration) -> Result<Crossing, sqlx::Error> {
        let begin = format!("BEGIN; SET LOCAL lock_timeout = '{}ms'", patience.as_millis());
        self.begin_with(AssertSqlSafe(begin)).await.map(Crossing::in_transaction)
    }

    pub(crate) async fn begin_with(
        &self,
        begin: impl SqlSafeStr,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.connections.begin_with(begin).await
    }

    pub(crate) fn login(&self) -> Login {
        self.login
    }

    /// One connection to listen on, apart from the others.
    pub(crate) fn apart(&self) -> PgPool {
        let role = format!("SET ROLE {}", self.login.across_tenants());
        PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .after_connect(move |connection, _| {
                let take = sqlx::raw_sql(AssertSqlSafe(role.clone()));
                Box::pin(async move {
                    take.execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with((*self.connections.connect_options()).clone())
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
    Schema(#[from] MigrateError),
    /// Restored without the roles.
    #[error(
        "the schema is there, but the roles may not use it: the database was restored before its cluster had the roles. \
         Run `nexrole migrate --roles-only`, and restore it again into an empty database"
    )]
    GrantsLost,
}

/// Brings roles and schema up to date. Any number of callers may do so at once.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrationError> {
    let mut db = pool.acquire().await.map_err(RolesError::from)?;
    pg_roles::ensure(&mut db).await?;
    apply(&mut db).await?;
    if !pg_roles::are_granted(&mut db).await.map_err(RolesError::from)? {
        return Err(MigrationError::GrantsLost);
    }
    if !pg_roles::close_database(&mut db).await.map_err(RolesError::from)? {
        tracing::warn!(
            "every login of this cluster may open this database, and this login does not own it: let its owner REVOKE CONNECT \
             FROM PUBLIC, or keep one installation per cluster"
        );
    }
    Ok(())
}

/// Only the roles: before a restore, which needs them. Any number of callers may do so at once.
pub async fn make_roles(pool: &PgPool) -> Result<(), MigrationError> {
    let mut db = pool.acquire().await.map_err(RolesError::from)?;
    Ok(pg_roles::ensure(&mut db).await?)
}

/// Applies what is missing, between the services' transactions. Whoever waits for a table holds up all who come later; and
/// after a second Postgres looks for a deadlock, which would end a service's transaction. Before that the migration gives way.
async fn apply(db: &mut PgConnection) -> Result<(), MigrationError> {
    let began = Instant::now();
    sqlx::raw_sql("SET lock_timeout = '700ms'").execute(&mut *db).await.map_err(RolesError::from)?;
    let applied = loop {
        let error = match MIGRATOR.run(&mut *db).await {
            Ok(()) => break Ok(()),
            Err(error) => error,
        };
        // A run that fails keeps the lock against other migrations.
        sqlx::raw_sql("SELECT pg_advisory_unlock_all()").execute(&mut *db).await.map_err(RolesError::from)?;
        if !is_busy(&error) || began.elapsed() > GIVE_UP {
            break Err(error.into());
        }
        tracing::warn!(
            "a migration waits for a table that somebody uses, or for another migration: trying again each second, for five \
             minutes at most. If it goes on, stop the services"
        );
        tokio::time::sleep(TRY_AGAIN).await;
    };
    sqlx::raw_sql("RESET lock_timeout").execute(db).await.map_err(RolesError::from)?;
    applied
}

/// 55P03: no lock in time. 40P01: a deadlock.
fn is_busy(error: &MigrateError) -> bool {
    let (MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)) = error else {
        return false;
    };
    let code = cause.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

/// Where the database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Reachable, and every migration this release knows is applied.
    Ready,
    /// Reachable; `nexrole migrate` has not been run for this release.
    SchemaBehind,
    /// Reachable; the login may not become these roles, which its service takes.
    RolesRefused(Vec<String>),
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
            Self::RolesRefused(roles) => {
                tracing::error!(
                    "the database login lacks roles: an administrator runs GRANT {} TO it",
                    roles.join(", ")
                );
                Some(
                    "its login may not become Nexrole's database roles: run `nexrole migrate`, or ask `nexrole doctor`",
                )
            }
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
        Some(refused) = refused(pool) => return refused,
    };
    match applied {
        Ok(applied) if MIGRATOR.iter().all(|known| applied.contains(&known.version)) => fitness(pool).await,
        Ok(_) => Readiness::SchemaBehind,
        // 42P01: the table does not exist, so nothing was ever migrated. 42501: the role may not read it, so it was migrated
        // by a release that had no roles.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "42501")) => {
            Readiness::SchemaBehind
        }
        Err(error) => Readiness::Away(error.to_string()),
    }
}

/// What keeps this login from its roles, asked on a connection of its own, and only if the pool is slow.
async fn refused(pool: &Pool) -> Option<Readiness> {
    tokio::time::sleep(PROMPT).await;
    let asked = within(async {
        let mut db = pool.connections.connect_options().connect().await?;
        let standing = pg_roles::standing(&mut db, pool.login.all()).await?;
        db.close().await?;
        Ok(standing)
    });
    // Not to be had either: the pool will say so.
    unready(asked.await.ok()?)
}

fn unready(standing: Standing) -> Option<Readiness> {
    match standing {
        Standing::Fine => None,
        Standing::Missing => Some(Readiness::SchemaBehind),
        Standing::Lacks(roles) => Some(Readiness::RolesRefused(roles)),
    }
}

/// Whether every role can be had, and what is committed stays. Tests and the demo say of their own Postgres that it need not.
async fn fitness(pool: &Pool) -> Readiness {
    // The session has its role, or it would not be; a tenant's transaction takes another.
    let standing = within(async { pg_roles::standing(pool.across().await?.db(), pool.login.all()).await });
    match standing.await.map(unready) {
        Ok(None) => {}
        Ok(Some(refused)) => return refused,
        Err(error) => return Readiness::Away(error.to_string()),
    }
    let may_lose = "SELECT 'off' IN (current_setting('fsync'), current_setting('full_page_writes'))
                       AND current_setting('nexrole.may_lose_data', true) IS DISTINCT FROM 'on'";
    match within(sqlx::query_scalar(may_lose).fetch_one(&pool.connections)).await {
        Ok(false) => Readiness::Ready,
        Ok(true) => Readiness::MayLoseData,
        Err(error) => Readiness::Away(error.to_string()),
    }
}
