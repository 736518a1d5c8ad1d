//! Stopping the pipeline at one place, from outside: with locks of our own, and with commits that Postgres makes durable but does
//! not confirm, because it waits for a standby that does not exist. In: what is to be held. Out: a hold, to be released.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What is held. Its connections die with Postgres.
pub(super) struct Hold {
    url: String,
    control: PgConnection,
    locks: Vec<PgConnection>,
    probe: Option<JoinHandle<()>>,
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("Postgres answers")
}

async fn run(db: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await.expect(statement);
}

impl Hold {
    pub(super) async fn nothing(url: &str) -> Self {
        let mut control = connect(url).await;
        run(&mut control, "CREATE TABLE IF NOT EXISTS commits_wait ()").await;
        Self { url: url.to_owned(), control, locks: Vec::new(), probe: None }
    }

    /// Runs it in a transaction that stays open until [`Self::unlock`].
    pub(super) async fn lock(&mut self, statement: &str) {
        let mut db = connect(&self.url).await;
        run(&mut db, &format!("BEGIN; {statement}")).await;
        self.locks.push(db);
    }

    /// Ends the oldest of our transactions.
    pub(super) async fn unlock(&mut self) {
        self.locks.remove(0).close().await.expect("it closes");
    }

    pub(super) async fn write(&mut self, statement: &str) {
        run(&mut self.control, statement).await;
    }

    pub(super) async fn count(&mut self, query: &str) -> i64 {
        let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
        query.fetch_one(&mut self.control).await.expect("the query is good")
    }

    /// From now on what is committed is durable, but nobody is told so, and nobody sees it.
    pub(super) async fn leave_commits_unconfirmed(&mut self) {
        run(&mut self.control, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
        run(&mut self.control, "SELECT pg_reload_conf()").await;
        let began = Instant::now();
        // The server hears of it a moment later: until then our own commits get through.
        while self.probe.as_ref().is_none_or(JoinHandle::is_finished) || self.unconfirmed().await.is_empty() {
            assert!(began.elapsed() < PATIENCE, "commits are still confirmed");
            if self.probe.as_ref().is_none_or(JoinHandle::is_finished) {
                let mut probe = connect(&self.url).await;
                self.probe = Some(tokio::spawn(async move {
                    let insert = sqlx::raw_sql("INSERT INTO commits_wait DEFAULT VALUES");
                    // It fails when Postgres is killed meanwhile.
                    drop(insert.execute(&mut probe).await);
                }));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn unconfirmed(&mut self) -> Vec<i32> {
        let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' ORDER BY query LIKE '%commits_wait%'";
        sqlx::query_scalar(waiting).fetch_all(&mut self.control).await.expect("the query is good")
    }

    /// The session of a service whose commit is not confirmed.
    pub(super) async fn until_unconfirmed(&mut self) -> u32 {
        let began = Instant::now();
        loop {
            // Ours is one of them, and the last.
            if let [service, .., _] = self.unconfirmed().await[..] {
                return service.unsigned_abs();
            }
            assert!(began.elapsed() < PATIENCE, "nobody commits");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The session that waits for our lock on this table.
    pub(super) async fn until_waiting_for(&mut self, table: &str) -> u32 {
        let began = Instant::now();
        loop {
            let waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = $1::regclass";
            let waiting = sqlx::query_scalar(waiting).bind(table).fetch_optional(&mut self.control);
            let waiting: Option<i32> = waiting.await.expect("the query is good");
            if let Some(pid) = waiting {
                return pid.unsigned_abs();
            }
            assert!(began.elapsed() < PATIENCE, "nobody waits for {table}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The session of which a statement that begins like this waits for our lock on a row.
    pub(super) async fn until_blocked(&mut self, statement: &str) -> u32 {
        let began = Instant::now();
        loop {
            if let Some(session) = self.blocked(statement).await {
                return session;
            }
            assert!(began.elapsed() < PATIENCE, "nobody is blocked");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Nobody is blocked like that any more.
    pub(super) async fn until_free(&mut self, statement: &str) {
        let began = Instant::now();
        while self.blocked(statement).await.is_some() {
            assert!(began.elapsed() < PATIENCE, "somebody is still blocked");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn blocked(&mut self, statement: &str) -> Option<u32> {
        let blocked =
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(query, $1)";
        let blocked = sqlx::query_scalar(blocked).bind(statement).fetch_optional(&mut self.control);
        let pid: Option<i32> = blocked.await.expect("the query is good");
        pid.map(i32::unsigned_abs)
    }

    /// Lets everything go, whatever was killed meanwhile; Postgres answers again.
    pub(super) async fn release(self) {
        let Self { url, control, locks, probe } = self;
        // Dead connections of a server that was killed.
        drop((control, locks));
        let mut control = connect(&url).await;
        run(&mut control, "ALTER SYSTEM RESET synchronous_standby_names").await;
        run(&mut control, "SELECT pg_reload_conf()").await;
        if let Some(probe) = probe {
            probe.await.expect("no panic");
        }
        control.close().await.expect("it closes");
    }
}
