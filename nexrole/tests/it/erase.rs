//! Forgetting a member: everything goes that is about them, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    db::{pg_roles::Login, tenant},
    store::{erasure, health_facts},
};
use sqlx::{AssertSqlSafe, Row};

use crate::{cluster::Database, world::World};

/// Every row of every table, as text.
async fn everything(db: &sqlx::PgPool) -> String {
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                     AND NOT relispartition AND relname <> '_sqlx_migrations' ORDER BY 1";
    let mut all = String::new();
    for table in sqlx::query(tables).fetch_all(db).await.expect("a list of tables") {
        let table: String = table.get(0);
        let rows = format!("SELECT coalesce(string_agg(t::text, E'\n'), '') FROM {table} t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(db).await.expect("rows as text");
        all.push_str(&format!("{table}\n{rows}\n\n"));
    }
    all
}

#[tokio::test]
async fn an_erased_member_loses_the_role_and_leaves_no_trace_and_others_keep_theirs() {
    let world = World::start().await;
    let (ana, ben) = (world.fan().await, world.fan().await);
    for fan in [&ana, &ben] {
        world.subscribes(fan).await;
        world.until_vip(fan).await;
    }
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    world.nexrole(&["why", "--guild", &guild, "--member", &member]).await.unwrap();
    let audited = "SELECT count(*) FROM audit_log";
    // Her metadata at Stripe still names her: that is said, with what to do, and nothing is forgotten.
    let erase = ["erase", "--guild", &guild, "--member", &member];
    let refused = world.nexrole(&erase).await.unwrap_err();
    assert!(refused.contains(&format!("discord_user_id {member}. Remove that at Stripe")), "{refused}");
    assert!(everything(world.db()).await.contains(&member));
    world.until_vip(&ana).await;

    world.stripe.update_customer(&ana.customer, json!({ "metadata": {} })).await.unwrap();
    let before = world.number(audited).await;
    let said = world.nexrole(&erase).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    world.until_no_vip(&ana).await;
    let left = everything(world.db()).await;
    assert!(!left.contains(&member), "{left}");
    assert!(left.contains(&ben.user.to_string()));
    // What mirrors the owner's Stripe account has the customer's id, and nobody's name beside it.
    let named: Vec<&str> = left.split("\n\n").filter(|table| table.contains(ana.customer.as_str())).collect();
    for table in named {
        let name = table.lines().next().unwrap();
        assert!(["customers", "stripe_events", "stripe_sync", "subscriptions"].contains(&name), "{table}");
    }
    world.until_vip(&ben).await;
    // What happened stays: in number, order and time, and the erasure itself.
    assert!(world.number(audited).await > before);
    let erased = "SELECT count(*) FROM audit_log WHERE cause = 'erased' AND user_id IS NULL AND action = 'role.revoked'";
    assert_eq!(world.number(erased).await, 1);
    let export = world.nexrole(&["export", "--guild", &guild]).await.unwrap();
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["action"], "member.erased");
    assert!(!export.contains(&member));
    // Again, and for somebody who was never there: nothing to forget, and no error.
    let again = world.nexrole(&erase).await.unwrap();
    assert!(again.contains("Forgotten. 0 audit entries"), "{again}");
    world.close().await;
}

#[tokio::test]
async fn what_is_open_is_not_forgotten_and_the_command_says_what_it_waits_for() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.update_customer(&ana.customer, json!({ "metadata": {} })).await.unwrap();
    // Discord refuses to let the role be taken.
    world.discord.set_role(world.guild, world.vip, json!({ "position": 90 })).await.unwrap();
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    let erase = ["erase", "--guild", &guild, "--member", &member, "--wait", "3"];
    let refused = world.nexrole(&erase).await.unwrap_err();
    assert!(
        refused.contains("not forgotten yet: 1 role(s) held, 1 role change(s) on their way"),
        "{refused}"
    );
    world.close().await;
}

/// A member who asked is not stuck where Stripe cannot be read; and nobody loses a role by a try that came to nothing.
#[tokio::test]
async fn without_stripes_word_nothing_ends_but_by_the_operators() {
    let mut world = World::start().await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stop_gateway().await;
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    let erase = ["erase", "--guild", &guild, "--member", &member, "--wait", "3"];
    for _ in 0..2 {
        let refused = world.nexrole(&erase).await.unwrap_err();
        assert!(refused.contains("to read from Stripe"), "also the second time: {refused}");
        assert!(world.has(&ana, world.vip).await);
    }
    let said = world.nexrole(&[&erase[..], &["--anyway"]].concat()).await.unwrap();
    assert!(said.contains("Forgotten.") && !said.contains("stay at Discord"), "{said}");
    assert!(!world.has(&ana, world.vip).await, "the bot took it meanwhile");
    assert!(!everything(world.db()).await.contains(&member));
    world.close().await;
}

/// A connection that is not used any more says nothing, and nobody waits for it.
#[tokio::test]
async fn what_a_disconnected_account_gave_ends_with_the_operators_word() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    sqlx::query("UPDATE stripe_connections SET state = 'disconnected'").execute(world.db()).await.unwrap();
    let (guild, member) = (world.guild.to_string(), ana.user.to_string());
    let said = world.nexrole(&["erase", "--guild", &guild, "--member", &member]).await.unwrap();
    assert!(said.contains("Forgotten."), "{said}");
    assert!(!world.has(&ana, world.vip).await);
    world.close().await;
}

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
    let mut tenant = tenant::begin(&operator, one).await.unwrap();
    let refused = erasure::forget(&mut tenant, five, false).await.unwrap_err().to_string();
    assert!(refused.contains("something still ties this member"), "{refused}");
    drop(tenant);
    sqlx::query("DELETE FROM role_grants").execute(&database.pool).await.unwrap();
    let mut tenant = tenant::begin(&operator, one).await.unwrap();
    assert_eq!(erasure::forget(&mut tenant, five, false).await.unwrap(), 1);
    tenant.commit().await.unwrap();
    let left = "SELECT string_agg(concat_ws(' ', guild_id, user_id, cause, address, change), ', ' ORDER BY guild_id, audit_id)
                  FROM audit_log";
    let left: String = sqlx::query_scalar(left).fetch_one(&database.pool).await.unwrap();
    assert_eq!(
        left,
        "1 erased, 1 6 sub_3, 1 a member was forgotten, with 0 role(s) left at Discord, 2 5 sub_2"
    );
    // Who was forgotten at the same time as somebody else had the role: given twice, to nobody, breaks no rule.
    let mut tenant = tenant::begin(&operator, one).await.unwrap();
    let six = shared::ids::UserId::from_u64(6).unwrap();
    assert_eq!(erasure::forget(&mut tenant, six, false).await.unwrap(), 1);
    tenant.commit().await.unwrap();
    let mut looking = health_facts::connect(&database.url).await.unwrap();
    health_facts::schema(&mut looking).await.unwrap();
    assert_eq!(health_facts::broken(&mut looking, one).await.unwrap(), health_facts::Broken::default());
    drop(looking);
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
        let refused = erasure::forget(&mut tenant, five, false).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied for function"), "{login:?}: {refused}");
        drop(tenant);
        pool.close().await;
    }
    tokio::time::timeout(Duration::from_secs(5), operator.close()).await.unwrap();
    database.remove().await;
}
