//! Forgetting a member, as the database lets it be done: to whom, and by whom.

use std::time::Duration;

use shared::{
    db::{authorized::Authorized, pg_roles::Login, tenant},
    domain::audit::Actor,
    store::{erasure, health_facts},
};

use crate::support::cluster::Database;

/// Whoever asks the database directly is refused as well, and reaches nobody of another server.
#[tokio::test]
async fn the_database_forgets_only_whom_nothing_ties_and_only_of_one_tenant() {
    let database = Database::create().await;
    for statement in [
        "INSERT INTO guilds (guild_id) VALUES (1), (2)",
        "INSERT INTO audit_log (guild_id, actor, action, user_id, cause, address, change)
         VALUES (1, 'bot', 'role.granted', 5, 'sub_1', '192.0.2.1', '{}'), (2, 'bot', 'role.granted', 5, 'sub_2', NULL, NULL),
                (1, 'bot', 'role.granted', 6, 'sub_3', NULL, NULL)",
        "INSERT INTO role_grants (guild_id, user_id, role_id, state) VALUES (1, 5, 9, 'confirmed')",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    let operator = database.login(Login::Operator);
    let (one, five) = (shared::ids::GuildId::from_u64(1).unwrap(), shared::ids::UserId::from_u64(5).unwrap());
    let by = Authorized::operator(&operator, one).unwrap();
    let mut tenant = tenant::begin_as(&operator, &by).await.unwrap();
    let refused = erasure::forget(&mut tenant, five, Actor::Operator, false).await.unwrap_err().to_string();
    assert!(refused.contains("something still ties this member"), "{refused}");
    drop(tenant);
    sqlx::query("DELETE FROM role_grants").execute(&database.pool).await.unwrap();
    let mut tenant = tenant::begin_as(&operator, &by).await.unwrap();
    assert_eq!(erasure::forget(&mut tenant, five, Actor::Operator, false).await.unwrap(), 1);
    tenant.commit().await.unwrap();
    let left = "SELECT string_agg(concat_ws(' ', guild_id, user_id, cause, address, change), ', ' ORDER BY guild_id, audit_id)
                  FROM audit_log";
    let left: String = sqlx::query_scalar(left).fetch_one(&database.pool).await.unwrap();
    assert_eq!(
        left,
        "1 erased, 1 6 sub_3, 1 a member was forgotten, with 0 role(s) left at Discord, 2 5 sub_2"
    );
    // Who was forgotten at the same time as somebody else had the role: given twice, to nobody, breaks no rule.
    let mut tenant = tenant::begin_as(&operator, &by).await.unwrap();
    let six = shared::ids::UserId::from_u64(6).unwrap();
    assert_eq!(erasure::forget(&mut tenant, six, Actor::Operator, false).await.unwrap(), 1);
    tenant.commit().await.unwrap();
    let mut reader = health_facts::connect(&database.url).await.unwrap();
    health_facts::schema(&mut reader).await.unwrap();
    assert_eq!(health_facts::broken(&mut reader, one).await.unwrap(), health_facts::Broken::default());
    drop(reader);
    let later = "INSERT INTO audit_log (guild_id, actor, action, user_id, cause) VALUES (1, 'bot', 'role.granted', 6, 'sub_3')";
    sqlx::query(later).execute(&database.pool).await.unwrap();
    // Even the owner of the table can forget, and nothing else.
    for forbidden in [
        "UPDATE audit_log SET user_id = NULL, cause = 'erased', address = NULL, change = NULL, action = 'x' WHERE user_id = 6",
        "UPDATE audit_log SET user_id = NULL, cause = 'something else' WHERE user_id = 6",
        "UPDATE audit_log SET user_id = 7 WHERE user_id = 6",
        "UPDATE audit_log SET at = at - interval '1 day', user_id = NULL, cause = 'erased' WHERE user_id = 6",
        "UPDATE audit_log SET cause = 'erased' WHERE user_id IS NULL",
    ] {
        let error = sqlx::query(forbidden).execute(&database.pool).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{forbidden}: {error}");
    }
    for login in [Login::Gateway, Login::Bot] {
        let pool = database.login(login);
        let mut tenant = tenant::begin(&pool, one).await.unwrap();
        let refused =
            erasure::forget(&mut tenant, five, Actor::Operator, false).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied for function"), "{login:?}: {refused}");
        drop(tenant);
        pool.close().await;
    }
    tokio::time::timeout(Duration::from_secs(5), operator.close()).await.unwrap();
    database.remove().await;
}

/// The function runs as the tables' owner, who might sign for anybody.
#[tokio::test]
async fn who_had_a_member_forgotten_is_written_down_and_nobody_signs_for_another() {
    let database = Database::create().await;
    sqlx::query("INSERT INTO guilds (guild_id) VALUES (1)").execute(&database.pool).await.unwrap();
    let operator = database.login(Login::Operator);
    let (one, five) = (shared::ids::GuildId::from_u64(1).unwrap(), shared::ids::UserId::from_u64(5).unwrap());
    let by = Authorized::operator(&operator, one).unwrap();
    for actor in [Actor::Stripe, Actor::Member, Actor::Bot, Actor::Environment] {
        let mut tenant = tenant::begin_as(&operator, &by).await.unwrap();
        let refused = erasure::forget(&mut tenant, five, actor, true).await.unwrap_err();
        let code =
            refused.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{actor:?}: {refused}");
    }
    let mut tenant = tenant::begin_as(&operator, &by).await.unwrap();
    erasure::forget(&mut tenant, five, by.actor(), true).await.unwrap();
    tenant.commit().await.unwrap();
    // The release before names nobody, and comes as either role.
    for mut tenant in
        [tenant::begin_as(&operator, &by).await.unwrap(), tenant::begin(&operator, one).await.unwrap()]
    {
        sqlx::query("SELECT forget_member(5, true)").execute(tenant.unguarded()).await.unwrap();
        tenant.commit().await.unwrap();
    }
    let actors = "SELECT string_agg(actor, ' ') FROM audit_log WHERE action = 'member.erased'";
    let actors: String = sqlx::query_scalar(actors).fetch_one(&database.pool).await.unwrap();
    assert_eq!(actors, "operator operator operator");
    tokio::time::timeout(Duration::from_secs(5), operator.close()).await.unwrap();
    database.remove().await;
}
