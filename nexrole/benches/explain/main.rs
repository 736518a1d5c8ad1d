//! What it costs to explain a member, with a long history in the database. In: how many jobs there are. Out: a table.
//!
//! ```text
//! cargo bench --bench explain -- [--jobs N] [--members N] [--rounds N]
//! ```
//!
//! One server: `--members` of them with a subscription each, and `--jobs` that were done for them, with as many lines of the audit log
//! and events; one member has a thousand of each. The facts of members are read as `nexrole why` reads them, by its database login, in
//! a transaction of each, on a connection that has read some before. What the database does is counted by `pg_stat_statements`.

#[path = "../pipeline/database.rs"]
mod database;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Parser;
use shared::{
    clock,
    db::{
        pg_roles::Login,
        pool::{self, Pool},
        tenant,
    },
    domain::explain::explain,
    ids::{GuildId, UserId},
    store::why,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testkit::scratch::Scratch;

use database::{Postgres, command};

/// The member with the long history, and the first of the others.
const BUSY: u64 = 1_000_000;
/// Of the busy member's, by kind.
const BUSY_ROWS: i64 = 1_000;
const GUILD: u64 = 81_384_788_765_712_384;

/// What it costs to explain a member, with a long history in the database
#[derive(Debug, Parser)]
#[command(name = "explain")]
struct Arguments {
    /// Jobs that were done
    #[arg(long, default_value_t = 1_000_000)]
    jobs: i64,
    /// Whose they are
    #[arg(long, default_value_t = 20_000)]
    members: i64,
    /// How many members are explained
    #[arg(long, default_value_t = 500)]
    rounds: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.members >= 1 && arguments.rounds >= 1, "--members and --rounds must be at least 1");
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: its times say little; what the database does is as ever.");
    }
    tokio::runtime::Runtime::new()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let scratch = Scratch::new("explain");
    let postgres = Postgres::start(&scratch, "postgres").await?;
    let url = postgres.create().await?;
    command(Path::new(env!("CARGO_BIN_EXE_nexrole")), &url, &["migrate"]).await?;
    let filling = Instant::now();
    fill(&url, arguments).await?;
    eprintln!("{} jobs of {} members in {:.0?}", arguments.jobs, arguments.members, filling.elapsed());
    let pool = pool::pool(&url, 1, Login::Operator)?;
    let others: Vec<u64> = (0..arguments.rounds)
        .map(|round| BUSY + 1 + u64::from(round) * 7_919 % arguments.members.unsigned_abs())
        .collect();
    println!(
        "{:<28} {:>10} {:>10} {:>10} {:>12} {:>10} {:>12}",
        "", "median", "95 %", "longest", "statements", "buffers", "WAL records"
    );
    // The connection prepares its statements, and plans each a few times, before anything is measured.
    for member in others.iter().take(10) {
        one(&pool, *member).await?;
    }
    measure(&postgres, &pool, "a member", &others).await?;
    measure(&postgres, &pool, "the one with a long history", &vec![BUSY; others.len()]).await?;
    pool.close().await;
    postgres.stop().await
}

async fn measure(postgres: &Postgres, pool: &Pool, name: &str, members: &[u64]) -> anyhow::Result<()> {
    postgres.reset_counts().await?;
    let mut times = Vec::new();
    for member in members {
        times.push(one(pool, *member).await?);
    }
    let counts = postgres.counts().await?;
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let each = |all: f64| all / members.len() as f64;
    println!(
        "{name:<28} {:>10.2?} {:>10.2?} {:>10.2?} {:>12.1} {:>10.1} {:>12.1}",
        at(50),
        at(95),
        at(100),
        each(counts.statements),
        each(counts.buffers),
        each(counts.wal_records)
    );
    ensure!(counts.wal_bytes < 1e6, "a read is not to write: {} bytes of WAL", counts.wal_bytes);
    Ok(())
}

/// How long it takes to read and explain one member.
async fn one(pool: &Pool, member: u64) -> anyhow::Result<Duration> {
    let guild = GuildId::from_u64(GUILD).context("a guild")?;
    let member = UserId::from_u64(member).context("a member")?;
    let began = Instant::now();
    let mut tenant = tenant::begin(pool, guild).await?;
    let report = why::member_report(&mut tenant, member).await?;
    tenant.commit().await?;
    let explanation = explain(&report.facts, clock::now());
    let took = began.elapsed();
    ensure!(explanation.parts.iter().any(|part| part.role.is_some()), "nothing is known of member {member}");
    Ok(took)
}

/// Everything is the database owner's to write.
async fn fill(url: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { jobs, members, .. } = arguments;
    let mut db = PgConnection::connect(url).await?;
    // Member 0 is the busy one; everybody else has an equal part of the jobs, in turns, as time passes.
    let history = format!(
        "(SELECT {BUSY} + 1 + n % {members} AS member, n FROM generate_series(1, {jobs}) n
          UNION ALL SELECT {BUSY}, n * {jobs} / {BUSY_ROWS} FROM generate_series(1, {BUSY_ROWS}) n) AS history"
    );
    let everybody = format!("generate_series({BUSY}, {BUSY} + {members}) member");
    for statement in [
        format!("INSERT INTO guilds (guild_id) VALUES ({GUILD})"),
        format!("INSERT INTO guild_gates (guild_id) VALUES ({GUILD})"),
        format!(
            "INSERT INTO stripe_connections (guild_id, label, livemode, endpoint_id)
             VALUES ({GUILD}, 'main', true, repeat('0', 32))"
        ),
        "INSERT INTO stripe_cursors (guild_id, connection_id, answered_at) SELECT guild_id, connection_id, now() FROM stripe_connections"
            .to_owned(),
        format!("INSERT INTO role_mappings (guild_id, source_kind, source_id, role_id) VALUES ({GUILD}, 'price', 'price_1', 7)"),
        format!("INSERT INTO mapped_roles (guild_id, role_id, enforcement) VALUES ({GUILD}, 7, 'on')"),
        format!("INSERT INTO guild_roles (guild_id, role_id) VALUES ({GUILD}, 7)"),
        format!("INSERT INTO role_reads (guild_id, read_at) VALUES ({GUILD}, now())"),
        format!(
            "INSERT INTO customers (guild_id, connection_id, customer_id, named_user_id)
             SELECT {GUILD}, 1, 'cus_' || member, member FROM {everybody}"
        ),
        format!(
            "INSERT INTO member_links (guild_id, connection_id, customer_id, user_id, proof)
             SELECT {GUILD}, 1, 'cus_' || member, member, 'metadata' FROM {everybody}"
        ),
        format!(
            "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids, product_ids,
                                        cancel_at_period_end)
             SELECT {GUILD}, 1, 'sub_' || member, 'cus_' || member, 'active', '{{price_1}}', '{{prod_1}}', false FROM {everybody}"
        ),
        format!(
            "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id, dirty_seq, next_at)
             SELECT {GUILD}, 1, 'subscription', 'sub_' || member, 0, NULL FROM {everybody}"
        ),
        format!(
            "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
             SELECT {GUILD}, member, 7, 'stripe', 1, 'sub_' || member, 'live', 'sub_' || member || ' is active' FROM {everybody}"
        ),
        format!(
            "INSERT INTO role_grants (guild_id, user_id, role_id, state, confirmed_at)
             SELECT {GUILD}, member, 7, 'confirmed', now() FROM {everybody}"
        ),
        format!(
            "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause, state, outcome, finished_at)
             SELECT {GUILD}, member, 7, 'resync', 'sweep', 'a check', 'noop', 'nothing to do: the member has it', now()
               FROM {history} ORDER BY n"
        ),
        format!(
            "INSERT INTO stripe_events (guild_id, connection_id, event_id, type, object_id, livemode, state)
             SELECT {GUILD}, 1, 'evt_' || member || '_' || n, 'customer.subscription.updated', 'sub_' || member, true, 'processed'
               FROM {history} ORDER BY n"
        ),
        format!(
            "INSERT INTO audit_log (guild_id, actor, action, user_id, role_id, cause)
             SELECT {GUILD}, 'stripe', 'access.began', member, 7, 'sub_' || member || ' is active (evt_' || member || '_' || n || ')'
               FROM {history} ORDER BY n"
        ),
        "VACUUM (ANALYZE)".to_owned(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut db).await?;
    }
    Ok(db.close().await?)
}
