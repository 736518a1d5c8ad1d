//! Who gets into a database, and who is told what is missing. In: logins that lack something. Out: a refusal, a sentence.

use std::time::{Duration, Instant};

use shared::db::migrate;
use shared::db::readiness;
use shared::db::{
    pg_roles::{Login, ROLES},
    pool,
    readiness::Readiness,
};
use sqlx::{Connection as _, PgConnection};

use super::run;
use crate::support::cluster::Database;

/// The same database for another login.
fn as_login(database: &Database, login: &str) -> String {
    let and = if database.url.contains('?') { '&' } else { '?' };
    format!("{}{and}user={login}", database.url)
}

/// A login of this run's own; roles belong to the cluster.
async fn make_login(db: &mut PgConnection, name: &str, roles: &[&str]) -> String {
    let login = format!("nexrole_test_{name}_{}", std::process::id());
    run(db, &format!("CREATE ROLE {login} LOGIN; GRANT {} TO {login}", roles.join(", "))).await.unwrap();
    login
}

/// Its database is gone, and with it what was granted on it.
async fn drop_login(login: &str) {
    let other = Database::create().await;
    run(&mut other.pool.acquire().await.unwrap(), &format!("DROP ROLE {login}")).await.unwrap();
    other.remove().await;
}

#[tokio::test]
async fn a_login_of_another_installation_on_the_same_server_cannot_connect() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let theirs = make_login(&mut db, "theirs", &ROLES).await;
    let url = as_login(&database, &theirs);
    PgConnection::connect(&url).await.expect("before `nexrole migrate` everybody may").close().await.unwrap();
    migrate::migrate(&database.pool).await.unwrap();
    let refused = PgConnection::connect(&url).await.expect_err("nobody has let it in");
    assert_eq!(
        refused.as_database_error().and_then(|error| error.code()).as_deref(),
        Some("42501"),
        "{refused}"
    );
    // As the documentation says for a service's own login.
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut *db).await.unwrap();
    run(&mut db, &format!("GRANT CONNECT ON DATABASE {name} TO {theirs}")).await.unwrap();
    migrate::migrate(&database.pool).await.unwrap();
    PgConnection::connect(&url).await.expect("it was let in").close().await.unwrap();
    drop(db);
    database.remove().await;
    drop_login(&theirs).await;
}

#[tokio::test]
async fn a_login_that_lacks_a_role_is_not_ready_and_is_told_which() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let login = make_login(&mut db, "narrow", &["nexrole_ingest"]).await;
    let pool = pool::pool(&as_login(&database, &login), 2, Login::Gateway).unwrap();
    let refused = |roles: &[&str]| Readiness::RolesRefused(roles.iter().map(ToString::to_string).collect());
    assert_eq!(readiness::readiness(&pool).await, refused(&["nexrole_gateway", "nexrole_retention"]));
    run(&mut db, &format!("GRANT nexrole_gateway TO {login}")).await.unwrap();
    assert_eq!(readiness::readiness(&pool).await, refused(&["nexrole_retention"]));
    run(&mut db, &format!("GRANT nexrole_retention TO {login}")).await.unwrap();
    assert_eq!(readiness::readiness(&pool).await, Readiness::Ready);
    // Not even the session's own.
    let pool_of_bot = pool::pool(&as_login(&database, &login), 2, Login::Bot).unwrap();
    assert_eq!(readiness::readiness(&pool_of_bot).await, refused(&["nexrole_worker", "nexrole_bot"]));
    // The roles are there, and this database is of a release that had none.
    run(&mut db, "REVOKE SELECT ON _sqlx_migrations FROM nexrole_ingest").await.unwrap();
    assert_eq!(readiness::readiness(&pool).await, Readiness::SchemaBehind);
    pool.close().await;
    pool_of_bot.close().await;
    drop(db);
    database.remove().await;
    drop_login(&login).await;
}

#[tokio::test]
async fn a_migration_lets_the_services_pass_while_it_waits_for_a_table() {
    let database = Database::create().await;
    let mut service = database.pool.begin().await.unwrap();
    run(&mut service, "LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let began = Instant::now();
    // It waits, gives way, and waits again.
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '_sqlx_migrations'::regclass";
    let serving = async {
        let (mut waited, mut gave_way) = (false, false);
        while !(waited && gave_way) {
            assert!(began.elapsed() < Duration::from_secs(60), "waited: {waited}, gave way: {gave_way}");
            let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&database.pool).await.unwrap();
            gave_way |= waited && waiting == 0;
            waited |= waiting > 0;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service.rollback().await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrate::migrate(&database.pool), serving);
    migrated.expect("it goes on by itself");
    let timeout: String = sqlx::query_scalar("SHOW lock_timeout").fetch_one(&database.pool).await.unwrap();
    assert_eq!(timeout, "0", "the connection is as it was");
    database.remove().await;
}
