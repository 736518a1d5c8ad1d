//! Row-level security and grants: what each role may do, and what a tenant's transaction can reach. On a real Postgres, as the services'
//! own roles.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use shared::{
    db::{
        authorized::Authorized,
        migrate,
        pg_roles::{Login, ROLES},
        tenant,
    },
    ids::GuildId,
};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::cluster::Database;

mod backup;
mod ids;
mod least_privilege;
mod logins;
mod owner;
mod row_level_security;

const LISTED: &str = include_str!("../privileges.txt");
/// Those of tenants: a login belongs to a Discord user, and to no server.
const TABLES: &str = "relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                      AND relname NOT IN ('_sqlx_migrations', 'logins', 'sessions')";
/// The roles of a tenant's transaction.
const TENANTS: [&str; 4] = ["nexrole_gateway", "nexrole_bot", "nexrole_operator", "nexrole_owner"];

async fn lines(db: &mut PgConnection, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(db).await.unwrap()
}

async fn run(db: &mut PgConnection, statement: &str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await?.rows_affected())
}

fn guild(n: u64) -> GuildId {
    GuildId::from_u64(n).unwrap()
}

fn full() -> bool {
    shared::config::Env::from_process().get("NEXROLE_TEST_SCALE").as_deref() == Some("full")
}

#[tokio::test]
async fn every_table_is_guarded_by_row_level_security_for_its_owner_too() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    let open = format!(
        "SELECT relname::text FROM pg_class c WHERE {TABLES} AND NOT relispartition
            AND NOT (relrowsecurity AND relforcerowsecurity
                     AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'of_the_tenant'
                                    AND p.polpermissive AND p.polroles = '{{0}}' AND p.polcmd = '*' AND p.polwithcheck IS NULL
                                    AND pg_get_expr(p.polqual, p.polrelid)
                                      = '(guild_id = (NULLIF(current_setting(''nexrole.guild''::text, true), ''''::text))::bigint)'))"
    );
    assert_eq!(lines(&mut db, &open).await, Vec::<String>::new(), "see migrations/README.md");
    let guarded = format!("SELECT relname::text FROM pg_class WHERE {TABLES}");
    assert!(lines(&mut db, &guarded).await.len() >= 18);
    // Any other policy that lets something through is for one role, and not for who inherits from it.
    let loose = "SELECT policyname || ' on ' || tablename FROM pg_policies,
                        LATERAL (SELECT '_CASE CURRENT_USER_    WHEN ''' || roles[1] || '''::name THEN %_    ELSE false_END' AS its_own) x
                  WHERE permissive = 'PERMISSIVE' AND policyname <> 'of_the_tenant'
                    AND NOT (cardinality(roles) = 1 AND coalesce(qual, with_check) LIKE its_own
                             AND coalesce(with_check, qual) LIKE its_own)";
    assert_eq!(lines(&mut db, loose).await, Vec::<String>::new(), "see migrations/README.md");
    drop(db);
    database.remove().await;
}

/// They have no guild, so that no tenant's transaction may see them: with one and without, whoever's role it is.
#[tokio::test]
async fn logins_and_sessions_are_seen_by_the_gateways_own_sessions_alone() {
    let database = Database::create().await;
    for row in [
        "INSERT INTO logins (secret_hash, destination) VALUES (repeat('a', 43), '/account')",
        "INSERT INTO sessions (session_hash, current_hash, user_id, username)
         VALUES (repeat('a', 43), repeat('b', 43), 7, 'x')",
    ] {
        sqlx::query(row).execute(&database.pool).await.unwrap();
    }
    let mut db = database.pool.acquire().await.unwrap();
    let guarded = "SELECT relname::text FROM pg_class WHERE relname IN ('logins', 'sessions')
                      AND relrowsecurity AND relforcerowsecurity ORDER BY 1";
    assert_eq!(lines(&mut db, guarded).await, ["logins", "sessions"]);
    for role in ROLES {
        for table in ["logins", "sessions"] {
            for what in [format!("SELECT began_at FROM {table}"), format!("DELETE FROM {table}")] {
                // What is not a day over is not there for the role that sweeps.
                let expected = match role {
                    "nexrole_ingest" => Ok(1),
                    "nexrole_retention" if table == "logins" || what.starts_with("DELETE") => Ok(0),
                    _ => Err("42501".to_owned()),
                };
                assert_eq!(as_role(&mut db, role, &what).await, expected, "{role}: {what}");
            }
        }
    }
    drop(db);
    database.remove().await;
}

/// Who may do what in this database, by grants and by policies.
async fn privileges(db: &mut PgConnection) -> (Vec<String>, Vec<String>) {
    let granted = lines(
        db,
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
    let who = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END";
    let around = lines(
        db,
        &format!(
            "SELECT format('%s: %s on schema %s', {who}, string_agg(a.privilege_type, '; ' ORDER BY 1), nspname) COLLATE \"C\"
               FROM pg_namespace, aclexplode(nspacl) a
              WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND a.grantee <> nspowner GROUP BY a.grantee, nspname
             UNION ALL
             SELECT format('%s: %s on this database', {who}, string_agg(a.privilege_type, '; ' ORDER BY 1))
               FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
              WHERE datname = current_database() AND a.grantee <> datdba GROUP BY a.grantee
             UNION ALL
             SELECT format('%s: %s on function %s, which runs as %s', {who}, a.privilege_type, p.oid::regprocedure,
                           CASE WHEN prosecdef THEN 'its owner' ELSE 'its caller' END)
               FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
              WHERE pronamespace = 'public'::regnamespace AND a.grantee <> proowner
             UNION ALL
             SELECT format('by default %s: %s', defaclrole::regrole, defaclacl) FROM pg_default_acl
             UNION ALL
             SELECT format('%s is not the database owner''s', oid::regprocedure) FROM pg_proc
              WHERE pronamespace = 'public'::regnamespace
                AND proowner <> (SELECT datdba FROM pg_database WHERE datname = current_database())
             ORDER BY 1"
        ),
    )
    .await;
    let policies = lines(
        db,
        "SELECT regexp_replace(
                    format('policy %s on %s for %s to %s%s%s%s', policyname, tablename, cmd, array_to_string(roles, ', '),
                           ' using ' || qual, ' check ' || with_check,
                           CASE permissive WHEN 'RESTRICTIVE' THEN ', restrictive' END), '\\s+', ' ', 'g') COLLATE \"C\"
           FROM pg_policies WHERE policyname <> 'of_the_tenant' ORDER BY 1",
    )
    .await;
    ([granted, around].concat(), policies)
}

/// Every grant and every policy, against the list that a person has read. With `NEXROLE_WRITE_PRIVILEGES` set the list is
/// written anew.
#[tokio::test]
async fn every_grant_and_policy_is_on_the_list() {
    let database = Database::create().await;
    // The database of a test is a copy, and what is granted on a database is not copied.
    migrate::migrate(&database.pool).await.unwrap();
    let mut db = database.pool.acquire().await.unwrap();
    let (granted, policies) = privileges(&mut db).await;
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
    assert_eq!(count, 7);
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

/// One statement in guild 1's transaction of a role, and back again. How many rows it touched, or Postgres' code.
async fn as_role(db: &mut PgConnection, role: &str, statement: &str) -> Result<u64, String> {
    run(db, &format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL nexrole.guild = '1'")).await.unwrap();
    let done = run(db, statement).await;
    run(db, "ROLLBACK").await.unwrap();
    done.map_err(|error| error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into())
}

#[tokio::test]
async fn no_role_can_rewrite_or_forge_history() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    for role in ROLES {
        for actor in ["stripe", "environment", "member", "bot", "operator", "somebody"] {
            let entry = format!(
                "INSERT INTO audit_log (guild_id, actor, action, cause) VALUES (1, '{actor}', 'role.enforced', 'x')"
            );
            let own = matches!(
                (role, actor),
                ("nexrole_gateway", "stripe" | "environment" | "member")
                    | ("nexrole_bot", "bot")
                    | ("nexrole_operator" | "nexrole_owner", "operator")
            );
            let expected = if own { Ok(1) } else { Err("42501".into()) };
            assert_eq!(as_role(&mut db, role, &entry).await, expected, "{role} as {actor}");
        }
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
            assert_eq!(as_role(&mut db, role, forbidden).await, Err("42501".into()), "{role}: {forbidden}");
        }
    }
    drop(db);
    database.remove().await;
}

#[tokio::test]
async fn without_a_tenant_nobody_sees_a_row_and_nobody_writes_anothers() {
    let database = Database::create().await;
    let mut db = database.pool.acquire().await.unwrap();
    ids::furnish(&database, 1, 1000).await;
    ids::furnish(&database, 2, 2000).await;
    for (login, role) in [
        (Some(Login::Gateway), "nexrole_gateway"),
        (Some(Login::Bot), "nexrole_bot"),
        (Some(Login::Operator), "nexrole_operator"),
        (None, "nexrole_owner"),
    ] {
        for (named, seen) in [("", "0"), ("1", "1"), ("3", "0")] {
            let sql = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL nexrole.guild = '{named}'");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await.unwrap();
            assert_eq!(
                lines(&mut db, "SELECT count(*)::text FROM guilds").await,
                [seen],
                "{role} as '{named}'"
            );
            sqlx::raw_sql("ROLLBACK").execute(&mut *db).await.unwrap();
        }
        let mut tenant = match login {
            Some(login) => tenant::begin(&database.login(login), guild(1)).await.unwrap(),
            None => {
                let operator = database.login(Login::Operator);
                let by = Authorized::operator(&operator, guild(1)).unwrap();
                tenant::begin_as(&operator, &by).await.unwrap()
            }
        };
        let forged = sqlx::query("INSERT INTO guilds (guild_id) VALUES (9)")
            .execute(tenant.unguarded())
            .await
            .unwrap_err();
        assert!(forged.to_string().contains("row-level security"), "{forged}");
    }
    // No statement here names a guild: only the wall keeps them apart.
    let tables =
        lines(&mut db, &format!("SELECT relname::text FROM pg_class WHERE {TABLES} AND NOT relispartition"))
            .await;
    let (mut read, mut written, mut deleted) = (0, 0, 0);
    for table in &tables {
        let rows = format!(
            "SELECT format('%s %s', count(*) FILTER (WHERE guild_id = 1), count(*) FILTER (WHERE guild_id = 2)) FROM {table}"
        );
        let rows = lines(&mut db, &rows).await.remove(0);
        let (ours, theirs) = rows.split_once(' ').unwrap();
        let ours: u64 = ours.parse().unwrap();
        assert!(ours > 0 && theirs != "0", "{table} has rows of both");
        for role in TENANTS {
            let may = |what: &str| {
                format!(
                    "SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0
                        AND NOT attisdropped AND has_column_privilege('{role}', attrelid, attnum, '{what}') ORDER BY attnum"
                )
            };
            if lines(&mut db, &may("SELECT")).await.contains(&"guild_id".to_owned()) {
                run(&mut db, &format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL nexrole.guild = '1'"))
                    .await
                    .unwrap();
                let seen = lines(&mut db, &format!("SELECT guild_id::text FROM {table}")).await;
                run(&mut db, "ROLLBACK").await.unwrap();
                assert_eq!(seen, vec!["1"; usize::try_from(ours).unwrap()], "{role} reads {table}");
                read += 1;
            }
            if let Some(column) = lines(&mut db, &may("UPDATE")).await.first() {
                let all = format!("UPDATE {table} SET {column} = {column}");
                // Of two jobs one is held, which is what an owner answers.
                let ours = if (role, table.as_str()) == ("nexrole_owner", "role_jobs") { 1 } else { ours };
                assert_eq!(as_role(&mut db, role, &all).await, Ok(ours), "{role}: {all}");
                written += 1;
            }
            let may_delete = format!("SELECT 'yes' WHERE has_table_privilege('{role}', '{table}', 'DELETE')");
            if !lines(&mut db, &may_delete).await.is_empty() {
                let all = format!("DELETE FROM {table}");
                assert_eq!(as_role(&mut db, role, &all).await, Ok(ours), "{role}: {all}");
                deleted += 1;
            }
        }
    }
    assert!(read >= 38 && written >= 15 && deleted >= 5, "{read} read, {written} written, {deleted} deleted");
    drop(db);
    database.remove().await;
}

/// What the statements bind; that the wall holds without them is the test above.
#[tokio::test]
async fn a_foreign_id_is_an_id_that_does_not_exist() {
    ids::swap().await;
}
