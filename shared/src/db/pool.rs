//! Connecting: the pool of each service, and how long a step may take.

use std::{future::Future, io, str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Row, SqlSafeStr, Transaction,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};

use super::{cross_tenant::Crossing, pg_roles::Login};

/// A step that takes longer is given up: Postgres itself ends a statement after 15 seconds, so nobody is there any more.
const SILENT: Duration = Duration::from_secs(20);
/// How long a connection may take to say that it is alive.
const ALIVE: Duration = Duration::from_millis(1500);

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

    /// The connections themselves, to ask whether they can be had.
    pub(super) fn connections(&self) -> &PgPool {
        &self.connections
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

    pub async fn close(&self) {
        self.connections.close().await;
    }
}
