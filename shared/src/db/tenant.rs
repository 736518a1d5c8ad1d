//! A tenant's transaction. In: a service's pool and a guild. Out: a [`Tenant`], which only [`begin`] can make.
//!
//! Postgres itself keeps it to that guild's rows: another tenant's id, wherever it comes from, is an id that does not exist.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};

use super::pool::Pool;
use crate::ids::GuildId;

/// The right to read and write one guild's rows. Dropped without [`Tenant::commit`], nothing was written.
#[derive(Debug)]
pub struct Tenant {
    guild: GuildId,
    tx: Transaction<'static, Postgres>,
}

/// Begins a transaction for one guild: the service's role for it, and the guild, in the same round trip as BEGIN.
pub async fn begin(pool: &Pool, guild: GuildId) -> Result<Tenant, sqlx::Error> {
    let role = pool.login().for_one_tenant();
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
