//! Work across tenants. In: a service's pool. Out: a [`Crossing`], which only [`super::pool::Pool`] can make.
//!
//! Few functions take one: those that find out whose turn it is, ingest what comes for anybody, or sweep all. They are listed
//! in `docs/decisions/0006-tenants-in-the-database.md`, and a test compares. Everything else takes a [`super::tenant::Tenant`].

use sqlx::{PgConnection, Postgres, Transaction, pool::PoolConnection};

/// The right to work on every tenant's rows, as the service's role for it: that has just the columns which those functions touch.
#[derive(Debug)]
pub struct Crossing(Held);

#[derive(Debug)]
enum Held {
    Session(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

impl Crossing {
    pub(crate) fn on_session(session: PoolConnection<Postgres>) -> Self {
        Self(Held::Session(session))
    }

    pub(crate) fn in_transaction(transaction: Transaction<'static, Postgres>) -> Self {
        Self(Held::Transaction(transaction))
    }

    /// For the functions on the list.
    pub(crate) fn db(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Held::Session(session) => session,
            Held::Transaction(transaction) => transaction,
        }
    }

    /// Makes a transaction durable; dropped instead, nothing was written. On a mere session each statement was durable at once.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self.0 {
            Held::Session(_) => Ok(()),
            Held::Transaction(transaction) => transaction.commit().await,
        }
    }

    /// The bare connection, for tests that ask what its role may do. `tidy` keeps it out of everything else.
    #[doc(hidden)]
    pub fn unguarded(&mut self) -> &mut PgConnection {
        self.db()
    }
}
