//! Whether a service can work with the database as it is.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection};

use super::{
    migrate::MIGRATOR,
    pg_roles::{self, Standing},
    pool::{Pool, within},
};

/// A pool that has no connection after this is asked about apart: it may never get one.
const PROMPT: Duration = Duration::from_millis(250);

/// Where the database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Reachable, and every migration this release knows is applied.
    Ready,
    /// Reachable; `nexrole migrate` has not been run for this release.
    SchemaBehind,
    /// Reachable; the login may not become these roles, which its service takes.
    RolesRefused(Vec<String>),
    /// Reachable, and set up so that a crash loses what it confirmed, or ruins it: no session can fix that.
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

/// Asks on a connection of the pool, and beside it, if the pool has none at once.
pub async fn readiness(pool: &Pool) -> Readiness {
    let applied = within(
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
            .fetch_all(pool.connections()),
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
        let mut db = pool.connections().connect_options().connect().await?;
        let standing = pg_roles::standing(&mut db, pool.login().all()).await?;
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
    let standing = within(async { pg_roles::standing(pool.across().await?.db(), pool.login().all()).await });
    match standing.await.map(unready) {
        Ok(None) => {}
        Ok(Some(refused)) => return refused,
        Err(error) => return Readiness::Away(error.to_string()),
    }
    let may_lose = "SELECT 'off' IN (current_setting('fsync'), current_setting('full_page_writes'))
                       AND current_setting('nexrole.may_lose_data', true) IS DISTINCT FROM 'on'";
    match within(sqlx::query_scalar(may_lose).fetch_one(pool.connections())).await {
        Ok(false) => Readiness::Ready,
        Ok(true) => Readiness::MayLoseData,
        Err(error) => Readiness::Away(error.to_string()),
    }
}
