//! `nexrole doctor`: is everything as it should be? In: the variables of both services. Out: a finding for each of
//! [`Check::ALL`], wrong ones with what helps. It reads, at Postgres, Stripe, Discord and the gateway, and changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{ErrorKind, IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
};

use anyhow::Context;
use shared::{
    config::{Env, Problems, Reader},
    db::pool::within,
    ids::{GuildId, RoleId},
    store::health_facts::{self, Connected},
    views::terminal,
};
use sqlx::PgConnection;

use crate::{settings, up};

mod address;
mod clocks;
mod database;
mod discord;
mod findings;
mod held;
mod invariants;
mod links;
mod mail;
mod portal;
mod products;
mod questions;
mod sealed;
mod stripe;
mod tls;
mod web;

use findings::Findings;
pub use findings::{Check, State};

/// Where to check, and how to say it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    output: Output,
    /// Where the bot answers health checks (its BIND), if not 127.0.0.1:8081
    #[arg(long, value_name = "ADDRESS")]
    bot: Option<SocketAddr>,
}

/// How to say it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Output {
    /// One JSON object per finding
    #[arg(long)]
    json: bool,
}

/// Checks everything; exit code 1 if something is wrong.
pub async fn run(env: &Env, arguments: Arguments) -> anyhow::Result<ExitCode> {
    prepare();
    let mut findings = Findings::default();
    let (gateway, bot) = up::services(env);
    note_problems(&mut findings, &up::problems(gateway.as_ref().err().cloned(), bot.as_ref().err().cloned()));
    questions::ask(&mut findings);

    let described = gateway.as_ref().ok().and_then(|config| config.environment.as_ref()?.guild.into());
    let named: BTreeSet<GuildId> =
        described.into_iter().chain(bot.as_ref().ok().and_then(|config| config.guild)).collect();
    let mut rows = None;
    if let Some(mut db) = open_database(&mut findings, env).await {
        match check_rows(&mut findings, &mut db, gateway.as_ref().ok(), &named).await {
            Ok(read) => rows = Some(read),
            Err(error) => {
                let detail = format!("it answers, but a question failed: {error}");
                findings.fail(
                    Check::DatabaseReachable,
                    detail,
                    "ask again; if it stays so, please report it",
                );
            }
        }
    } else if !findings.knows(Check::OperatorBackups) {
        questions::backups(&mut findings, None);
    }
    let clients = web::Clients::new().context("no HTTP client")?;
    if let Ok(config) = &gateway {
        let connected = rows.as_ref().map(|rows| rows.connected.as_slice());
        stripe::check(&mut findings, config, connected).await;
        let stored = connected.map(|connected| connected.iter().any(|row| row.api_key.is_some()));
        let described = config.environment.as_ref().is_some_and(|e| !e.webhook_secrets.is_empty());
        let webhooks = if described { Some(true) } else { stored };
        web::check(&mut findings, &clients, config.public_url.as_deref(), webhooks).await;
        web::contact(&mut findings, config.security_contact.as_deref());
        mail::check(&mut findings, env, config.mail.as_ref()).await;
        web::check_service(&mut findings, Check::ServicesGateway, &clients, config.listen).await;
    }
    if let Ok(config) = &bot {
        let mapped = rows.as_ref().map(|rows| &rows.mapped);
        let login = gateway.as_ref().ok().and_then(|gateway| gateway.discord.as_ref());
        discord::check(&mut findings, config, &named, mapped, login).await;
        let listen = arguments.bot.unwrap_or(config.listen);
        web::check_service(&mut findings, Check::ServicesBot, &clients, listen).await;
    }
    finish(&mut findings, Check::ALL, arguments.output)
}

/// `nexrole invariants`: only what must hold whatever happened.
pub async fn run_invariants(env: &Env, output: Output) -> anyhow::Result<ExitCode> {
    prepare();
    let mut findings = Findings::default();
    let url = settings::database_url(env)?;
    if let Some(mut db) = database::check(&mut findings, &url).await {
        let guilds = within(health_facts::guilds(&mut db)).await?;
        invariants::check(&mut findings, &mut db, &guilds).await?;
    }
    findings.keep(&invariants::CHECKS, &invariants::NEEDED);
    finish(&mut findings, &invariants::CHECKS, output)
}

/// Several TLS users in one process: rustls must be told once which cryptography to use; a second call is refused.
fn prepare() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

fn finish(findings: &mut Findings, asked: &[Check], output: Output) -> anyhow::Result<ExitCode> {
    findings.complete(asked.iter().copied());
    let mut stdout = std::io::stdout();
    let text = match (output.json, stdout.is_terminal()) {
        (true, _) => findings.json()?,
        (false, true) => terminal::render_in_colour(&findings.document()),
        (false, false) => terminal::render(&findings.document()),
    };
    match writeln!(stdout, "{text}") {
        // Whoever reads, as `head` does, has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.context("stdout cannot be written")?,
    }
    Ok(findings.exit_code())
}

fn note_problems(findings: &mut Findings, problems: &Problems) {
    if problems.0.is_empty() {
        findings.ok(Check::Configuration, "both services accept their variables");
    }
    for problem in &problems.0 {
        let detail = format!("{}: {}", problem.variable, problem.wrong);
        let fix = format!("for example {}={}", problem.variable, problem.example);
        findings.fail(Check::Configuration, detail, fix);
    }
}

/// What `DATABASE_URL` names, or `nexrole up` runs in this folder.
async fn open_database(findings: &mut Findings, env: &Env) -> Option<PgConnection> {
    match settings::database_url(env) {
        Ok(url) => database::check(findings, &url).await,
        // What is wrong with it is one of the configuration's problems already.
        Err(_) if Reader::new(env).given("DATABASE_URL") => None,
        Err(_) => {
            let detail =
                "DATABASE_URL is not set, and no `nexrole up` with its own database runs in this folder";
            findings.fail(Check::DatabaseReachable, detail, "start `nexrole up`, or set DATABASE_URL");
            None
        }
    }
}

/// What the database says of servers.
struct Rows {
    connected: Vec<Connected>,
    /// The mapped roles of each server that is connected, or that the variables name.
    mapped: BTreeMap<GuildId, Vec<RoleId>>,
}

async fn check_rows(
    findings: &mut Findings,
    db: &mut PgConnection,
    gateway: Option<&webhook_gateway::config::Config>,
    named: &BTreeSet<GuildId>,
) -> Result<Rows, sqlx::Error> {
    // Without the gateway's variables nobody knows which keys there should be.
    if let Some(config) = gateway {
        sealed::check(findings, db, config.keyring.as_ref()).await?;
    }
    let guilds = within(health_facts::guilds(db)).await?;
    invariants::check(findings, db, &guilds).await?;
    links::check(findings, db, &guilds).await?;
    products::check(findings, db, &guilds).await?;
    held::check(findings, db, &guilds).await?;
    mail::check_sent(findings, db, &guilds).await?;
    let connected = within(health_facts::connected(db)).await?;
    portal::check(findings, &connected);
    let servers: BTreeSet<GuildId> =
        connected.iter().map(|row| row.guild_id).chain(named.iter().copied()).collect();
    let mut mapped = BTreeMap::new();
    for guild in servers {
        mapped.insert(guild, within(health_facts::mapped(db, guild)).await?);
    }
    Ok(Rows { connected, mapped })
}
