//! The demo: real gateway, real bot, real Postgres; Stripe and Discord are sandboxes on this machine.
//!
//! In: nothing but this program. Out: a story, each step with what was checked over HTTP, in Postgres and at the sandboxes.

use std::{process::ExitCode, time::Instant};

use shared::config::Env;

mod report;
mod stage;
mod story;

use report::Report;
use stage::Stage;

/// `nexrole demo …`
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Play the story and exit: 0 if every step held, else 1
    #[arg(long)]
    once: bool,
    /// One JSON object per step: {"step","ok","detail","ms"}
    #[arg(long)]
    json: bool,
}

/// Plays it.
pub async fn run(env: &Env, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(arguments.json);
    let stage = Stage::set(env, &report).await?;
    report.begin();
    for step in story::STEPS {
        report.announce(step.title);
        let began = Instant::now();
        let outcome = tokio::select! {
            outcome = (step.play)(&stage) => outcome,
            _ = tokio::signal::ctrl_c() => {
                report.say("\nStopped.");
                stage.strike().await?;
                return Ok(ExitCode::FAILURE);
            }
        };
        report.step(step.name, step.title, &outcome, began.elapsed());
    }
    report.end(stage.logs());
    if !arguments.once {
        report.say(&stage.invitation());
        tokio::signal::ctrl_c().await?;
        report.say("\nStopping.");
    }
    let failed = report.failed();
    stage.strike().await?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
