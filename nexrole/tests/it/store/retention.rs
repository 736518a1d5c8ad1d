//! Nothing is kept longer than it is needed, and every column says how long that is.

use std::collections::BTreeMap;

use shared::{
    db::{authorized::Authorized, pg_roles::Login, tenant},
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
    store::{mapped_roles, retention, role_mappings},
};
use sqlx::{AssertSqlSafe, Row};

use crate::support::cluster::Database;

#[tokio::test]
async fn finished_work_goes_after_ninety_days_and_open_work_never() {
    let database = Database::create().await;
    for statement in [
        "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, livemode, received_at, state)
         SELECT 1, 1, 'evt_' || d || s, 'x', false, now() - make_interval(days => d), s
           FROM generate_series(0, 120) AS d, unnest(ARRAY['processed', 'ignored', 'recorded']) AS s",
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, state, created_at, finished_at)
         SELECT 1, 1, 1, 'grant', 'x', s, now() - make_interval(days => d),
                CASE WHEN s = 'applied' THEN now() - make_interval(days => d) END
           FROM generate_series(0, 120) AS d, unnest(ARRAY['applied', 'pending', 'parked']) AS s",
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, changed_at)
         SELECT 1, d, 1, 'stripe', 1, 'sub_' || s, s, 'x', now() - make_interval(days => d)
           FROM generate_series(1, 120) AS d, unnest(ARRAY['live', 'ended']) AS s",
        "INSERT INTO service_requests (guild_id, request_id, asked_by, kind, arguments, expires_at)
         SELECT 1, gen_random_uuid(), 'gateway', 'x', 'x', now() - make_interval(hours => h) FROM generate_series(0, 40) AS h",
        "INSERT INTO guilds (guild_id) VALUES (1)",
        "INSERT INTO stripe_connections (guild_id, connection_id, label, livemode, endpoint_id) OVERRIDING SYSTEM VALUE
         VALUES (1, 1, 'x', false, md5('x'))",
        "INSERT INTO member_notices (guild_id, user_id, connection_id, source_id, anchor, kind, role_ids, ends_at, due_at, state, next_at, finished_at)
         SELECT 1, 1, 1, 'sub_' || d || s || e, now(), 'began', '{1}', now() - make_interval(days => e), now(), s,
                CASE s WHEN 'pending' THEN now() END, CASE s WHEN 'sent' THEN now() - make_interval(days => d) END
           FROM generate_series(1, 120) AS d, unnest(ARRAY['sent', 'pending']) AS s, unnest(ARRAY[1, 120]) AS e",
        "INSERT INTO mails (guild_id, mail_id, kind, recipient, arguments, state, next_at, expires_at, finished_at)
         SELECT 1, gen_random_uuid(), 'claim_code', CASE s WHEN 'pending' THEN 'x'::bytea END, CASE s WHEN 'pending' THEN 'x'::bytea END, s,
                CASE s WHEN 'pending' THEN now() END, now() - make_interval(hours => h), CASE s WHEN 'sent' THEN now() END
           FROM generate_series(0, 40) AS h, unnest(ARRAY['sent', 'pending']) AS s",
        "INSERT INTO claim_codes (guild_id, code_id, user_id, address_hash, code_hash, created_at, expires_at)
         SELECT 1, gen_random_uuid(), 1, repeat('a', 43), repeat('a', 43), now() - make_interval(hours => h), now()
           FROM generate_series(0, 40) AS h",
        "INSERT INTO customer_hands (guild_id, connection_id, customer_id, user_id, since, was_moved)
         SELECT 1, 1, 'cus_' || d, 1, now() - make_interval(days => d), true FROM generate_series(0, 20) AS d",
        "INSERT INTO link_tokens (guild_id, prefix, hash, user_id, created_at, expires_at)
         SELECT 1, 'nx_ref_' || lpad(d::text, 8, 'x'), sha256('x'), 1, now() - make_interval(days => d), now() FROM generate_series(0, 60) AS d",
        "INSERT INTO role_revokes (guild_id, role_id, user_id, is_confirmed, at)
         SELECT 1, 1, h + 1, true, now() - make_interval(hours => h) FROM generate_series(0, 80) AS h",
        "INSERT INTO logins (secret_hash, destination, began_at)
         SELECT lpad(h::text, 43, 'x'), '/account', now() - make_interval(hours => h) FROM generate_series(0, 40) AS h",
        "INSERT INTO sessions (session_hash, current_hash, user_id, username, began_at, replaced_at)
         SELECT lpad(h::text, 43, 'x'), repeat('x', 43), 1, 'x', now() - interval '6 days', now() - make_interval(hours => h)
           FROM generate_series(0, 40) AS h",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    // In small batches, as if it were killed again and again.
    let retention = database.login(Login::Retention);
    let mut across = retention.across().await.unwrap();
    while retention::sweep(&mut across, 7).await.unwrap().is_more(7) {}
    drop(across);
    for (left, expected) in [
        // Day 0 to 90, of each state that is not open; open ones all.
        ("SELECT count(*) FROM stripe_events WHERE state <> 'recorded'", 2 * 90),
        ("SELECT count(*) FROM stripe_events WHERE state = 'recorded'", 121),
        ("SELECT count(*) FROM role_jobs WHERE state = 'applied'", 90),
        ("SELECT count(*) FROM role_jobs WHERE state <> 'applied'", 2 * 121),
        ("SELECT count(*) FROM access_sources WHERE state = 'ended'", 89),
        ("SELECT count(*) FROM access_sources WHERE state = 'live'", 120),
        ("SELECT count(*) FROM member_notices WHERE state = 'pending'", 2 * 120),
        // Of a payment that is still due they are what keeps it from being told again.
        ("SELECT count(*) FROM member_notices WHERE state = 'sent'", 120 + 89),
        // A day and no more.
        ("SELECT count(*) FROM service_requests", 24),
        ("SELECT count(*) FROM logins", 24),
        ("SELECT count(*) FROM sessions", 24),
        // The same, also of what nobody sent.
        ("SELECT count(*) FROM mails", 2 * 24),
        ("SELECT count(*) FROM claim_codes", 24),
        // A week.
        ("SELECT count(*) FROM customer_hands", 7),
        // As long as a purchase by one may be claimed.
        ("SELECT count(*) FROM link_tokens", 35),
        // Two days.
        ("SELECT count(*) FROM role_revokes", 48),
    ] {
        let found: i64 = sqlx::query_scalar(left).fetch_one(&database.pool).await.unwrap();
        assert_eq!(found, expected, "{left}");
    }
    // Its role can do no more than that, not even with a statement that asks for all, and changes nothing.
    let mut across = retention.across().await.unwrap();
    for table in [
        "stripe_events",
        "role_jobs",
        "access_sources",
        "service_requests",
        "member_notices",
        "role_revokes",
        "logins",
        "sessions",
        "mails",
        "claim_codes",
        "customer_hands",
        "link_tokens",
    ] {
        let all = sqlx::raw_sql(AssertSqlSafe(format!("DELETE FROM {table}")))
            .execute(across.unguarded())
            .await
            .unwrap();
        assert_eq!(all.rows_affected(), 0, "{table}");
        let of_one = format!("BEGIN; SET LOCAL nexrole.guild = '1'; DELETE FROM {table}; COMMIT");
        let of_one = sqlx::raw_sql(AssertSqlSafe(of_one)).execute(across.unguarded()).await.unwrap();
        assert_eq!(of_one.rows_affected(), 0, "{table}, as if for one tenant");
    }
    drop(across);
    // Not even what is old: locking it takes a right that would otherwise let it be changed.
    let old =
        "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, livemode, received_at, state)
               VALUES (1, 1, 'evt_old', 'x', false, now() - interval '99 days', 'processed')";
    sqlx::query(old).execute(&database.pool).await.unwrap();
    let change = "UPDATE stripe_events SET received_at = received_at - interval '1 day'";
    let refused =
        sqlx::query(change).execute(retention.across().await.unwrap().unguarded()).await.unwrap_err();
    assert!(refused.to_string().contains("row-level security"), "{refused}");
    retention.close().await;
    database.remove().await;
}

/// It stays while somebody has it, for it says whether they lose it.
#[tokio::test]
async fn a_mapped_role_goes_when_nothing_gives_it_and_nobody_has_it_any_more() {
    let database = Database::create().await;
    for statement in [
        "INSERT INTO guilds (guild_id) VALUES (1), (2)",
        "INSERT INTO mapped_roles (guild_id, role_id, enforcement)
         SELECT guild_id, role_id, CASE role_id WHEN 4 THEN 'unseen' WHEN 5 THEN 'observe' ELSE 'on' END
           FROM guilds, generate_series(1, 5) AS role_id",
        "INSERT INTO role_mappings (guild_id, source_kind, source_id, role_id) VALUES (1, 'price', 'price_1', 1)",
        "INSERT INTO role_grants (guild_id, user_id, role_id, state) VALUES (1, 7, 2, 'ending'), (2, 7, 3, 'confirmed')",
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
         VALUES (1, 7, 5, 'stripe', 1, 'sub_1', 'ended', 'x'), (2, 7, 5, 'stripe', 1, 'sub_1', 'live', 'x')",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    let retention = database.login(Login::Retention);
    let swept = retention::sweep(&mut retention.across().await.unwrap(), 9).await.unwrap();
    assert_eq!(swept.roles, 4);
    let left =
        "SELECT string_agg(guild_id || ' ' || role_id, ', ' ORDER BY guild_id, role_id) FROM mapped_roles";
    let left: String = sqlx::query_scalar(left).fetch_one(&database.pool).await.unwrap();
    // One that is about to be checked may have been mapped in this moment.
    assert_eq!(left, "1 1, 1 2, 1 4, 2 3, 2 4, 2 5");
    // Its role can do no more than that, not even with a statement that asks for all.
    let mut across = retention.across().await.unwrap();
    let all = sqlx::raw_sql("DELETE FROM mapped_roles").execute(across.unguarded()).await.unwrap();
    assert_eq!(all.rows_affected(), 0);
    drop(across);
    retention.close().await;
    database.remove().await;
}

/// Retention never takes a role from under a mapping that is being made.
#[tokio::test]
async fn a_role_that_is_being_mapped_again_stays() {
    let database = Database::create().await;
    for statement in [
        "INSERT INTO guilds (guild_id) VALUES (1)",
        "INSERT INTO mapped_roles (guild_id, role_id, enforcement) VALUES (1, 9, 'on')",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    let (retention, operator) = (database.login(Login::Retention), database.login(Login::Operator));
    let (one, nine) = (GuildId::from_u64(1).unwrap(), RoleId::from_u64(9).unwrap());
    let by = Authorized::operator(&operator, one).unwrap();
    let mut mapping = tenant::begin_as(&operator, &by).await.unwrap();
    mapped_roles::ensure(&mut mapping, nine).await.unwrap();
    let swept = retention::sweep(&mut retention.across().await.unwrap(), 9).await.unwrap();
    assert_eq!(swept.roles, 0, "and did not wait for it");
    mapped_roles::recheck(&mut mapping, nine).await.unwrap();
    let sold = Sold::Price("price_1".parse().unwrap());
    role_mappings::insert(&mut mapping, &sold, nine).await.unwrap();
    mapping.commit().await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM mapped_roles").fetch_one(&database.pool).await.unwrap();
    assert_eq!(left, 1);
    retention.close().await;
    operator.close().await;
    database.remove().await;
}

/// A column that nobody gave a class is kept for ever by oversight.
#[tokio::test]
async fn every_column_has_a_retention_class() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../security/retention.toml");
    let file: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for table in file["table"].as_array().unwrap() {
        let name = table["name"].as_str().unwrap();
        for (class, columns) in table["columns"].as_table().unwrap() {
            let known = file["class"].as_table().unwrap().contains_key(class);
            assert!(known, "{name}: there is no class {class}");
            for column in columns.as_array().unwrap() {
                let twice = said.insert(format!("{name}.{}", column.as_str().unwrap()), class.clone());
                assert!(twice.is_none(), "{name}.{column:?} has two classes");
            }
        }
    }
    let database = Database::create().await;
    let columns = sqlx::query(
        "SELECT table_name || '.' || column_name AS name
           FROM information_schema.columns JOIN pg_class c ON c.oid = format('%I.%I', table_schema, table_name)::regclass
          WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%' AND NOT c.relispartition",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(columns.len() > 80, "{} columns", columns.len());
    for column in columns {
        let name: String = column.get("name");
        assert!(said.remove(&name).is_some(), "{name} has no class in security/retention.toml");
    }
    assert!(said.is_empty(), "there is no such column: {said:?}");
    database.remove().await;
}
