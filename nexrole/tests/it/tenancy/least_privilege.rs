//! No role can do more than its statements do. In: statements that no code has. Out: a refusal, or nothing.

use super::{as_role, ids::furnish, lines, run};
use crate::support::cluster::Database;

#[tokio::test]
async fn the_worker_ends_no_job_grants_no_role_and_closes_no_guild() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    furnish(&database, 2, 2000).await;
    let mut db = database.pool.acquire().await.unwrap();
    let job =
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause) VALUES (2, 7, 7, 'grant', 'x')";
    run(&mut db, job).await.unwrap();
    let worker = "nexrole_worker";
    // One job of each guild is parked, one is held, and one more is pending.
    for (statement, expected) in [
        ("UPDATE role_jobs SET state = 'applied'", Err("42501".to_owned())),
        ("UPDATE role_jobs SET state = 'discarded' WHERE state = 'pending'", Ok(0)),
        ("UPDATE role_jobs SET state = 'pending'", Ok(2)),
        (job, Err("42501".to_owned())),
        (
            "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause) VALUES (2, 7, 7, 'resync', 'x')",
            Ok(1),
        ),
        ("UPDATE guild_gates SET open_at = 'infinity'", Err("42501".to_owned())),
        ("UPDATE guild_gates SET open_at = now() + interval '1 day'", Ok(2)),
        ("UPDATE mapped_roles SET look_at = 'infinity'", Err("42501".to_owned())),
        ("UPDATE access_sources SET looked_at = 'infinity'", Err("42501".to_owned())),
    ] {
        assert_eq!(as_role(&mut db, worker, statement).await, expected, "{statement}");
    }
    drop(db);
    database.remove().await;
}

/// Whoever asks, by a page, a command in Discord or an event: those services cannot. It takes the owner's role, and the account's key.
#[tokio::test]
async fn no_service_binds_an_account_to_a_server() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    furnish(&database, 2, 2000).await;
    let mut db = database.pool.acquire().await.unwrap();
    let bindings = [
        "UPDATE stripe_connections SET api_key = 'x'",
        "UPDATE stripe_connections SET webhook_secrets = 'x'",
        "UPDATE stripe_connections SET guild_id = 2 WHERE guild_id = 1",
        "UPDATE stripe_connections SET endpoint_id = 'x'",
        "INSERT INTO stripe_connections (guild_id, label, endpoint_id, api_key) VALUES (1, 'x', 'x', 'x')",
    ];
    for service in ["nexrole_gateway", "nexrole_ingest", "nexrole_bot", "nexrole_worker"] {
        for statement in bindings {
            let refused = Err("42501".to_owned());
            assert_eq!(as_role(&mut db, service, statement).await, refused, "{service}: {statement}");
        }
    }
    // One server's owner, of their own connection alone.
    let owner = "nexrole_owner";
    assert_eq!(as_role(&mut db, owner, "UPDATE stripe_connections SET api_key = 'x'").await, Ok(1));
    let theirs = "UPDATE stripe_connections SET api_key = 'x' WHERE guild_id = 2";
    assert_eq!(as_role(&mut db, owner, theirs).await, Ok(0));
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn an_owner_answers_what_is_held_and_touches_no_other_job() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    let mut db = database.pool.acquire().await.unwrap();
    for (statement, expected) in [
        ("UPDATE role_jobs SET state = 'applied'", Err("42501".to_owned())),
        ("UPDATE role_jobs SET state = 'parked'", Err("42501".to_owned())),
        ("UPDATE role_jobs SET due_at = now() WHERE state = 'parked'", Ok(0)),
        ("UPDATE role_jobs SET state = 'pending'", Ok(1)),
        ("UPDATE role_jobs SET state = 'discarded'", Ok(1)),
        ("UPDATE role_jobs SET action = 'grant'", Err("42501".to_owned())),
        (
            "INSERT INTO role_revokes (guild_id, role_id, user_id, is_confirmed) VALUES (1, 1, 1, true)",
            Err("42501".to_owned()),
        ),
    ] {
        assert_eq!(as_role(&mut db, "nexrole_owner", statement).await, expected, "{statement}");
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn an_owner_gives_by_hand_and_makes_no_purchase() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    let mut db = database.pool.acquire().await.unwrap();
    let insert = |kind: &str, object: &str| {
        format!(
            "INSERT INTO access_sources (guild_id, user_id, role_id, kind, source_id, state, evidence, stripe_object)
             VALUES (1, 7, 7, '{kind}', 'x', 'live', 'x', {object})"
        )
    };
    for (kind, object, expected) in [
        ("manual", "NULL", Ok(1)),
        ("import", "NULL", Ok(1)),
        ("seat", "NULL", Err("42501".to_owned())),
        ("stripe", "'subscription'", Err("42501".to_owned())),
    ] {
        assert_eq!(as_role(&mut db, "nexrole_owner", &insert(kind, object)).await, expected, "{kind}");
    }
    for role in ["nexrole_bot", "nexrole_operator", "nexrole_worker", "nexrole_ingest"] {
        let refused = as_role(&mut db, role, &insert("manual", "NULL")).await;
        assert_eq!(refused, Err("42501".to_owned()), "{role}");
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn the_bot_ends_what_is_over_and_nothing_that_was_bought() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    let mut db = database.pool.acquire().await.unwrap();
    for (role, kind, state, valid_until) in [
        (11, "manual", "live", "now() - interval '1 s'"),
        (12, "manual", "live", "now() + interval '1 h'"),
        (13, "manual", "live", "NULL"),
        (14, "manual", "ended", "NULL"),
        (15, "seat", "live", "now() - interval '1 s'"),
    ] {
        let row = format!(
            "INSERT INTO access_sources (guild_id, user_id, role_id, kind, source_id, state, evidence, valid_until, stripe_object)
             VALUES (1, 7, {role}, '{kind}', 'x', '{state}', 'x', {valid_until}, NULL)"
        );
        run(&mut db, &row).await.unwrap();
    }
    run(&mut db, "UPDATE access_sources SET valid_until = now() - interval '1 s' WHERE kind = 'stripe'")
        .await
        .unwrap();
    let refused = || Err("42501".to_owned());
    for (state, rows, expected) in [
        ("ended", "role_id IN (11, 15)", Ok(2)),
        ("ended", "role_id = 12", refused()),
        ("ended", "role_id = 13", refused()),
        ("ended", "kind = 'stripe'", refused()),
        // What has ended does not begin again.
        ("live", "role_id = 14", Ok(0)),
    ] {
        let change = format!("UPDATE access_sources SET state = '{state}' WHERE {rows}");
        assert_eq!(as_role(&mut db, "nexrole_bot", &change).await, expected, "{change}");
        assert_eq!(as_role(&mut db, "nexrole_worker", &change).await, refused(), "{change}");
    }
    let longer = "UPDATE access_sources SET valid_until = 'infinity'";
    assert_eq!(as_role(&mut db, "nexrole_bot", longer).await, refused());
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn what_faces_the_internet_neither_reads_nor_changes_a_sealed_key() {
    let database = Database::create().await;
    furnish(&database, 1, 1000).await;
    let mut db = database.pool.acquire().await.unwrap();
    for (role, statement) in [
        ("nexrole_ingest", "SELECT api_key FROM stripe_connections"),
        ("nexrole_ingest", "UPDATE stripe_connections SET api_key = NULL"),
        ("nexrole_gateway", "UPDATE stripe_connections SET api_key = NULL"),
        ("nexrole_gateway", "UPDATE stripe_connections SET webhook_secrets = NULL"),
        ("nexrole_bot", "SELECT api_key FROM stripe_connections"),
        ("nexrole_worker", "SELECT guild_id FROM stripe_connections"),
    ] {
        assert_eq!(as_role(&mut db, role, statement).await, Err("42501".to_owned()), "{role}: {statement}");
    }
    // The role that reads keys does so for one tenant at a time.
    assert_eq!(as_role(&mut db, "nexrole_gateway", "SELECT api_key FROM stripe_connections").await, Ok(1));
    assert_eq!(lines(&mut db, "SELECT count(*)::text FROM stripe_connections").await, ["1"]);
    drop(db);
    database.remove().await;
}
