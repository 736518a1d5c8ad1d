//! Walls in the database: what each role may do, and what a tenant's transaction can reach. On a real Postgres, as the services'
//! own roles.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use shared::{
    domain::job::{JobAction, JobState},
    ids::{ConnectionId, CustomerId, GuildId, RoleId, SubscriptionId, UserId},
    store::{
        connections::{self, Connection},
        cursors,
        events::{self, NewEvent, Object, ObjectKind},
        gates::{self, Gate, Release},
        grants, guild_roles,
        links::{self, Proof},
        mapped_roles, members, mirror, role_jobs,
        roles::{Login, ROLES},
        settle::{self, JobUpdate, Settlement},
        sources, sync,
        tenant::{self, Tenant},
        why,
    },
};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::cluster::Database;

const LISTED: &str = include_str!("privileges.txt");
const TABLES: &str =
    "relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'";

async fn lines(db: &mut PgConnection, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(db).await.unwrap()
}

#[tokio::test]
async fn every_table_is_guarded_by_row_level_security_for_its_owner_too() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let open = format!(
        "SELECT relname::text FROM pg_class c WHERE {TABLES} AND NOT relispartition
            AND NOT (relrowsecurity AND relforcerowsecurity
                     AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'of_the_tenant'
                                    AND p.polpermissive AND p.polroles = '{{0}}' AND p.polcmd = '*'))"
    );
    assert_eq!(lines(&mut db, &open).await, Vec::<String>::new(), "see migrations/README.md");
    let guarded = format!("SELECT relname::text FROM pg_class WHERE {TABLES}");
    assert!(lines(&mut db, &guarded).await.len() >= 18);
    drop(db);
    database.remove().await;
}

/// Every grant and every policy, against the list that a person has read. With `NEXROLE_WRITE_PRIVILEGES` set the list is
/// written anew.
#[tokio::test]
async fn every_grant_and_policy_is_on_the_list() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let granted = lines(
        &mut db,
        "WITH on_tables AS (
             SELECT c.relname, a.grantee, a.privilege_type FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
              WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
         ), on_columns AS (
             SELECT c.relname, a.grantee, a.privilege_type, string_agg(t.attname, ', ' ORDER BY t.attnum) AS columns
               FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN aclexplode(t.attacl) a
              WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner GROUP BY 1, 2, 3
         ), listed AS (
             SELECT relname, grantee, privilege_type AS what FROM on_tables
             UNION ALL SELECT relname, grantee, privilege_type || ' (' || columns || ')' FROM on_columns
         )
         SELECT format('%s: %s on %s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                       string_agg(what, '; ' ORDER BY what), relname) COLLATE \"C\"
           FROM listed GROUP BY grantee, relname ORDER BY 1",
    )
    .await;
    let policies = lines(
        &mut db,
        "SELECT format('policy %s on %s for %s to %s using %s%s%s', policyname, tablename, cmd, array_to_string(roles, ', '), qual,
                       ' check ' || with_check, CASE permissive WHEN 'RESTRICTIVE' THEN ', restrictive' END)
                COLLATE \"C\" FROM pg_policies WHERE policyname <> 'of_the_tenant' ORDER BY 1",
    )
    .await;
    let found = format!("{}\n\n{}\n", granted.join("\n"), policies.join("\n"));
    if shared::config::Env::from_process().get("NEXROLE_WRITE_PRIVILEGES").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/privileges.txt");
        std::fs::write(path, &found).unwrap();
    } else {
        assert_eq!(found, LISTED, "NEXROLE_WRITE_PRIVILEGES=1 writes the list; then read what changed");
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn no_role_may_log_in_or_own_anything_or_become_another() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1) AND NOT (rolcanlogin OR rolsuper OR rolbypassrls
                OR rolcreaterole OR rolcreatedb OR rolreplication)",
    )
    .bind(ROLES.as_slice())
    .fetch_one(&mut *db)
    .await
    .unwrap();
    assert_eq!(count, 6);
    for (what, forbidden) in [
        ("owns", "SELECT relname::text FROM pg_class WHERE relowner::regrole::text = ANY ($1)"),
        ("owns", "SELECT proname::text FROM pg_proc WHERE proowner::regrole::text = ANY ($1)"),
        (
            "is a member of",
            "SELECT roleid::regrole::text FROM pg_auth_members WHERE member::regrole::text = ANY ($1)",
        ),
        ("may create in", "SELECT r FROM unnest($1) r WHERE has_schema_privilege(r, 'public', 'CREATE')"),
    ] {
        let found: Vec<String> =
            sqlx::query_scalar(forbidden).bind(ROLES.as_slice()).fetch_all(&mut *db).await.unwrap();
        assert!(found.is_empty(), "a role {what} {found:?}");
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn no_role_can_rewrite_or_forge_history() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    for role in ROLES {
        for forbidden in [
            "UPDATE audit_log SET cause = 'x'",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
            "INSERT INTO audit_log (guild_id, audit_id, actor, action, cause) OVERRIDING SYSTEM VALUE VALUES (1, 999, 'bot', 'x', 'x')",
            "INSERT INTO audit_log (guild_id, at, actor, action, cause) VALUES (1, '2000-01-01', 'bot', 'x', 'x')",
            "INSERT INTO role_jobs (guild_id, job_id, user_id, role_id, action, cause) OVERRIDING SYSTEM VALUE
             VALUES (1, 999, 1, 1, 'grant', 'x')",
            "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, livemode, state, received_at)
             VALUES (1, 1, 'evt_1', 'x', false, 'ignored', '2000-01-01')",
            "ALTER TABLE audit_log DISABLE TRIGGER ALL",
            "ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY",
            "DROP TRIGGER audit_log_append_only ON audit_log",
            "CREATE POLICY mine ON audit_log USING (true)",
            "CREATE RULE mine AS ON UPDATE TO audit_log DO INSTEAD NOTHING",
            "SET session_replication_role = replica",
            "DROP TABLE audit_log",
            "CREATE TABLE mine ()",
        ] {
            let statement = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL nexrole.guild = '1'; {forbidden}");
            let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await;
            sqlx::raw_sql("ROLLBACK").execute(&mut *db).await.unwrap();
            let error = refused.expect_err(&format!("{role}: {forbidden}"));
            let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
            assert_eq!(code, "42501", "{role}: {forbidden}: {error}");
        }
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn without_a_tenant_nobody_sees_a_row_and_nobody_writes_anothers() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    sqlx::query("INSERT INTO guilds (guild_id) VALUES (1), (2)").execute(&mut *db).await.unwrap();
    for (login, role) in [
        (Login::Gateway, "nexrole_gateway"),
        (Login::Bot, "nexrole_bot"),
        (Login::Operator, "nexrole_operator"),
    ] {
        let count = format!("SET ROLE {role}; SELECT count(*)::text FROM guilds");
        for (named, seen) in [("", "0"), ("1", "1"), ("3", "0")] {
            let sql = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL nexrole.guild = '{named}'");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await.unwrap();
            assert_eq!(lines(&mut db, "SELECT count(*)::text FROM guilds").await, [seen], "{count}");
            sqlx::raw_sql("ROLLBACK").execute(&mut *db).await.unwrap();
        }
        let mut tenant = tenant::begin(&database.login(login), guild(1)).await.unwrap();
        let forged =
            sqlx::query("INSERT INTO guilds (guild_id) VALUES (9)").execute(tenant.db()).await.unwrap_err();
        assert!(forged.to_string().contains("row-level security"), "{forged}");
    }
    drop(db);
    database.remove().await;
}

/// Migrations run as the owner, and FORCE is for the owner too.
#[tokio::test]
async fn an_owner_who_is_no_superuser_migrates_and_changes_data() {
    let database = Database::create().await;
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
        "INSERT INTO guilds (guild_id) VALUES (1), (2)".to_owned(),
        format!("SET SESSION AUTHORIZATION {owner}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *db).await.unwrap();
    }
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
    // It cannot make roles, and is told what an administrator has to do.
    let error = shared::store::roles::ensure(&mut db).await.unwrap_err().to_string();
    assert!(
        error.contains("An administrator runs once") && error.contains("GRANT nexrole_gateway, "),
        "{error}"
    );
    sqlx::raw_sql("RESET SESSION AUTHORIZATION").execute(&mut *db).await.unwrap();
    drop(db);
    database.remove().await;
    // Its database is gone, and with it all that it owned.
    let other = Database::create().await;
    let drop_role = format!("DROP ROLE {owner}");
    sqlx::raw_sql(AssertSqlSafe(drop_role)).execute(&other.pool).await.unwrap();
    other.remove().await;
}

fn guild(n: u64) -> GuildId {
    GuildId::from_u64(n).unwrap()
}

/// The ids of one tenant, or of nobody.
#[derive(Debug, Clone, PartialEq)]
struct Ids {
    connection: ConnectionId,
    customer: CustomerId,
    subscription: SubscriptionId,
    user: UserId,
    role: RoleId,
}

impl Ids {
    fn new(connection: ConnectionId, n: u64) -> Self {
        Self {
            connection,
            customer: format!("cus_{n}").parse().unwrap(),
            subscription: format!("sub_{n}").parse().unwrap(),
            user: UserId::from_u64(n).unwrap(),
            role: RoleId::from_u64(n + 1).unwrap(),
        }
    }

    /// Each id from here or there.
    fn mixed(&self, other: &Self, choice: u32) -> Self {
        let pick = |bit: u32| choice & (1 << bit) != 0;
        Self {
            connection: if pick(0) { other.connection } else { self.connection },
            customer: if pick(1) { other.customer.clone() } else { self.customer.clone() },
            subscription: if pick(2) { other.subscription.clone() } else { self.subscription.clone() },
            user: if pick(3) { other.user } else { self.user },
            role: if pick(4) { other.role } else { self.role },
        }
    }
}

/// One tenant with a connection, a mapping, a link, a subscription, a source, a job and a grant.
async fn furnish(database: &Database, tenant: u64, n: u64) -> Ids {
    let mut db = database.tenant(guild(tenant)).await;
    connections::ensure_guild(&mut db).await.unwrap();
    let connection = connections::ensure(&mut db, "environment", false, true).await.unwrap();
    db.commit().await.unwrap();
    let ids = Ids::new(connection, n);
    for statement in [
        "INSERT INTO customers (guild_id, connection_id, customer_id) VALUES ($1, $2, $3)",
        "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids, product_ids,
             cancel_at_period_end) SELECT $1, $2, $4, $3, 'active', '{price_1}', '{prod_1}', false",
        "INSERT INTO member_links (guild_id, connection_id, customer_id, user_id, proof) SELECT $1, $2, $3, $5, 'owner'",
        "INSERT INTO role_mappings (guild_id, source_kind, source_id, role_id) SELECT $1, 'price', 'price_1', $6",
        "INSERT INTO mapped_roles (guild_id, role_id, enforcement) SELECT $1, $6, 'on'",
        "INSERT INTO role_reads (guild_id, read_at) SELECT $1, now()",
        "INSERT INTO guild_roles (guild_id, role_id, danger) SELECT $1, $6, 'it gives Administrator'",
        "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
         SELECT $1, $5, $6, 'stripe', $2, $4, 'live', 'x'",
        "INSERT INTO role_grants (guild_id, user_id, role_id, state) SELECT $1, $5, $6, 'confirmed'",
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause, state) SELECT $1, $5, $6, 'grant', 'x', 'parked'",
        "INSERT INTO role_health (guild_id, role_id, reason, next_probe_at) SELECT $1, $6, 'x', now()",
        "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id) SELECT $1, $2, 'subscription', $4",
        "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, object_id, livemode, state)
         SELECT $1, $2, 'evt_1', 'x', $4, false, 'recorded'",
        "INSERT INTO prices (guild_id, connection_id, price_id, product_id) SELECT $1, $2, 'price_1', 'prod_1'",
        "INSERT INTO stripe_cursors (guild_id, connection_id) SELECT $1, $2",
    ] {
        // Each takes the ids that it needs; the others are named, so that all statements have the same parameters.
        let all = format!("WITH ids AS (SELECT $1::bigint, $2::bigint, $3::text, $4::text, $5::bigint, $6::bigint) {statement}");
        sqlx::query(AssertSqlSafe(all))
            .bind(guild(tenant))
            .bind(ids.connection)
            .bind(&ids.customer)
            .bind(&ids.subscription)
            .bind(ids.user)
            .bind(ids.role)
            .execute(&database.pool)
            .await
            .expect(statement);
    }
    ids
}

fn full() -> bool {
    shared::config::Env::from_process().get("NEXROLE_TEST_SCALE").as_deref() == Some("full")
}

/// What the walls cost: the same statements by a superuser, for whom there are none, and by the services, in turns.
#[tokio::test]
async fn the_walls_cost_ingest_and_settling_little() {
    let rounds = if full() { 400 } else { 20 };
    let database = Database::create().await;
    let connection = Connection { guild: guild(1), id: furnish(&database, 1, 1000).await.connection };
    let (gateway, bot) = (database.login(Login::Gateway), database.login(Login::Bot));
    let batch = |name: &str, round: u32| -> Vec<NewEvent> {
        let one = |n: u32| NewEvent {
            connection,
            id: format!("evt_{name}_{round}_{n}").parse().unwrap(),
            event_type: "customer.subscription.updated".into(),
            object: Some(Object { kind: ObjectKind::Subscription, id: format!("sub_{n}") }),
            created: None,
            livemode: false,
            api_version: None,
        };
        (0..128).map(one).collect()
    };
    let turn = Settlement {
        guild: guild(1),
        owner: Uuid::nil(),
        gate: Gate::Open,
        jobs: (1..11)
            .map(|n| JobUpdate {
                id: serde_json::from_value(n.into()).unwrap(),
                state: JobState::Noop,
                due_in: Duration::ZERO,
                failures: 0,
                outcome: "x".into(),
            })
            .collect(),
        grants: vec![],
        roles: vec![],
        called: vec![],
    };
    let hold = "UPDATE guild_gates SET owner = '00000000-0000-0000-0000-000000000000'";
    let mut spent = [Duration::ZERO; 4];
    for round in 0..rounds {
        let (open, walled) = (batch("open", round), batch("walled", round));
        let began = Instant::now();
        events::record(&mut database.pool.acquire().await.unwrap(), &open).await.unwrap();
        spent[0] += began.elapsed();
        let began = Instant::now();
        events::record(&mut gateway.across().await.unwrap(), &walled).await.unwrap();
        spent[1] += began.elapsed();
        sqlx::query(hold).execute(&database.pool).await.unwrap();
        let began = Instant::now();
        let mut tx = database.pool.begin().await.unwrap();
        assert_eq!(settle::settle(&mut tx, &turn).await.unwrap(), Release::Released);
        tx.commit().await.unwrap();
        spent[2] += began.elapsed();
        sqlx::query(hold).execute(&database.pool).await.unwrap();
        let began = Instant::now();
        let mut tenant = tenant::begin(&bot, guild(1)).await.unwrap();
        assert_eq!(settle::settle(tenant.db(), &turn).await.unwrap(), Release::Released);
        tenant.commit().await.unwrap();
        spent[3] += began.elapsed();
    }
    let ratio = |with: usize, without: usize| spent[with].as_secs_f64() / spent[without].as_secs_f64();
    let per = spent.map(|all| all / rounds);
    println!(
        "a batch of 128 events: {:?} without, {:?} with ({:.2}); settling a turn: {:?} without, {:?} with ({:.2})",
        per[0],
        per[1],
        ratio(1, 0),
        per[2],
        per[3],
        ratio(3, 2)
    );
    assert!(ratio(1, 0) < 3.0 && ratio(3, 2) < 3.0, "a machine's noise is less than that");
    for pool in [gateway, bot] {
        pool.close().await;
    }
    database.remove().await;
}

const CALLS: u32 = 23;

/// One store function, under somebody's capability, with ids from wherever. What it answered, as text.
async fn call(tenant: &mut Tenant, which: u32, ids: &Ids) -> String {
    let Ids { connection, customer, subscription, user, role } = ids.clone();
    let ours = tenant.guild();
    let fence = Uuid::nil();
    let text = |refused: sqlx::Error| match refused.as_database_error() {
        Some(error) => format!("refused {}", error.code().unwrap_or_default()),
        None => refused.to_string(),
    };
    macro_rules! said {
        ($call:expr) => {
            $call.await.map_or_else(text, |answer| format!("{answer:?}"))
        };
    }
    match which {
        0 => said!(links::linked_user(tenant, connection, &customer)),
        1 => said!(links::unlink(tenant, connection, &customer)),
        2 => said!(links::link(tenant, connection, &customer, user, Proof::Owner)),
        3 => said!(sources::live(tenant, connection, &subscription)),
        4 => said!(mirror::running(tenant, connection)),
        5 => said!(mirror::subscriptions_of(tenant, connection, &customer)),
        6 => said!(events::latest_open(tenant, connection, subscription.as_str())),
        7 => said!(events::mark_processed(tenant, connection, subscription.as_str())),
        8 => said!(cursors::reset(tenant, connection)),
        9 => said!(connections::endpoint_id(tenant, connection)),
        10 => said!(connections::credential(tenant, connection)),
        11 => said!(mapped_roles::preview(tenant, role)),
        12 => said!(mapped_roles::set(tenant, role, shared::domain::enforcement::Enforcement::Observe)),
        13 => said!(why::story(tenant, user)),
        14 => said!(members::look_again(tenant.db(), ours, user, "x")),
        15 => said!(role_jobs::release_role(tenant.db(), ours, role)),
        16 => said!(sync::mark_dirty(tenant, connection, ObjectKind::Customer, &[customer.to_string()])),
        17 => said!(grants::intend(tenant.db(), ours, fence, user, &[role])),
        18 => said!(gates::release(tenant.db(), ours, fence, Gate::Paused(Duration::from_secs(9)))),
        19 => said!(guild_roles::danger(tenant, role)),
        20 => said!(guild_roles::hint(tenant.db(), ours)),
        21 => {
            let judged = [(role, Some("x".to_owned()))].into_iter().collect();
            said!(guild_roles::write(tenant, &judged, Duration::ZERO, Duration::from_secs(9)))
        }
        _ => said!(role_jobs::enqueue(tenant.db(), ours, user, role, JobAction::Revoke, "x")),
    }
}

/// A number that the same seed gives again.
fn next(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*seed >> 33).unwrap()
}

/// Everything of one guild, as text.
async fn belongings(db: &mut PgConnection, tenant: u64) -> String {
    let tables = lines(db, &format!("SELECT relname::text FROM pg_class WHERE {TABLES} ORDER BY 1")).await;
    let mut all = String::new();
    for table in tables {
        let rows = format!("SELECT t::text FROM {table} t WHERE guild_id = {tenant} ORDER BY 1");
        all.push_str(&lines(db, &rows).await.join("\n"));
    }
    all
}

#[tokio::test]
async fn a_foreign_id_is_an_id_that_does_not_exist() {
    let swaps = if full() { 10_000 } else { 300 };
    let database = Database::create().await;
    let (ours, theirs) = (furnish(&database, 1, 1000).await, furnish(&database, 2, 2000).await);
    let nobody = connections_of_nobody(&database).await;
    let mut db = database.pool.acquire().await.unwrap();
    let before = belongings(&mut db, 2).await;
    let (gateway, bot, operator) =
        (database.login(Login::Gateway), database.login(Login::Bot), database.login(Login::Operator));
    let pool_of = |which: u32| match which {
        0 | 2..=10 | 16 => &gateway,
        1 | 11..=13 => &operator,
        _ => &bot,
    };
    let mut seed = 20_261_122;
    let mut seen = BTreeSet::new();
    for _ in 0..swaps {
        // At least one id is foreign.
        let (which, choice) = (next(&mut seed) % CALLS, next(&mut seed) % 31 + 1);
        let mut answers = Vec::new();
        for ids in [ours.mixed(&theirs, choice), ours.mixed(&nobody, choice)] {
            // Not committed: each of the two finds the same.
            let mut tenant = tenant::begin(pool_of(which), guild(1)).await.unwrap();
            let answer = call(&mut tenant, which, &ids).await;
            drop(tenant);
            answers.push(answer);
        }
        assert_eq!(answers[0], answers[1], "call {which} with the mix {choice:b}");
        seen.insert(which);
    }
    assert_eq!(seen.len(), 23, "every function was tried");
    // The same again, made durable: what theirs leave behind is ours.
    for n in 0..CALLS * 31 {
        let (which, choice) = (n % CALLS, n / CALLS + 1);
        let mut tenant = tenant::begin(pool_of(which), guild(1)).await.unwrap();
        let answer = call(&mut tenant, which, &ours.mixed(&theirs, choice)).await;
        if !answer.starts_with("refused") {
            tenant.commit().await.unwrap();
        }
    }
    assert_eq!(belongings(&mut db, 2).await, before, "nothing of theirs was changed");
    drop(db);
    database.remove().await;
}

/// Ids that no row has.
async fn connections_of_nobody(database: &Database) -> Ids {
    let id: ConnectionId =
        sqlx::query_scalar("SELECT 987654321::bigint").fetch_one(&database.pool).await.unwrap();
    Ids::new(id, 3000)
}
