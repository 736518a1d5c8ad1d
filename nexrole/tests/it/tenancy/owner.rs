//! Whoever owns the tables, and is no superuser. In: such a login. Out: what it sees, and how it changes data.

use shared::db::pg_roles::ROLES;
use sqlx::AssertSqlSafe;

use super::{TABLES, ids::furnish, lines, run};
use crate::support::cluster::Database;

/// Migrations run as the owner, and FORCE is for the owner too, also where it inherits from the roles.
#[tokio::test]
async fn an_owner_who_is_no_superuser_migrates_and_changes_data() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    furnish(&database, 2, 2000).await;
    let mut db = database.pool.acquire().await.unwrap();
    let owner = format!("nexrole_test_owner_{}", std::process::id());
    let name = lines(&mut db, "SELECT current_database()::text").await.remove(0);
    for statement in [
        format!("CREATE ROLE {owner} NOLOGIN"),
        format!("ALTER DATABASE {name} OWNER TO {owner}"),
        format!(
            "DO $$ DECLARE t regclass; BEGIN
                 FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
                     EXECUTE format('ALTER TABLE %s OWNER TO {owner}', t);
                 END LOOP; END $$"
        ),
        // As `nexrole migrate` leaves it on Postgres 15: a member that inherits all that the roles have.
        format!("GRANT {} TO {owner}", ROLES.join(", ")),
        format!("SET SESSION AUTHORIZATION {owner}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await.unwrap();
    }
    let tables =
        lines(&mut db, &format!("SELECT relname::text FROM pg_class WHERE {TABLES} AND NOT relispartition"))
            .await;
    for (named, seen) in [("", "0 0"), ("1", "t 0")] {
        run(&mut db, &format!("SET nexrole.guild = '{named}'")).await.unwrap();
        for table in &tables {
            let rows = format!(
                "SELECT format('%s %s', CASE WHEN count(*) FILTER (WHERE guild_id = 1) > 0 THEN 't' ELSE '0' END,
                               count(*) FILTER (WHERE guild_id <> 1)) FROM {table}"
            );
            assert_eq!(lines(&mut db, &rows).await, [seen], "{table}, with '{named}' named");
        }
    }
    run(&mut db, "SET nexrole.guild = ''").await.unwrap();
    let change = "UPDATE guilds SET created_at = '2020-01-01'";
    assert_eq!(
        sqlx::query(change).execute(&mut *db).await.unwrap().rows_affected(),
        0,
        "the owner sees nobody's rows"
    );
    let unguarded = "BEGIN; ALTER TABLE guilds NO FORCE ROW LEVEL SECURITY";
    sqlx::raw_sql(unguarded).execute(&mut *db).await.unwrap();
    assert_eq!(
        sqlx::query(change).execute(&mut *db).await.unwrap().rows_affected(),
        2,
        "as migrations/README.md says"
    );
    sqlx::raw_sql("ALTER TABLE guilds FORCE ROW LEVEL SECURITY; COMMIT").execute(&mut *db).await.unwrap();
    // It may become each role, and so has nothing to ask for. Another login may not, and is told what an administrator has
    // to do: the roles are there, so they are not to be made again.
    shared::db::pg_roles::ensure(&mut db).await.unwrap();
    run(
        &mut db,
        &format!(
            "RESET SESSION AUTHORIZATION; REVOKE {} FROM {owner}; SET SESSION AUTHORIZATION {owner}",
            ROLES.join(", ")
        ),
    )
    .await
    .unwrap();
    let error = shared::db::pg_roles::ensure(&mut db).await.unwrap_err().to_string();
    assert!(
        error.contains("An administrator runs once") && error.contains("GRANT nexrole_gateway, "),
        "{error}"
    );
    assert!(!error.contains("CREATE ROLE"), "{error}");
    sqlx::raw_sql("RESET SESSION AUTHORIZATION").execute(&mut *db).await.unwrap();
    drop(db);
    database.remove().await;
    // Its database is gone, and with it all that it owned.
    let other = Database::create().await;
    let drop_role = format!("DROP ROLE {owner}");
    sqlx::raw_sql(AssertSqlSafe(drop_role)).execute(&other.pool).await.unwrap();
    other.remove().await;
}
