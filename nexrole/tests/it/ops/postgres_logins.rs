//! What a login of Postgres must be allowed, and what somebody is told whose login is not. In: a server of the test's own,
//! and logins with different rights. Out: what `migrate` and `/readyz` say, and that the statements they name help.

use std::time::{Duration, Instant};

use embedded_postgres::{Cluster, Durability};
use shared::db::migrate;
use shared::db::readiness;
use shared::db::{
    migrate::MigrationError,
    pg_roles::{Login, ROLES, RolesError},
    pool,
    readiness::Readiness,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testkit::scratch::Scratch;
use tokio::process::Command;

use crate::support::own_server::{NEXROLE, options};

/// Far below what a pool waits before it gives up, and enough for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

struct Server {
    cluster: Cluster,
    _folder: Scratch,
}

impl Server {
    async fn start(name: &str) -> Self {
        let folder = Scratch::new(name);
        let options = options(&folder.0, Durability::Ephemeral);
        let started = tokio::task::spawn_blocking(move || embedded_postgres::start(&options));
        let cluster = started.await.expect("no panic").expect("Postgres starts");
        Self { cluster, _folder: folder }
    }

    /// As the superuser.
    async fn run(&self, statements: &str) {
        let mut db = PgConnection::connect(&self.cluster.url("postgres")).await.expect("it is up");
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut db).await.expect(statements);
    }

    async fn is_16_or_newer(&self) -> bool {
        let mut db = PgConnection::connect(&self.cluster.url("postgres")).await.expect("it is up");
        let newer = "SELECT current_setting('server_version_num')::integer >= 160000";
        sqlx::query_scalar(newer).fetch_one(&mut db).await.expect("it says so")
    }

    fn url(&self, login: &str) -> String {
        let url = self.cluster.url("nexrole_test");
        let (scheme, rest) = url.split_once("://").expect("an address");
        let (_, rest) = rest.split_once('@').expect("a user");
        format!("{scheme}://{login}@{rest}")
    }

    /// A login with these rights, and an empty database of its own.
    async fn furnish(&self, login: &str, rights: &str) {
        self.run(&format!("CREATE ROLE {login} LOGIN {rights}")).await;
        self.run(&format!("CREATE DATABASE nexrole_test OWNER {login}")).await;
    }

    async fn clear(&self, login: &str) {
        self.run("DROP DATABASE nexrole_test WITH (FORCE)").await;
        // Who made roles is on record as their grantor.
        self.run(&format!("DROP OWNED BY {login}; DROP ROLE IF EXISTS {}", ROLES.join(", "))).await;
        self.run(&format!("DROP ROLE {login}")).await;
    }

    async fn migrate(&self, login: &str) -> Result<(), MigrationError> {
        let pool = migrate::migration_pool(&self.url(login)).expect("an address");
        let migrated = migrate::migrate(&pool).await;
        pool.close().await;
        migrated
    }

    /// What `nexrole doctor` says of the login's roles.
    async fn doctor(&self, login: &str) -> String {
        let doctor = Command::new(NEXROLE)
            .args(["doctor", "--json"])
            .env_clear()
            .env("DATABASE_URL", self.url(login))
            .current_dir(std::env::temp_dir())
            .output();
        let said = String::from_utf8(doctor.await.expect("nexrole starts").stdout).expect("UTF-8");
        said.lines().find(|line| line.contains("\"database.roles\"")).expect(&said).to_owned()
    }

    async fn readiness(&self, login: &str) -> (Readiness, Duration) {
        let pool = pool::pool(&self.url(login), 1, Login::Gateway).expect("an address");
        let began = Instant::now();
        let readiness = readiness::readiness(&pool).await;
        let took = began.elapsed();
        pool.close().await;
        (readiness, took)
    }
}

#[tokio::test]
async fn readiness_says_at_once_that_roles_are_missing_or_not_granted() {
    let server = Server::start("readiness").await;
    server.furnish("plain", "").await;
    let (said, took) = server.readiness("plain").await;
    assert_eq!(said, Readiness::SchemaBehind, "nothing was ever migrated on this cluster");
    assert!(took < AT_ONCE, "{took:?}");
    server.run("ALTER ROLE plain CREATEROLE").await;
    server.migrate("plain").await.expect("it may make roles");
    assert_eq!(server.readiness("plain").await.0, Readiness::Ready);
    server.run("CREATE ROLE ungranted LOGIN; GRANT CONNECT ON DATABASE nexrole_test TO ungranted").await;
    let (said, took) = server.readiness("ungranted").await;
    assert!(matches!(&said, Readiness::RolesRefused(roles) if roles.len() == 3), "{said:?}");
    assert!(took < AT_ONCE, "{took:?}");
    assert!(said.waits_for().expect("it waits").contains("nexrole doctor"));
    // The doctor has the statements.
    let line = server.doctor("ungranted").await;
    assert!(line.contains("\"fail\"") && line.contains("GRANT nexrole_gateway, "), "{line}");
    assert!(line.contains(" TO ungranted"), "{line}");
    // Every service would start with this one, and none of the operator's commands could write.
    let others = ROLES.into_iter().filter(|role| *role != "nexrole_owner").collect::<Vec<_>>().join(", ");
    server.run(&format!("CREATE ROLE reader LOGIN; GRANT {others} TO reader")).await;
    server.run("GRANT CONNECT ON DATABASE nexrole_test TO reader").await;
    let line = server.doctor("reader").await;
    assert!(line.contains("\"fail\"") && line.contains("may not become nexrole_owner\""), "{line}");
    server.run("GRANT nexrole_owner TO reader").await;
    assert!(server.doctor("reader").await.contains("\"ok\""));

    // Slow is not the same: whoever has all connections in use gets theirs.
    let pool = pool::pool(&server.url("plain"), 1, Login::Gateway).expect("an address");
    let held = pool.across().await.expect("a connection");
    let (readiness, ()) = tokio::join!(readiness::readiness(&pool), async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        drop(held);
    });
    assert_eq!(readiness, Readiness::Ready);
    pool.close().await;
}

#[tokio::test]
async fn a_login_that_may_not_make_or_become_roles_is_told_what_an_administrator_runs() {
    let server = Server::start("by-hand").await;
    let newer = server.is_16_or_newer().await;
    let there = ROLES.map(|role| format!("CREATE ROLE {role} NOLOGIN")).join("; ");
    let mut cases =
        vec![("", String::new(), ROLES.len()), ("", there.clone(), 0), ("CREATEROLE", there.clone(), 0)];
    // Since Postgres 16 a member need not be allowed to become the role, and CREATEROLE alone gives nobody others' roles.
    if newer {
        cases.push(("", format!("{there}; GRANT {} TO plain WITH SET FALSE", ROLES.join(", ")), 0));
    } else {
        cases.pop();
    }
    for (rights, before, made) in cases {
        server.furnish("plain", rights).await;
        server.run(&before).await;
        let refused = server.migrate("plain").await.expect_err("it may not");
        let said = refused.to_string();
        let MigrationError::Roles(RolesError::NotAllowed { by_hand, .. }) = refused else { panic!("{said}") };
        assert!(said.contains("An administrator runs once") && said.ends_with(&by_hand), "{said}");
        assert_eq!(by_hand.matches("CREATE ROLE").count(), made, "{by_hand}");
        assert_eq!(by_hand.contains("SET TRUE"), newer, "{by_hand}");
        server.run(&by_hand).await;
        server.migrate("plain").await.expect("it may now");
        assert_eq!(server.readiness("plain").await.0, Readiness::Ready);
        server.clear("plain").await;
    }
}

/// CREATEROLE may be set up so that it gives its maker the new role without the right to become it.
#[tokio::test]
async fn a_login_that_may_make_roles_lets_itself_become_them() {
    let server = Server::start("self-grant").await;
    let mut settings = vec!["RESET ALL"];
    if server.is_16_or_newer().await {
        settings
            .extend(["SET createrole_self_grant = 'inherit'", "SET createrole_self_grant = 'set, inherit'"]);
    }
    for setting in settings {
        server.furnish("maker", "CREATEROLE").await;
        server.run(&format!("ALTER ROLE maker {setting}")).await;
        server.migrate("maker").await.expect(setting);
        assert_eq!(server.readiness("maker").await.0, Readiness::Ready, "{setting}");
        server.clear("maker").await;
    }
}
