//! How soon the pages of a claim begin to come. In: how many are asked for in a second, and for how long. Out: a table.
//!
//! ```text
//! cargo bench --bench pages -- [--rate N] [--seconds N] [--visitors N]
//! ```
//!
//! A durable Postgres of its own, both sandboxes, and gateway and bot as processes. Each visitor is in the server, has paid by a Payment Link
//! and is logged in, by the pages themselves. Then each page is asked for at the rate, by one visitor after another, each time from another
//! address: the limits are for each. A request has its time whether or not those before it were answered, and is measured from
//! then to the head of its answer; so is its waiting for a connection.

#[path = "../pipeline/database.rs"]
#[expect(dead_code, reason = "what is written is the other benchmarks'")]
mod database;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use clap::Parser;
use nexrole::{
    children::Service,
    scenario::Scenario,
    visitor::{Page, Visitor},
};
use sandbox::discord::Limits;
use serde_json::json;
use shared::db::migrate;
use testkit::scratch::Scratch;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use database::{Postgres, command};

/// How soon the pages of a claim begin to come
#[derive(Debug, Parser)]
#[command(name = "pages")]
struct Arguments {
    /// Requests a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// For how long each page is asked for
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Who ask for them
    #[arg(long, default_value_t = 50)]
    visitors: u16,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.rate > 0 && arguments.seconds > 0 && arguments.visitors > 0,
        "there is nothing to measure"
    );
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: it shows that the benchmark works, and nothing about speed.");
    }
    tokio::runtime::Runtime::new()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let scratch = Scratch::new("pages");
    let postgres = Postgres::start(&scratch, "postgres").await?;
    let url = postgres.create().await?;
    let program = std::path::PathBuf::from(env!("CARGO_BIN_EXE_nexrole"));
    command(&program, &url, &["migrate"]).await?;
    let limits = Limits { role_window_ms: 1, member_get_limit: 0, ..Limits::default() };
    let scenario =
        Scenario::start(&url, migrate::migration_pool(&url)?, "whsec_of_the_benchmark", limits).await?;
    let origin = scenario.pages();
    let log = |service: Service| scratch.0.join(format!("{}.log", service.word()));
    let mut gateway = scenario.plan(Service::Gateway, program.clone(), log(Service::Gateway));
    for (name, value) in scenario.set_up_login(&origin).await? {
        gateway.env = gateway.env.with(name, &value);
    }
    gateway.env = gateway.env.with("TRUSTED_PROXY_HOPS", "1");
    let bot = scenario.plan(Service::Bot, program.clone(), log(Service::Bot));
    let link = scenario.set_up_shop().await?;
    let (gateway, bot) = (gateway.start_ready().await?, bot.start_ready().await?);
    let guild = scenario.guild.to_string();
    let role = scenario.vip.to_string();
    command(&program, &url, &["map", "add", "--guild", &guild, "--price", &scenario.price, "--role", &role])
        .await?;

    eprintln!("{} visitors pay and log in", arguments.visitors);
    let mut visitors = Vec::new();
    let mut sessions = Vec::new();
    for number in 0..arguments.visitors {
        let user = scenario.discord.join(scenario.guild, "visitor").await?;
        let bought = scenario.stripe.buy(&link, json!({})).await?;
        let session = bought["id"].as_str().context("nobody paid")?.to_owned();
        let mut visitor = Visitor::new(&origin, number)?;
        visitor.log_in(&format!("/claim/{guild}?session_id={session}"), user).await?;
        visitors.push(Arc::new(visitor));
        sessions.push(session);
    }
    println!(
        "{} requests a second for {} s, {} visitors",
        arguments.rate, arguments.seconds, arguments.visitors
    );
    println!(
        "| page | median | 99 % | slowest | bytes | statements | pages of shared memory |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    let question = |nth: usize| format!("/claim/{guild}?session_id={}", sessions[nth]);
    measure("the question whose purchase it is", arguments, &postgres, &visitors, question).await?;
    for (visitor, session) in visitors.iter().zip(&sessions) {
        visitor.confirm(&format!("/claim/{guild}?session_id={session}")).await?;
    }
    measure("how far the role is", arguments, &postgres, &visitors, |_| format!("/roles/{guild}")).await?;
    bot.stop().await?;
    gateway.stop().await?;
    scenario.stop().await;
    postgres.stop().await
}

async fn measure(
    what: &str,
    arguments: &Arguments,
    postgres: &Postgres,
    visitors: &[Arc<Visitor>],
    path: impl Fn(usize) -> String,
) -> anyhow::Result<()> {
    postgres.reset_counts().await?;
    let mut due = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    for nth in 0..arguments.rate * arguments.seconds {
        let since = due.tick().await.into_std();
        let visitor = usize::try_from(nth)? % visitors.len();
        let (path, visitor) = (path(visitor), visitors[visitor].clone());
        asked.spawn(async move {
            let Page { status, head_at, bytes } = visitor.look_at(&path, nth).await?;
            ensure!(status.is_success(), "{path} was answered {status}");
            anyhow::Ok((head_at - since, bytes))
        });
    }
    let mut took: Vec<Duration> = Vec::new();
    let mut most = 0;
    while let Some(page) = asked.join_next().await {
        let (time, bytes) = page??;
        took.push(time);
        most = most.max(bytes);
    }
    let counts = postgres.counts().await?;
    let requests = f64::from(arguments.rate * arguments.seconds);
    let (statements, buffers) = (counts.statements / requests, counts.buffers / requests);
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!(
        "| {what} | {:.1} ms | {:.1} ms | {:.1} ms | {most} | {statements:.1} | {buffers:.1} |",
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}
