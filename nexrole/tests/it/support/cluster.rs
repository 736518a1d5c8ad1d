//! One Postgres for all tests, one database for each. In: a test. Out: an empty, migrated database of its own.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Once, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use embedded_postgres::{Durability, StartError};
use nexrole::database::Server;
use shared::{
    config::Env,
    db::{
        migrate,
        pg_roles::Login,
        pool::{self, Pool},
        tenant::{self, Tenant},
    },
    ids::GuildId,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};

/// Runs of the tests that may happen at the same time on this machine.
const SLOTS: u32 = 16;
/// What a run may take, in bytes: some databases of 20 MB at a time, and a GB of WAL.
const ROOM: u64 = 4 << 30;

struct Shared {
    server: Server,
    template: String,
}

/// A database of one test; dropped by [`Database::remove`].
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) pool: PgPool,
    /// On the shared server; `None`: it goes with the test's own.
    pub(crate) name: Option<String>,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shared = shared();
        let name = format!("nexrole_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url = shared.server.create(&name, Some(&shared.template)).await.expect("a database is made");
        let pool = owner(&url, 6).expect("the address is good");
        Self { url, pool, name: Some(name) }
    }

    /// Connections as a service has them.
    pub(crate) fn login(&self, login: Login) -> Pool {
        pool::pool(&self.url, 4, login).expect("the address is good")
    }

    /// A transaction of the gateway's for one guild.
    pub(crate) async fn tenant(&self, guild: GuildId) -> Tenant {
        tenant::begin(&self.login(Login::Gateway), guild).await.expect("it begins")
    }

    /// A setting of this database, for connections that are made from now on.
    pub(crate) async fn set(&self, setting: &str) {
        // Its own connection, and one that may write: the setting may be that nobody may.
        let mut db = PgConnection::connect_with(&self.pool.connect_options()).await.expect("Postgres is up");
        sqlx::query("SET default_transaction_read_only = off").execute(&mut db).await.expect("it is set");
        let name: String =
            sqlx::query_scalar("SELECT current_database()").fetch_one(&mut db).await.expect("a name");
        let statement = format!("ALTER DATABASE {name} SET {setting}");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut db).await.expect("altered");
    }

    /// Ends every session.
    pub(crate) async fn hang_up(&self) {
        let mut db = PgConnection::connect_with(&self.pool.connect_options()).await.expect("Postgres is up");
        let statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                          WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(statement).execute(&mut db).await.expect("they are ended");
    }

    /// Connections that sit inside a transaction and do nothing.
    pub(crate) async fn idle_transactions(&self) -> i64 {
        let query = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("the query is good")
    }

    /// Every row of every table, as text.
    pub(crate) async fn rows_by_table(&self) -> BTreeMap<String, Vec<String>> {
        let tables = "SELECT schemaname::text, tablename::text FROM pg_tables
                       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        let tables: Vec<(String, String)> =
            sqlx::query_as(tables).fetch_all(&self.pool).await.expect("a list of tables");
        assert!(tables.len() >= 14, "{tables:?}");
        let mut rows_by_table = BTreeMap::new();
        for (schema, table) in tables {
            let rows = format!("SELECT one::text FROM \"{schema}\".\"{table}\" AS one ORDER BY 1");
            let rows = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&self.pool).await;
            rows_by_table.insert(table, rows.expect("rows as text"));
        }
        rows_by_table
    }

    pub(crate) async fn remove(self) {
        self.pool.close().await;
        if let Some(name) = self.name {
            shared().server.drop_database(&name).await.expect("the database is dropped");
        }
    }
}

/// Sees and changes everything, like whoever made the cluster: for what a test prepares and reads.
pub(crate) fn owner(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    Ok(PgPoolOptions::new().max_connections(connections).connect_lazy_with(url.parse()?))
}

/// Starts on first use; the kernel ends it with this process.
fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| std::thread::spawn(start).join().expect("the cluster starts"))
}

/// Without Postgres nothing here can be tested: one sentence that helps, and not a panic per test.
pub(crate) fn give_up(missing: &StartError) -> ! {
    static SAID: Once = Once::new();
    // Whoever comes second waits for the end in here.
    SAID.call_once(|| {
        writeln!(std::io::stderr(), "\n{missing}").expect("standard error is open");
        std::process::exit(1);
    });
    unreachable!("the process has ended")
}

/// In memory where there is room: on a disk, making and dropping a database for each test takes a tenth of the processor.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |memory| memory.f_bavail * memory.f_frsize);
    if free >= ROOM { memory.to_owned() } else { std::env::temp_dir() }
}

fn start() -> Shared {
    let env = Env::from_process();
    let launcher = PathBuf::from(env!("CARGO_BIN_EXE_nexrole"));
    // A folder per user and slot: another run's lock sends us to the next.
    let who = rustix::process::getuid().as_raw();
    let server = (0..SLOTS).find_map(|slot| {
        let folder = place().join(format!("nexrole-test-{who}-{slot}"));
        match Server::find(&env, folder, Durability::Ephemeral, launcher.clone()) {
            Ok(server) => Some(server),
            Err(error) => match error.downcast_ref() {
                Some(StartError::InUse { .. }) => None,
                Some(missing @ (StartError::NoBinaries { .. } | StartError::NotFetched { .. })) => {
                    give_up(missing)
                }
                _ => panic!("{error:#}"),
            },
        }
    });
    let server = server.expect("a slot is free");
    let template = format!("nexrole_template_{}", std::process::id());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = server.create(&template, None).await.expect("the template is made");
        let pool = owner(&url, 1).expect("the address is good");
        migrate::migrate(&pool).await.expect("the migrations apply");
        if let Server::Embedded(_) = server {
            // Postgres plans a statement five times before it keeps a plan, which is most of what a short session does.
            let one_plan = "ALTER SYSTEM SET plan_cache_mode = force_generic_plan";
            sqlx::query(one_plan).execute(&pool).await.expect("it is set");
            sqlx::query("SELECT pg_reload_conf()").execute(&pool).await.expect("it is read");
        }
        // A database with a session cannot be copied.
        pool.close().await;
    });
    Shared { server, template }
}
