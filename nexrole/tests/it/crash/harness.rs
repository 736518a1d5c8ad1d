//! A world whose Postgres, gateway and bot are processes to kill. In: who is to die. Out: dead, and back again, and how long that
//! took. Started again by us, with what `nexrole up` calls; `supervised.rs` shows that `up` does.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use embedded_postgres::{Cluster, Durability};
use nexrole::{
    children::{Plan, Running, Service},
    database::Server,
};
use rustix::process::Signal;
use shared::db::migrate;
use sqlx::{Connection as _, PgConnection};
use testkit::{
    process::{has_ended, signal},
    scratch::Scratch,
};

use crate::support::{
    cluster::{Database, owner},
    own_server::{NEXROLE, options},
    world::World,
};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Who is to die, by `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// One service.
    Service(Service),
    /// The postmaster, which nobody but its owner starts again.
    Postgres,
    /// One session's process, or any: the postmaster then ends all others, and starts afresh by itself.
    Session(Option<u32>),
    /// Both services and the postmaster.
    Everything,
}

impl Target {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Service(service) => service.word(),
            Self::Postgres => "postmaster",
            Self::Session(_) => "a session of Postgres",
            Self::Everything => "all three at once",
        }
    }
}

// In the order of dropping: a server ends before its folder goes.
pub(super) struct Harness {
    services: Vec<(Plan, Option<Running>)>,
    pub(super) world: World,
    cluster: Option<Cluster>,
    _scratch: Scratch,
}

/// An empty, migrated database on this server.
async fn database_on(server: &Server) -> Database {
    let url = server.ensure("nexrole_test").await.expect("a database is made");
    let pool = owner(&url, 6).expect("the address is good");
    migrate::migrate(&pool).await.expect("the migrations apply");
    Database { url, pool, name: None }
}

/// How to start a service of this world.
fn plan(world: &World, service: Service, poll_seconds: &str) -> Plan {
    let port = world.address(service).port();
    let log = std::env::temp_dir().join(format!("nexrole-crash-{}-{port}.log", std::process::id()));
    let mut plan = world.plan(service, PathBuf::from(NEXROLE), log);
    plan.env = plan.env.with("POLL_SECONDS", poll_seconds);
    plan
}

impl Harness {
    /// Everything up, one price mapped to one role.
    pub(super) async fn start(name: &str) -> Self {
        Self::start_polling(name, "0.1").await
    }

    pub(super) async fn start_polling(name: &str, poll_seconds: &str) -> Self {
        let scratch = Scratch::new(&format!("crash-{name}"));
        let options = options(&scratch.0, Durability::Durable);
        let starting = tokio::task::spawn_blocking(move || embedded_postgres::start(&options));
        let server = Server::Embedded(starting.await.expect("no panic").expect("Postgres starts"));
        let database = database_on(&server).await;
        let Server::Embedded(cluster) = server else { unreachable!("it was put in above") };
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            let query = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
            let value: String = query.fetch_one(&database.pool).await.expect("it is known");
            assert_eq!(value, "on", "{setting}");
        }
        let world = World::on(database).await;
        world.map("price", &world.price.clone(), world.vip).await;
        let services = [Service::Gateway, Service::Bot]
            .map(|service| (plan(&world, service, poll_seconds), None))
            .into();
        let mut harness = Self { services, world, cluster: Some(cluster), _scratch: scratch };
        harness.restart().await;
        harness
    }

    pub(super) fn url(&self) -> String {
        self.cluster.as_ref().expect("it is only away while it starts").url("nexrole_test")
    }

    pub(super) fn pid(&self, service: Service) -> u32 {
        let (_, running) = &self.services[usize::from(service == Service::Bot)];
        running.as_ref().and_then(Running::pid).expect("it runs")
    }

    pub(super) fn log(&self, service: Service) -> &Path {
        let (plan, _) = &self.services[usize::from(service == Service::Bot)];
        plan.log.as_ref().expect("it has one")
    }

    /// Kills, and brings everything back. How long until database, gateway and bot say that they are ready.
    pub(super) async fn kill_and_restart(&mut self, target: Target) -> Duration {
        let began = Instant::now();
        self.kill(target).await;
        self.restart().await;
        began.elapsed()
    }

    /// Returns when they are dead; after the death of a session, when Postgres has thrown everybody out.
    pub(super) async fn kill(&mut self, target: Target) {
        match target {
            Target::Service(service) => {
                let (_, running) = &mut self.services[usize::from(service == Service::Bot)];
                running.take().expect("it runs").kill().await.expect("killed");
            }
            Target::Postgres => {
                let cluster = self.cluster.as_ref().expect("it runs");
                signal(cluster.pid(), Signal::KILL);
                self.world.until("it has ended", async || cluster.exit_status().is_some()).await;
            }
            Target::Session(given) => {
                let mut connection = PgConnection::connect(&self.url()).await.expect("Postgres answers");
                let session = match given {
                    Some(session) => session,
                    None => any_session(&mut connection).await,
                };
                signal(session, Signal::KILL);
                let began = Instant::now();
                while sqlx::query("SELECT 1").execute(&mut connection).await.is_ok() {
                    assert!(began.elapsed() < PATIENCE, "Postgres did not notice");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                assert!(has_ended(session));
            }
            Target::Everything => {
                for (_, running) in &mut self.services {
                    running.take().expect("it runs").kill().await.expect("killed");
                }
                Box::pin(self.kill(Target::Postgres)).await;
            }
        }
    }

    /// Starts what is dead, and waits until all are ready.
    pub(super) async fn restart(&mut self) {
        self.restart_postgres().await;
        for (plan, running) in &mut self.services {
            if running.is_none() {
                *running = Some(plan.start_ready().await.expect("it starts again"));
            }
        }
        for (plan, _) in &self.services {
            let url = format!("http://{}/readyz", plan.listen);
            let ready =
                async || self.world.http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
            self.world.until("the service is ready", ready).await;
        }
    }

    /// Postgres alone.
    pub(super) async fn restart_postgres(&mut self) {
        let mut cluster = self.cluster.take().expect("it is only away while it starts");
        let restarting = tokio::task::spawn_blocking(move || {
            cluster.restart().expect("Postgres starts again");
            cluster
        });
        self.cluster = Some(restarting.await.expect("no panic"));
        let url = self.url();
        let answers = async || match PgConnection::connect(&url).await {
            Ok(connection) => connection.close().await.is_ok(),
            // Recovery is under way.
            Err(_) => false,
        };
        self.world.until("Postgres answers", answers).await;
    }

    /// The end of a test: everything stops cleanly.
    pub(super) async fn end(self) {
        let Self { services, world, cluster, _scratch } = self;
        for (plan, running) in services {
            running.expect("it runs").stop().await.expect("it stops");
            std::fs::remove_file(plan.log.expect("it has one")).expect("removed");
        }
        world.close().await;
        let cluster = cluster.expect("it is only away while it starts");
        tokio::task::spawn_blocking(|| cluster.stop()).await.expect("no panic").expect("it stops");
    }
}

/// A session of one of the services; one that has just lost all of its own makes another.
async fn any_session(connection: &mut PgConnection) -> u32 {
    let any = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
                 AND application_name = 'nexrole' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";
    let began = Instant::now();
    loop {
        let pid: Option<i32> =
            sqlx::query_scalar(any).fetch_optional(&mut *connection).await.expect("Postgres answers");
        if let Some(pid) = pid {
            return pid.unsigned_abs();
        }
        assert!(began.elapsed() < PATIENCE, "no service has a session");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
