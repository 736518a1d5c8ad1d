//! Every statement of the product, prepared as each role that runs it: what a role lacks, and a column that is gone, shows here and
//! not in whichever end-to-end test happens to come by.
//!
//! `EXPLAIN EXECUTE` checks tables, columns and functions as a run would, and runs nothing. It does not check policies, nor what a
//! function does that runs as its owner.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::db::pg_roles::ROLES;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use self::roles::Statement;
use crate::support::cluster::Database;

mod roles;
mod source;

async fn run(db: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(db).await.map(drop)
}

/// How many parameters a statement has.
fn parameters(sql: &str) -> usize {
    (1..=99).rev().find(|n| sql.contains(&format!("${n}"))).unwrap_or(0)
}

/// Its plan as the role; an error is what a run would end with.
async fn explain(db: &mut PgConnection, role: &str, sql: &str) -> Result<Value, sqlx::Error> {
    run(db, format!("SET ROLE {role}")).await?;
    let prepared = run(db, format!("PREPARE it AS {sql}")).await;
    let explained = match prepared {
        Ok(()) => {
            let nulls = vec!["NULL"; parameters(sql)].join(", ");
            let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
            let explain = AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) EXECUTE it {arguments}"));
            let explained = sqlx::raw_sql(explain).fetch_one(&mut *db).await.and_then(|row| row.try_get(0));
            run(db, "DEALLOCATE it".to_owned()).await?;
            explained
        }
        Err(refused) => Err(refused),
    };
    run(db, "RESET ROLE".to_owned()).await?;
    explained
}

/// The indexes that a plan reads from end to end.
fn walked<'p>(plan: &'p Value, found: &mut BTreeSet<&'p str>) {
    match plan {
        Value::Array(nodes) => nodes.iter().for_each(|node| walked(node, found)),
        Value::Object(node) => {
            if let (Some(index), None) = (node.get("Index Name"), node.get("Index Cond")) {
                found.extend(index.as_str());
            }
            node.values().for_each(|part| walked(part, found));
        }
        _ => {}
    }
}

/// A session that plans for any parameters: what NULL makes needless would not be checked.
async fn session(database: &Database) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    let mut db = database.pool.acquire().await.expect("a connection");
    run(&mut db, "SET plan_cache_mode = force_generic_plan; SET nexrole.guild = '1'".to_owned())
        .await
        .expect("they are set");
    db
}

/// What is refused, one line for each statement and role.
async fn refused(db: &mut PgConnection, statements: &[Statement]) -> Vec<String> {
    let mut refused = Vec::new();
    for Statement { of, sql, roles } in statements {
        for role in roles {
            if let Err(error) = explain(db, role, sql).await {
                refused.push(format!("{of} as {role}: {error}\n    {sql}"));
            }
        }
    }
    refused
}

#[tokio::test]
async fn every_statement_can_be_run_by_each_role_that_runs_it() {
    let database = Database::create().await;
    let statements = roles::statements();
    let nobody: Vec<_> = statements.iter().filter(|statement| statement.roles.is_empty()).collect();
    assert!(nobody.is_empty(), "no caller was found: {nobody:#?}");
    for role in ROLES {
        assert!(statements.iter().any(|statement| statement.roles.contains(role)), "{role} runs none");
    }
    let runs: usize = statements.iter().map(|statement| statement.roles.len()).sum();
    let mut db = session(&database).await;
    let refused = refused(&mut db, &statements).await;
    assert!(refused.is_empty(), "{} are refused:\n{}", refused.len(), refused.join("\n"));
    println!("{} statements were prepared, and planned {runs} times", statements.len());
    assert!(statements.len() > 150, "hardly any statement was found");
    drop(db);
    database.remove().await;
}

/// What reads across tenants walks what there is.
const ACROSS: [&str; 3] = ["nexrole_ingest", "nexrole_worker", "nexrole_retention"];
/// All sealed values are opened in turn; and few roles are mapped and not seen yet.
const MAY_WALK: [&str; 2] = ["stripe_connections_pkey", "mapped_roles_unseen"];

/// As in the first minutes of a server: many rows, and nobody has counted them yet. Postgres then takes every index for a short one.
#[tokio::test]
async fn no_statement_walks_a_whole_index_before_its_table_was_analysed() {
    let database = Database::create().await;
    let mut db = session(&database).await;
    let mut walks = Vec::new();
    for Statement { of, sql, roles } in roles::statements() {
        for role in roles.iter().filter(|role| !ACROSS.contains(&role.as_str())) {
            let plan = explain(&mut db, role, &sql).await.expect("it can be planned");
            let mut indexes = BTreeSet::new();
            walked(&plan, &mut indexes);
            indexes.retain(|index| !MAY_WALK.contains(index));
            walks.extend(indexes.into_iter().map(|index| format!("{of} as {role}: {index}")));
        }
    }
    drop(db);
    database.remove().await;
    assert!(walks.is_empty(), "{} walk an index:\n{}", walks.len(), walks.join("\n"));
}

#[tokio::test]
async fn a_statement_that_its_role_may_not_run_is_refused() {
    let database = Database::create().await;
    let mut db = session(&database).await;
    for (role, sql, code) in [
        // A column, a table, and a function; and whatever the parameters make of it.
        ("nexrole_ingest", "SELECT api_key FROM stripe_connections WHERE guild_id = $1", "42501"),
        ("nexrole_bot", "DELETE FROM audit_log WHERE guild_id = $1", "42501"),
        ("nexrole_gateway", "SELECT forget_member($1, $2, $3)", "42501"),
        ("nexrole_bot", "SELECT no_such_column FROM role_jobs WHERE guild_id = $1", "42703"),
    ] {
        let error = explain(&mut db, role, sql).await.expect_err(sql);
        let code_of = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code_of.as_deref(), Some(code), "{role}: {sql}: {error}");
    }
    // A grant that is taken from the migrations' is missed where it is needed, and nowhere else.
    let statements = roles::statements();
    run(&mut db, "REVOKE DELETE ON role_grants FROM nexrole_bot".to_owned()).await.expect("it is revoked");
    let refused = refused(&mut db, &statements).await;
    let hit = |line: &String| line.starts_with("role_grants::remove as nexrole_bot: ");
    assert!(refused.len() == 1 && refused.iter().all(hit), "{}", refused.join("\n"));
    drop(db);
    database.remove().await;
}
