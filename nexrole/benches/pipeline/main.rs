//! Throughput, cost and memory of the real gateway and bot. In: one `nexrole` program, or two to compare. Out: a table.
//!
//! ```text
//! cargo bench --bench pipeline -- [--against PROGRAM] [--rounds N] [--events N] [--jobs N]
//! ```
//!
//! Each run has a fresh database on a durable Postgres of the program's own, and the services as processes with their usual settings:
//!
//! - **accept**: signed `customer.subscription.updated` events, already made, from 16 connections at once, each new and each answered
//!   200. They are about 100 subscriptions, so that the reading of Stripe goes on beside it as ever, a few hundred reads at most.
//! - **read**: events one after another, each sent when the one before was read at Stripe: the same work for every program, so that its
//!   cost in the database can be compared. Their time cannot: events of one object within two seconds share a read.
//! - **role changes**: jobs of many members in four guilds, until all are done at Discord and settled. The bot makes 45 calls a second
//!   whatever Discord's limits are, and each change takes two, so 22 a second is all that can be seen: what a change costs is the
//!   measure, and
//! - **turns without calls**: jobs of roles that are only observed, 20 for each of `--jobs`, which nothing paces.
//! - **memory** of each service when idle, and its peak under the load above.
//!
//! With two programs each round measures both, each going first in turns: on a machine with other work the ratio of the medians is what
//! counts. Processor time is the service's own, and hardly depends on others' work. What the database does is counted by
//! `pg_stat_statements`, without what the benchmark itself asks.
//!
//! The other program should be built as this one is, by `cargo bench --bench pipeline --no-run` in its tree: the features of
//! dependencies are then the same.

mod accept;
mod database;
mod fixture;
mod process;
mod report;
mod turns;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Parser;

use database::Postgres;
use fixture::Fixture;
use report::Figures;
use testkit::scratch::Scratch;

/// Throughput, cost and memory of the real gateway and bot, on a Postgres of their own
#[derive(Debug, Parser)]
#[command(name = "pipeline")]
struct Arguments {
    /// Another tree's `nexrole`, measured in turns with this tree's
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// How often each program is measured
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Events that are sent at once; a twentieth of them again one after another
    #[arg(long, default_value_t = 10_000)]
    events: usize,
    /// Role changes, and twenty times as many jobs that need no call
    #[arg(long, default_value_t = 100)]
    jobs: usize,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// A `nexrole` to measure.
struct Program {
    name: &'static str,
    path: PathBuf,
    postgres: Postgres,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.rounds >= 1, "--rounds must be at least 1");
    ensure!(arguments.events >= 20, "--events must be at least 20: a twentieth is sent one after another");
    ensure!(arguments.jobs >= 1, "--jobs must be at least 1");
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: it shows that the benchmark works, and nothing about speed.");
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        tokio::select! {
            result = run(&arguments) => result,
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                anyhow::bail!("stopped by Ctrl-C")
            }
        }
    })
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut paths = vec![("this tree", PathBuf::from(env!("CARGO_BIN_EXE_nexrole")))];
    if let Some(other) = &arguments.against {
        let other = other.canonicalize().with_context(|| format!("--against {}", other.display()))?;
        paths.push(("the other", other));
    }
    let scratch = Scratch::new("pipeline");
    let mut programs = Vec::new();
    for (index, (name, path)) in paths.into_iter().enumerate() {
        let postgres = Postgres::start(&scratch, &format!("postgres-{index}")).await?;
        programs.push(Program { name, path, postgres });
    }
    let mut measured: Vec<Vec<Figures>> = programs.iter().map(|_| Vec::new()).collect();
    for round in 1..=arguments.rounds {
        let mut order: Vec<usize> = (0..programs.len()).collect();
        // Whoever goes first finds another machine than whoever goes second.
        if round % 2 == 0 {
            order.reverse();
        }
        for index in order {
            let program = &programs[index];
            eprint!("round {round} of {}, {}:", arguments.rounds, program.name);
            let fixture = Fixture::set_up(&scratch, program, arguments.jobs).await?;
            let measuring = measure(&fixture, arguments).await;
            let figures = measuring.with_context(|| {
                format!("{}; the services' logs were\n{}", program.path.display(), fixture.logs())
            })?;
            fixture.tear_down().await?;
            measured[index].push(figures);
            eprintln!(" done");
        }
    }
    for program in programs {
        program.postgres.stop().await?;
    }
    report::print(&measured);
    Ok(())
}

async fn measure(fixture: &Fixture<'_>, arguments: &Arguments) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    accept::measure(fixture, arguments.events, &mut figures).await?;
    turns::measure(fixture, &mut figures).await?;
    Ok(figures)
}
