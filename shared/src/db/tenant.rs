//! A tenant's transaction. In: a service's pool and a guild, or who may act for its owner. Out: a [`Tenant`], which only [`begin`]
//! and [`begin_as`] can make.
//!
//! Postgres itself keeps it to that guild's rows: another tenant's id, wherever it comes from, is an id that does not exist.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};

use super::{authorized::Authorized, pg_roles::OWNER, pool::Pool};
use crate::ids::GuildId;

/// The right to read and write one guild's rows. Dropped without [`Tenant::commit`], nothing was written.
#[derive(Debug)]
pub struct Tenant {
    guild: GuildId,
    tx: Transaction<'static, Postgres>,
}

/// Begins a transaction for one guild: the service's role for it, and the guild, in the same round trip as BEGIN.
pub async fn begin(pool: &Pool, guild: GuildId) -> Result<Tenant, sqlx::Error> {
    begin_in(pool, pool.login().for_one_tenant(), guild).await
}

/// The same for what an owner may do, and nothing else of the service's. Postgres refuses a login that is not `nexrole_owner`'s.
pub async fn begin_as(pool: &Pool, by: &Authorized) -> Result<Tenant, sqlx::Error> {
    begin_in(pool, OWNER, by.guild()).await
}

async fn begin_in(pool: &Pool, role: &str, guild: GuildId) -> Result<Tenant, sqlx::Error> {
    let begin = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL nexrole.guild = '{guild}'");
    Ok(Tenant { guild, tx: pool.begin_with(AssertSqlSafe(begin)).await? })
}

impl Tenant {
    /// Whose transaction it is.
    pub fn guild(&self) -> GuildId {
        self.guild
    }

    /// For store functions: it sees this guild only.
    pub(crate) fn db(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Makes it all durable.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }

    /// The bare connection, for tests that ask what its role may do. `tidy` keeps it out of everything else.
    #[doc(hidden)]
    pub fn unguarded(&mut self) -> &mut PgConnection {
        self.db()
    }
}
