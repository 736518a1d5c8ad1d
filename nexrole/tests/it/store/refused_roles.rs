//! Roles that Discord refuses: known, probed with one job, and forgotten.

use std::time::Duration;

use shared::{
    db::{pg_roles::Login, tenant},
    domain::{
        delivery::update::{Decision, JobUpdate, RoleHealth},
        job::{JobAction, JobOrigin, JobState},
        roles::work::Manageability,
    },
    store::{
        guild_gates::{self, Release, Scan},
        guild_roles, role_health, role_jobs, settle,
    },
};
use uuid::Uuid;

use super::{LEASE, NO_LEASE, guild, in_guild, insert_guilds, role, settlement, text, user, with_jobs};
use crate::support::cluster::Database;

#[tokio::test]
async fn a_parked_role_is_seen_and_freed_by_a_call_that_works() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 1).await;
    let mut across = bot.across().await.unwrap();
    let owner = Uuid::new_v4();
    let manageability =
        async || in_guild(&bot, 1, async |t| role_jobs::due(t, 1, 0.0).await).await[0].roles[0].manageability;
    for (health, expected) in [
        (RoleHealth::Parked { role: role(7), probe_in: LEASE, code: 50013 }, Manageability::Refused),
        (RoleHealth::Parked { role: role(7), probe_in: NO_LEASE, code: 50013 }, Manageability::ProbeDue),
        (RoleHealth::Works(role(7)), Manageability::Manageable),
    ] {
        guild_gates::lease(&mut across, Scan::All, None, 1, owner, LEASE).await.unwrap();
        let mut turn = settlement(owner);
        turn.decisions = vec![Decision { role: Some(health), ..Decision::default() }];
        in_guild(&bot, 1, async |t| settle::settle(t, &turn).await).await;
        assert_eq!(manageability().await, expected);
    }
    drop(across);
    database.remove().await;
}

#[tokio::test]
async fn of_a_refused_roles_jobs_one_probes() {
    let database = Database::create().await;
    let bot = database.login(Login::Bot);
    let mut across = bot.across().await.unwrap();
    insert_guilds(&database.pool, 1).await;
    for (n, role_id) in [(1, 7), (2, 7), (3, 7), (4, 8)] {
        let role = role(role_id);
        in_guild(&bot, 1, async |t| {
            role_jobs::enqueue(t, user(n), role, JobAction::Grant, JobOrigin::Purchase, "test").await
        })
        .await;
    }
    sqlx::query("UPDATE role_jobs SET state = 'parked'").execute(&database.pool).await.unwrap();
    // The oldest waits for its member, not for the role.
    let absent = "UPDATE role_jobs SET due_at = now() + interval '6 h' WHERE user_id = 1";
    sqlx::query(absent).execute(&database.pool).await.unwrap();
    let health = "INSERT INTO role_health (guild_id, role_id, reason, next_probe_at) VALUES (1, 7, 'x', now() + interval '1 h')";
    sqlx::query(health).execute(&database.pool).await.unwrap();
    assert_eq!(role_jobs::release_parked(&mut across).await.unwrap(), 1, "the other role's");
    sqlx::query("UPDATE role_health SET next_probe_at = now()").execute(&database.pool).await.unwrap();
    assert_eq!(role_jobs::release_parked(&mut across).await.unwrap(), 1, "the probe");
    in_guild(&bot, 1, async |t| role_health::release_role(t, role(7)).await).await;
    drop(across);
    assert_eq!(
        text(&database.pool, "SELECT count(*)::text FROM role_jobs WHERE state = 'pending'").await,
        "4"
    );
    database.remove().await;
}

#[tokio::test]
async fn a_refused_role_that_nothing_waits_for_is_forgotten() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 3).await;
    let mut across = bot.across().await.unwrap();
    for statement in [
        "INSERT INTO role_health (guild_id, role_id, reason, next_probe_at)
         SELECT n, 7, 'x', now() + interval '1 h' FROM generate_series(1, 3) n",
        "UPDATE role_jobs SET state = 'parked', due_at = now() + interval '1 h' WHERE guild_id = 1",
        "UPDATE role_jobs SET state = 'noop' WHERE guild_id = 3",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    role_jobs::release_parked(&mut across).await.unwrap();
    drop(across);
    let known = "SELECT string_agg(guild_id::text, ' ' ORDER BY guild_id) FROM role_health";
    assert_eq!(text(&database.pool, known).await, "1 2", "one job is parked, one pending, one done");
    database.remove().await;
}

#[tokio::test]
async fn a_turn_and_an_event_that_both_say_that_a_refused_role_was_deleted_do_not_deadlock() {
    let database = Database::create().await;
    let bot = with_jobs(&database, 1).await;
    let owner = Uuid::new_v4();
    guild_gates::lease(&mut bot.across().await.unwrap(), Scan::All, None, 1, owner, LEASE).await.unwrap();
    in_guild(&bot, 1, async |t| guild_roles::hint(t).await).await;
    let job = in_guild(&bot, 1, async |t| role_jobs::due(t, 1, 0.0).await).await[0].roles[0].jobs[0].id;
    let parked = "UPDATE role_jobs SET state = 'parked'";
    sqlx::query(parked).execute(&database.pool).await.unwrap();
    let health =
        "INSERT INTO role_health (guild_id, role_id, reason, next_probe_at) VALUES (1, 7, 'x', now())";
    sqlx::query(health).execute(&database.pool).await.unwrap();

    let mut event = tenant::begin(&bot, guild(1)).await.unwrap();
    guild_roles::request_read(&mut event).await.unwrap();
    let mut turn = settlement(owner);
    let outcome = String::new();
    let failed = JobUpdate { id: job, state: JobState::Failed, due_in: NO_LEASE, failures: 1, outcome };
    let gone = Some(RoleHealth::Gone(role(7)));
    turn.decisions = vec![Decision { jobs: vec![failed], role: gone, ..Decision::default() }];
    let settling = {
        let bot = bot.clone();
        tokio::spawn(async move { in_guild(&bot, 1, async |t| settle::settle(t, &turn).await).await })
    };
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while text(&database.pool, waits).await == "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    role_health::release_role(&mut event, role(7)).await.unwrap();
    event.commit().await.unwrap();
    assert_eq!(settling.await.unwrap(), Release::Released);
    database.remove().await;
}
