//! Postgres, and what statements cost it. In: a folder. Out: fresh databases, and counts since a moment.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use embedded_postgres::{Cluster, Durability, Options};
use nexrole::database::Server;
use shared::config::Env;
use sqlx::{Connection as _, PgConnection};
use testkit::scratch::Scratch;
use tokio::process::Command;

pub(crate) const NAME: &str = "nexrole_bench";
/// The counting; no checkpoint while something is measured: after each, every page that is changed is logged as a whole; and no
/// autovacuum, which would change plans at a moment of its own.
const SETTINGS: [&str; 4] = [
    "ALTER SYSTEM SET autovacuum = off",
    "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
    "ALTER SYSTEM SET checkpoint_timeout = '1d'",
    "ALTER SYSTEM SET max_wal_size = '4GB'",
];

/// A durable server of its own: what roles one program's migrations make, another's do not meet.
pub(crate) struct Postgres {
    server: Server,
    maintenance: String,
}

/// What statements in the database did since [`Postgres::reset_counts`], without the benchmark's own.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(crate) struct Counts {
    pub(crate) statements: f64,
    /// Pages of shared memory that were checked, there already or not.
    pub(crate) buffers: f64,
    pub(crate) wal_records: f64,
    pub(crate) wal_bytes: f64,
}

impl Postgres {
    pub(crate) async fn start(scratch: &Scratch, folder: &str) -> anyhow::Result<Self> {
        let env = Env::from_process();
        let options = Options {
            folder: scratch.0.join(folder),
            durability: Durability::Durable,
            launcher: env!("CARGO_BIN_EXE_nexrole").into(),
            search_path: env.get("PATH").map(Into::into),
            bin_dir: env.get("PG_BIN").map(Into::into),
        };
        let cluster = start(options.clone()).await?;
        let maintenance = cluster.url("postgres");
        let mut db = PgConnection::connect(&maintenance).await?;
        let has = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements')";
        let has: bool = sqlx::query_scalar(has).fetch_one(&mut db).await?;
        ensure!(
            has,
            "this Postgres cannot count what statements cost: it lacks pg_stat_statements (Debian: part of the package \
             postgresql; PG_BIN chooses another Postgres)"
        );
        for setting in SETTINGS {
            sqlx::raw_sql(setting).execute(&mut db).await?;
        }
        db.close().await?;
        // Libraries are loaded at the start.
        tokio::task::spawn_blocking(|| cluster.stop())
            .await
            .context("stopping Postgres ended by a panic")??;
        let cluster = start(options).await?;
        let mut db = PgConnection::connect(&maintenance).await?;
        sqlx::raw_sql("CREATE EXTENSION pg_stat_statements").execute(&mut db).await?;
        db.close().await?;
        Ok(Self { server: Server::Embedded(cluster), maintenance })
    }

    /// An empty database; the one before is gone.
    pub(crate) async fn create(&self) -> anyhow::Result<String> {
        self.server.create(NAME, None).await
    }

    /// Counts from here on.
    pub(crate) async fn reset_counts(&self) -> anyhow::Result<()> {
        let mut db = PgConnection::connect(&self.maintenance).await?;
        sqlx::query("SELECT pg_stat_statements_reset()").execute(&mut db).await?;
        Ok(db.close().await?)
    }

    /// The counts since [`Self::reset_counts`].
    pub(crate) async fn counts(&self) -> anyhow::Result<Counts> {
        let mut db = PgConnection::connect(&self.maintenance).await?;
        let counts = "SELECT coalesce(sum(s.calls), 0)::float8 AS statements,
                             coalesce(sum(s.shared_blks_hit + s.shared_blks_read), 0)::float8 AS buffers,
                             coalesce(sum(s.wal_records), 0)::float8 AS wal_records,
                             coalesce(sum(s.wal_bytes), 0)::float8 AS wal_bytes
                        FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
                       WHERE d.datname = $1 AND s.query NOT LIKE '%/* benchmark */%'";
        let counts: Counts = sqlx::query_as(counts).bind(NAME).fetch_one(&mut db).await?;
        db.close().await?;
        Ok(counts)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let server = self.server;
        tokio::task::spawn_blocking(|| server.stop()).await.context("stopping Postgres ended by a panic")?
    }
}

async fn start(options: Options) -> anyhow::Result<Cluster> {
    let starting = tokio::task::spawn_blocking(move || embedded_postgres::start(&options));
    Ok(starting.await.context("starting Postgres ended by a panic")??)
}

/// One of the program's own commands, such as `migrate`, on a database.
pub(crate) async fn command(program: &Path, database_url: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    // Away from a developer's .env.
    command.args(arguments).env("DATABASE_URL", database_url).current_dir(std::env::temp_dir());
    let output = command.output().await.with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{} {}` failed: {}", program.display(), arguments.join(" "), said.trim());
    }
    Ok(())
}
