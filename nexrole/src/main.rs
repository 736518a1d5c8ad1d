//! `nexrole`: without a command, the demo.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use embedded_postgres::{Durability, Options};
use nexrole::{
    children::{self, Service},
    cli, demo, doctor, init, keys, up,
};
use shared::config::{EXIT_CONFIG, Env, Problems};

/// Discord roles for people who pay through Stripe
#[derive(Debug, Parser)]
#[command(name = "nexrole", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a story with the real services against sandboxes of Stripe and Discord (this is the default)
    Demo(demo::Arguments),
    /// Run it for real: database, gateway and bot, restarted when they fail
    Up,
    /// Write a .env to fill in, and say what to do next
    Init,
    /// Look whether everything is as it should be, and say what helps; changes nothing, exit code 1 if something is wrong
    Doctor(doctor::Arguments),
    /// Look whether what must always hold does hold, in every server's rows
    Invariants(doctor::Output),
    /// The keys that seal secrets in the database
    Keys {
        /// What to do with keys
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Mail: whether it can be sent
    Mail {
        /// What to do with mail
        #[command(subcommand)]
        command: cli::mail::MailCommand,
    },
    #[command(flatten)]
    Operator(cli::Command),
    /// One service in this process, for a parent that supervises it
    #[command(hide = true)]
    Service {
        /// `gateway` or `bot`
        #[command(subcommand)]
        service: HiddenService,
    },
    /// A Postgres that lives as long as this process
    #[command(hide = true)]
    PostgresHold {
        /// The cluster's folder
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum HiddenService {
    Gateway {
        #[arg(long)]
        parent: u32,
    },
    Bot {
        #[arg(long)]
        parent: u32,
    },
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Before anything else: it runs as another user, with an empty environment, and turns into Postgres.
    if let Some((name, rest)) = arguments.split_first()
        && name == "postgres-launch"
    {
        return embedded_postgres::launch(rest);
    }
    let command = Arguments::parse().command.unwrap_or_else(|| Command::Demo(demo::Arguments::default()));
    // A service gets what its parent gives it, and nothing else: the file has the other's secrets too.
    let given_all = matches!(command, Command::Service { .. } | Command::PostgresHold { .. });
    // For the demo and development; what is set already wins. No file is no mistake.
    if !given_all
        && let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        eprintln!("nexrole: .env cannot be read: {}", without_value(&error));
        return ExitCode::from(EXIT_CONFIG);
    }
    let env = Env::from_process();
    match run(&env, command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nexrole: {error:#}");
            if error.is::<Problems>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

/// The library quotes the value, which may well be a secret; its line's number helps as much.
fn without_value(error: &dotenvy::Error) -> String {
    let dotenvy::Error::LineParse(value, _) = error else { return error.to_string() };
    let file = std::fs::read_to_string(".env").unwrap_or_default();
    let number = file.lines().position(|line| !value.is_empty() && line.contains(value.as_str()));
    let line = number.map_or_else(|| "a line".to_owned(), |number| format!("line {}", number + 1));
    format!("{line} is not NAME=value; a value with spaces or # needs quotes: NAME='…'")
}

fn run(env: &Env, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(arguments) => runtime()?.block_on(demo::run(env, &arguments)),
        Command::Up => {
            shared::telemetry::init(env);
            shared::process::report_panics_without_data();
            runtime()?.block_on(up::run(env))
        }
        Command::Init => {
            init::run(std::path::Path::new("."))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys { command } => {
            shared::telemetry::init(env);
            runtime()?.block_on(keys::run(env, &command))
        }
        Command::Mail { command } => {
            shared::telemetry::init(env);
            runtime()?.block_on(cli::mail::run(env, &command))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor(arguments) => runtime()?.block_on(doctor::run(env, arguments)),
        Command::Invariants(output) => runtime()?.block_on(doctor::run_invariants(env, output)),
        Command::Operator(command) => {
            shared::telemetry::init(env);
            runtime()?.block_on(cli::run(env, command))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Service { service } => {
            let (service, parent) = match service {
                HiddenService::Gateway { parent } => (Service::Gateway, parent),
                HiddenService::Bot { parent } => (Service::Bot, parent),
            };
            children::end_with_parent(parent)?;
            shared::telemetry::init(env);
            shared::process::report_panics_without_data();
            runtime()?.block_on(children::serve(service, env))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::PostgresHold { folder } => {
            let options = Options {
                folder,
                durability: Durability::Durable,
                launcher: embedded_postgres::this_program()?,
                search_path: env.get("PATH").map(Into::into),
                bin_dir: env.get("PG_BIN").map(Into::into),
            };
            embedded_postgres::hold(&options)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new()
}
