//! What many subscriptions cost. In: how many; one `nexrole` program, or two to compare. Out: reads of Stripe, time, memory, and what the
//! database wrote.
//!
//! ```text
//! cargo bench --bench lists -- [--subscriptions N] [--against PROGRAM]
//! ```
//!
//! A durable Postgres of its own, the sandbox of Stripe, and the gateway as a process with its usual settings; no bot. In turns:
//!
//! - **first contact** with an account that has them all, until each has its role job.
//! - **a day without changes**: the list once more, to its end.
//! - **three days without webhooks**, 300 changes among them (or a tenth, of few): the events are polled, and the list is read.
//!
//! A program from before lists were read whole (its database says so) reads each subscription by itself, and lists them weekly: a week
//! without changes is measured instead, and no list after the lost days.

#[path = "../pipeline/database.rs"]
mod database;
#[path = "../pipeline/process.rs"]
#[expect(dead_code, reason = "processor time is the other benchmark's")]
mod process;

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use database::{Postgres, command};
use nexrole::children::{Plan, Running, Service, free_port};
use sandbox::stripe::{self, Control};
use serde_json::json;
use shared::config::Env;
use sqlx::PgPool;
use testkit::scratch::Scratch;

const GUILD: &str = "81384788765712384";
const ROLE: &str = "81384788765712385";
const FIRST_MEMBER: usize = 1_000_000;
/// Who reads each by itself, 25 a second at most, needs 400 s for 10,000.
const PATIENCE: Duration = Duration::from_secs(1_200);
const POLL_EVERY: Duration = Duration::from_millis(20);
const DAYS: i64 = 3 * 24 * 3600;

/// First contact and the daily check of an account with many subscriptions
#[derive(Debug, Parser)]
#[command(name = "lists")]
struct Arguments {
    /// How many subscriptions the account has
    #[arg(long, default_value_t = 10_000)]
    subscriptions: usize,
    /// Another tree's `nexrole`, measured after this tree's
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.subscriptions >= 10, "--subscriptions must be at least 10");
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: its counts are right, its times and memory mean nothing.");
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        tokio::select! {
            result = run(&arguments) => result,
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                bail!("stopped by Ctrl-C")
            }
        }
    })
}

/// An account, and the gateway that is to read it.
struct Account {
    postgres: Postgres,
    db: PgPool,
    stripe: Control,
    sandbox: sandbox::Running,
    subscriptions: Vec<String>,
    gateway: Plan,
    lists: Lists,
}

/// How a program reads an account's subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// A hundred at a time, daily.
    Pages,
    /// The list, weekly, and then each by itself.
    ThenEach,
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    measure("this tree", Path::new(env!("CARGO_BIN_EXE_nexrole")), arguments.subscriptions).await?;
    if let Some(other) = &arguments.against {
        let other = other.canonicalize().with_context(|| format!("--against {}", other.display()))?;
        measure("the other", &other, arguments.subscriptions).await?;
    }
    Ok(())
}

async fn measure(name: &str, program: &Path, number: usize) -> anyhow::Result<()> {
    println!("{name}: {number} subscriptions");
    let scratch = Scratch::new("lists");
    let account = Account::set_up(&scratch, program, number).await?;
    let measured = account.measure(number).await;
    let log = fs::read_to_string(scratch.0.join("gateway.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    measured.with_context(|| {
        format!("the gateway's log was\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    })?;
    account.db.close().await;
    account.sandbox.stop().await;
    account.postgres.stop().await
}

impl Account {
    async fn set_up(scratch: &Scratch, program: &Path, number: usize) -> anyhow::Result<Self> {
        eprintln!("setting up {number} subscriptions");
        let postgres = Postgres::start(scratch, "postgres").await?;
        let url = postgres.create().await?;
        command(program, &url, &["migrate"]).await?;
        // Without an address for webhooks: none comes.
        let sandbox = stripe::serve(stripe::Options::default()).await?;
        let stripe = Control::new(&sandbox.url);
        let product = stripe.create_product("VIP").await?;
        let price = stripe.create_price(&product, 900).await?;
        let mut subscriptions = Vec::new();
        for member in FIRST_MEMBER..FIRST_MEMBER + number {
            let customer = stripe.create_customer(None, &[("discord_user_id", &member.to_string())]).await?;
            subscriptions.push(stripe.subscribe(&customer, &price).await?);
        }
        command(program, &url, &["map", "add", "--guild", GUILD, "--price", &price, "--role", ROLE]).await?;
        let env = Env::of([
            ("DATABASE_URL", url.as_str()),
            ("GUILD_ID", GUILD),
            ("STRIPE_SECRET_KEY", stripe::KEY),
            ("STRIPE_API_URL", &sandbox.url),
            ("METRICS_BIND", "127.0.0.1:0"),
        ]);
        let log = scratch.0.join("gateway.log");
        fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let gateway =
            Plan { program: program.to_owned(), service: Service::Gateway, env, listen, log: Some(log) };
        let db = PgPool::connect(&url).await?;
        let reads_pages = "SELECT EXISTS (SELECT FROM information_schema.columns
                                           WHERE table_name = 'stripe_cursors' AND column_name = 'list_next_at')";
        let reads_pages: bool = sqlx::query_scalar(reads_pages).fetch_one(&db).await?;
        let lists = if reads_pages { Lists::Pages } else { Lists::ThenEach };
        Ok(Self { postgres, db, stripe, sandbox, subscriptions, gateway, lists })
    }

    async fn measure(&self, number: usize) -> anyhow::Result<()> {
        self.first_contact(number).await?;
        self.without_changes().await?;
        self.days_without_webhooks((number / 10).min(300)).await
    }

    async fn first_contact(&self, number: usize) -> anyhow::Result<()> {
        self.stripe.clear_requests().await?;
        self.postgres.reset_counts().await?;
        let began = Instant::now();
        let gateway = self.gateway.start_ready().await?;
        let jobs = "SELECT /* benchmark */ count(*) FROM role_jobs";
        let wanted = i64::try_from(number)?;
        self.until("each has its role job", async || Ok(self.number(jobs).await? == wanted)).await?;
        let took = began.elapsed();
        self.until_listed().await?;
        self.until_read().await?;
        self.print("first contact", took, &gateway).await?;
        gateway.stop().await
    }

    async fn without_changes(&self) -> anyhow::Result<()> {
        let gateway = self.gateway.start_ready().await?;
        self.until_read().await?;
        self.stripe.clear_requests().await?;
        self.postgres.reset_counts().await?;
        let before = self.versions().await?;
        let began = Instant::now();
        self.list_is_due().await?;
        self.until_listed().await?;
        self.until_read().await?;
        let without = match self.lists {
            Lists::Pages => "a day without changes",
            Lists::ThenEach => "a week without changes",
        };
        self.print(without, began.elapsed(), &gateway).await?;
        let after = self.versions().await?;
        let written = after.difference(&before).count();
        println!("  subscriptions written: {written}");
        ensure!(
            written == 0 || self.lists == Lists::ThenEach,
            "{written} subscriptions were written though nothing had changed"
        );
        gateway.stop().await
    }

    async fn days_without_webhooks(&self, changes: usize) -> anyhow::Result<()> {
        self.stripe.move_clock(json!({ "advance_seconds": DAYS })).await?;
        let apart = self.subscriptions.len() / changes;
        let changed: Vec<&String> = self.subscriptions.iter().step_by(apart).take(changes).collect();
        for (nth, subscription) in changed.iter().enumerate() {
            match nth % 3 {
                0 => self.stripe.cancel(subscription).await?,
                1 => self.stripe.set_subscription(subscription, json!({ "status": "past_due" })).await?,
                _ => self.stripe.set_subscription(subscription, json!({ "status": "unpaid" })).await?,
            }
        }
        self.stripe.clear_requests().await?;
        self.postgres.reset_counts().await?;
        let before = self.versions().await?;
        let began = Instant::now();
        let gateway = self.gateway.start_ready().await?;
        match self.lists {
            Lists::Pages => {
                self.list_is_due().await?;
                self.until_listed().await?;
            }
            Lists::ThenEach => {
                self.write("UPDATE /* benchmark */ stripe_cursors SET next_poll_at = now()").await?;
            }
        }
        self.until_read().await?;
        let ended = "SELECT /* benchmark */ count(*) FROM access_sources WHERE state = 'ended'";
        let cancelled_or_unpaid = i64::try_from(changes - (changes + 1) / 3)?;
        self.until("what ended is known", async || Ok(self.number(ended).await? == cancelled_or_unpaid))
            .await?;
        self.print(&format!("three days without webhooks, {changes} changes"), began.elapsed(), &gateway)
            .await?;
        let after = self.versions().await?;
        let written = after.difference(&before).count();
        println!("  subscriptions written: {written}");
        ensure!(
            written == changes || self.lists == Lists::ThenEach,
            "{written} subscriptions were written for {changes} changes"
        );
        gateway.stop().await
    }

    async fn print(&self, what: &str, took: Duration, gateway: &Running) -> anyhow::Result<()> {
        let requests = self.stripe.requests().await?;
        let mut read: BTreeMap<String, usize> = BTreeMap::new();
        for request in requests.iter().filter(|request| request.method == "GET") {
            *read.entry(kind(&request.path)).or_default() += 1;
        }
        let reads: usize = read.values().sum();
        let counts = self.postgres.counts().await?;
        let memory = process::memory(gateway)?;
        println!("{what}");
        println!("  reads of Stripe: {reads}; {:.1} s; {read:?}", took.as_secs_f64());
        println!(
            "  statements: {}; WAL: {:.0} kB in {} records; pages of shared memory: {}",
            counts.statements,
            counts.wal_bytes / 1024.0,
            counts.wal_records,
            counts.buffers
        );
        println!("  gateway: {:.1} MiB at most, {:.1} MiB now", memory.peak, memory.resident);
        Ok(())
    }

    /// Each subscription's row, and which version of it there is.
    async fn versions(&self) -> anyhow::Result<std::collections::BTreeSet<String>> {
        let rows = "SELECT /* benchmark */ subscription_id || ' ' || ctid || ' ' || xmin FROM subscriptions";
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&self.db).await?;
        Ok(rows.into_iter().collect())
    }

    async fn list_is_due(&self) -> anyhow::Result<()> {
        self.write(match self.lists {
            Lists::Pages => "UPDATE /* benchmark */ stripe_cursors SET list_next_at = now()",
            Lists::ThenEach => {
                "UPDATE /* benchmark */ stripe_cursors SET listed_at = now() - interval '8 days', next_poll_at = now()"
            }
        })
        .await
    }

    async fn write(&self, statement: &'static str) -> anyhow::Result<()> {
        sqlx::query(statement).execute(&self.db).await?;
        Ok(())
    }

    async fn until_listed(&self) -> anyhow::Result<()> {
        let over = match self.lists {
            Lists::Pages => {
                "SELECT /* benchmark */ count(*) FROM stripe_cursors
                  WHERE list_began_at IS NULL AND listed_at IS NOT NULL AND list_next_at > now() + interval '1 hour'"
            }
            Lists::ThenEach => {
                "SELECT /* benchmark */ count(*) FROM stripe_cursors WHERE listed_at > now() - interval '1 hour'"
            }
        };
        self.until("the list is read to its end", async || Ok(self.number(over).await? == 1)).await
    }

    async fn until_read(&self) -> anyhow::Result<()> {
        let unread = "SELECT /* benchmark */ count(*) FROM stripe_sync
                       WHERE next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now())";
        self.until("all is read", async || Ok(self.number(unread).await? == 0)).await
    }

    async fn number(&self, query: &'static str) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(query).fetch_one(&self.db).await?)
    }

    async fn until<F: Future<Output = anyhow::Result<bool>>>(
        &self,
        what: &str,
        held: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while !held().await? {
            ensure!(began.elapsed() < PATIENCE, "waited {} s in vain until {what}", PATIENCE.as_secs());
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }
}

/// What a call reads, whichever object: `/v1/subscriptions/{id}`.
fn kind(path: &str) -> String {
    match path.splitn(4, '/').collect::<Vec<_>>()[..] {
        ["", version, list, _] => format!("/{version}/{list}/{{id}}"),
        _ => path.to_owned(),
    }
}
