//! Where databases come from: `DATABASE_URL`, or a private cluster on this machine. Out: addresses.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use embedded_postgres::{Cluster, Durability, Options};
use shared::{config::Env, db::migrate};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// A Postgres server on which we may make databases.
pub enum Server {
    /// Somebody else's, from `DATABASE_URL`.
    External(String),
    /// Ours; ends with us.
    Embedded(Cluster),
}

impl Server {
    /// `DATABASE_URL` if it is set, else a private cluster in `folder`. Blocks while it starts.
    pub fn find(
        env: &Env,
        folder: PathBuf,
        durability: Durability,
        launcher: PathBuf,
    ) -> anyhow::Result<Self> {
        if let Some(url) = env.get("DATABASE_URL") {
            return Ok(Self::External(url));
        }
        let search_path = env.get("PATH").map(Into::into);
        let bin_dir = env.get("PG_BIN").map(PathBuf::from);
        let options = Options { folder, durability, launcher, search_path, bin_dir };
        Ok(Self::Embedded(embedded_postgres::start(&options)?))
    }

    /// The address of one of its databases.
    pub fn url(&self, name: &str) -> anyhow::Result<String> {
        match self {
            Self::External(url) => {
                with_database(url, name).context("DATABASE_URL is not postgres://…/database")
            }
            Self::Embedded(cluster) => Ok(cluster.url(name)),
        }
    }

    /// An address to make databases from.
    fn maintenance_url(&self) -> String {
        match self {
            Self::External(url) => url.clone(),
            Self::Embedded(cluster) => cluster.url("postgres"),
        }
    }

    /// Makes an empty database, or one like `template`; replaces one of the same name.
    pub async fn create(&self, name: &str, template: Option<&str>) -> anyhow::Result<String> {
        let name = ours(name)?;
        let like =
            template.map(|template| format!(" TEMPLATE {template} STRATEGY FILE_COPY")).unwrap_or_default();
        self.maintain(&[dropping(name), format!("CREATE DATABASE {name}{like}")]).await?;
        self.url(name)
    }

    /// The address of a database that is kept; made if it is not there.
    pub async fn ensure(&self, name: &str) -> anyhow::Result<String> {
        let mut db =
            PgConnection::connect(&self.maintenance_url()).await.context("Postgres cannot be reached")?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(ours(name)?)
            .fetch_one(&mut db)
            .await?;
        db.close().await?;
        if !exists {
            self.maintain(&[format!("CREATE DATABASE {name}")]).await?;
        }
        self.url(name)
    }

    /// Drops a database of ours, with whoever is connected.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.maintain(&[dropping(ours(name)?)]).await
    }

    async fn maintain(&self, statements: &[String]) -> anyhow::Result<()> {
        let mut db =
            PgConnection::connect(&self.maintenance_url()).await.context("Postgres cannot be reached")?;
        for statement in statements {
            let run = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut db);
            run.await.with_context(|| statement.clone())?;
        }
        db.close().await?;
        Ok(())
    }

    /// Ends the cluster, if it is ours; blocks until it has.
    pub fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::External(_) => Ok(()),
            Self::Embedded(cluster) => Ok(cluster.stop()?),
        }
    }
}

fn dropping(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

/// Where `nexrole up` writes the address of its own database while it runs, for the operator's commands beside it.
fn note(env: &Env) -> PathBuf {
    data_folder(env).join("database-url")
}

/// Where everything of ours is kept: `NEXROLE_DATA`.
pub fn data_folder(env: &Env) -> PathBuf {
    PathBuf::from(env.get("NEXROLE_DATA").unwrap_or_else(|| ".nexrole".to_owned()))
}

/// The address of our own database, written down while it runs. Dropped: not any more.
pub struct Published(PathBuf);

impl Published {
    /// Writes the address down.
    pub fn write(env: &Env, url: &str) -> anyhow::Result<Self> {
        let path = note(env);
        fs::write(&path, url).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    /// Reads it, if a `nexrole up` with its own database runs here.
    pub fn read(env: &Env) -> Option<String> {
        fs::read_to_string(note(env)).ok()
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, file = %self.0.display(), "cannot be removed");
        }
    }
}

/// Names are made by us, and checked all the same: they become part of a statement, and of a DROP.
fn ours(name: &str) -> anyhow::Result<&str> {
    let word = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !word || !name.starts_with("nexrole_") || name.len() > 63 {
        bail!("'{name}' is no name of a database of ours");
    }
    Ok(name)
}

/// The same address with another database.
fn with_database(url: &str, name: &str) -> Option<String> {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split('/').next()?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{authority}/{name}{query}"))
}

pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    migrate::migrate(pool).await.context("the schema could not be brought up to date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_changed_and_nothing_else() {
        for (url, expected) in [
            ("postgres://u:p@h:5432/db", Some("postgres://u:p@h:5432/nexrole_x")),
            ("postgres://u@h/db?sslmode=require", Some("postgres://u@h/nexrole_x?sslmode=require")),
            (
                "postgres://u@localhost/db?host=%2Ftmp%2Fs",
                Some("postgres://u@localhost/nexrole_x?host=%2Ftmp%2Fs"),
            ),
            ("postgres://h", Some("postgres://h/nexrole_x")),
            ("nonsense", None),
        ] {
            assert_eq!(with_database(url, "nexrole_x").as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn only_databases_of_ours_are_made_or_dropped() {
        for bad in ["postgres", "nexrole", "nexrole_x; DROP DATABASE y", "nexrole_X", ""] {
            assert!(ours(bad).is_err(), "{bad}");
        }
        assert!(ours("nexrole_demo").is_ok());
    }
}
