//! Bringing roles and schema of a database up to date.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};

use super::pg_roles::{self, RolesError};

/// Every migration, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Between two tries of a migration that could not have a table, and how long it goes on.
const TRY_AGAIN: Duration = Duration::from_secs(1);
const GIVE_UP: Duration = Duration::from_secs(300);

/// A connection for migrations: they may take as long as they need, and wait for each other.
pub fn migration_pool(url: &str) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("nexrole migrate");
    Ok(PgPoolOptions::new().max_connections(1).connect_lazy_with(options))
}

/// Why the database is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error(transparent)]
    Roles(#[from] RolesError),
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
