//! The demo: real gateway, real bot, real Postgres; Stripe and Discord are sandboxes on this machine.
//!
//! In: nothing but this program. Out: steps, each with what was checked over HTTP, in Postgres and at the sandboxes.

use std::{process::ExitCode, time::Instant};

use shared::config::Env;

mod report;
mod setup;
mod steps;

use report::Report;
use setup::Setup;

/// `nexrole demo …`
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Run every step and exit: 0 if all held, else 1
    #[arg(long)]
    once: bool,
    /// One JSON object per step: {"step","ok","detail","ms"}
    #[arg(long)]
    json: bool,
}

pub async fn run(env: &Env, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(arguments.json);
    let setup = Setup::start(env, &report).await?;
    report.begin();
    for step in steps::STEPS {
        report.announce(step.title);
        let began = Instant::now();
        let outcome = tokio::select! {
            outcome = (step.run)(&setup) => outcome,
            _ = tokio::signal::ctrl_c() => {
                report.say("\nStopped.");
                setup.stop().await?;
                return Ok(ExitCode::FAILURE);
            }
        };
        report.step(step.name, step.title, &outcome, began.elapsed());
    }
    report.end(setup.logs());
    if !arguments.once {
        report.say(&setup.invitation().await?);
        tokio::signal::ctrl_c().await?;
        report.say("\nStopping.");
    }
    let failed = report.failed();
    setup.stop().await?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
