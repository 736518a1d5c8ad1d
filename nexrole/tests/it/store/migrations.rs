//! The schema: applied to an empty database by the template; applied again here, and checked for its rules.

use shared::db::pg_roles::Login;
use sqlx::Row;

use crate::support::cluster::Database;

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = Database::create().await;
    shared::db::migrate::migrate(&database.pool).await.unwrap();
    assert_eq!(
        shared::db::readiness::readiness(&database.login(Login::Bot)).await,
        shared::db::readiness::Readiness::Ready
    );
    database.remove().await;
}

#[tokio::test]
async fn every_tenants_table_has_the_guild_first_in_its_keys() {
    let database = Database::create().await;
    let keys = sqlx::query(
        "SELECT c.relname AS name, a.attname AS first
           FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
          WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_%'
            -- They belong to a Discord user, and to no server.
            AND c.relname NOT IN ('logins', 'sessions')",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(keys.len() >= 14, "{} tables", keys.len());
    for key in keys {
        let (name, first): (String, String) = (key.get("name"), key.get("first"));
        assert_eq!(first, "guild_id", "{name}");
    }
    database.remove().await;
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let database = Database::create().await;
    sqlx::query(
        "INSERT INTO audit_log (guild_id, actor, action, cause) VALUES (1, 'bot', 'role.granted', 'x')",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    for forbidden in ["UPDATE audit_log SET cause = 'y'", "DELETE FROM audit_log", "TRUNCATE audit_log"] {
        let error = sqlx::query(forbidden).execute(&database.pool).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{forbidden}: {error}");
    }
    database.remove().await;
}
