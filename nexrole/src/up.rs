//! `nexrole up`: the real thing with one command. In: the environment. Out: database, gateway and bot, kept running.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use secrecy::ExposeSecret;
use shared::{
    config::{EXIT_CONFIG, Env, Problems},
    store::database,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    children::{Plan, Service},
    database::{Published, Server, data_folder},
    postgres::{self, Durability},
};

const DATABASE: &str = "nexrole_main";
/// Waits before a service is started again: 1s, 2s, 4s, … 1m; from the beginning after it ran for five minutes.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const STEADY: Duration = Duration::from_secs(300);

/// Runs until a signal, or until a service says that its configuration is wrong.
pub async fn run(env: &Env) -> anyhow::Result<ExitCode> {
    // Both services' problems at once, before anything is started; the database is ours to provide.
    let listen = addresses(env)?;
    let stop = CancellationToken::new();
    shared::shutdown::on_signal(stop.clone());
    let (server, url) = provide_database(env).await?;
    let migrations = database::migration_pool(&url)?;
    crate::database::migrate(&migrations).await?;
    migrations.close().await;

    let program = postgres::this_program()?;
    let env = env.clone().with("DATABASE_URL", &url);
    let mut services = JoinSet::new();
    for (service, listen) in listen {
        let env = match service {
            Service::Gateway => env.clone(),
            // One address cannot serve both.
            Service::Bot => env.clone().without("METRICS_BIND").without("METRICS_BIND_FILE"),
        };
        let plan = Plan { program: program.clone(), service, env, listen, log: None };
        services.spawn(keep_running(plan, stop.clone()));
    }
    let mut code = ExitCode::SUCCESS;
    while let Some(ended) = services.join_next().await {
        if let Err(error) = ended.context("a supervisor panicked")? {
            tracing::error!(error = format!("{error:#}"), "stopping");
            code = ExitCode::from(EXIT_CONFIG);
        }
        // One is nothing without the other.
        stop.cancel();
    }
    if let Some((server, published)) = server {
        drop(published);
        tokio::task::spawn_blocking(|| server.stop())
            .await
            .context("stopping Postgres ended by a panic")??;
    }
    Ok(code)
}

/// Where each service listens; or all problems of both.
fn addresses(env: &Env) -> Result<[(Service, SocketAddr); 2], Problems> {
    let ours = |env: &Env| {
        if env.get("DATABASE_URL").is_some() { env.clone() } else { env.clone().with("DATABASE_URL", "ours") }
    };
    let gateway = webhook_gateway::config::Config::read(&ours(env));
    // PORT and BIND are the gateway's. The bot's health checks are for nobody but us: any port will do.
    let bot = bot::config::Config::read(&ours(env).without("PORT").with("BIND", "127.0.0.1:0"));
    match (gateway, bot) {
        (Ok(gateway), Ok(bot)) => Ok([(Service::Gateway, gateway.listen), (Service::Bot, bot.listen)]),
        (gateway, bot) => {
            let mut problems: Vec<_> =
                gateway.err().into_iter().chain(bot.err()).flat_map(|problems| problems.0).collect();
            problems.sort_by(|a, b| a.variable.cmp(&b.variable));
            problems.dedup();
            Err(Problems(problems))
        }
    }
}

/// `DATABASE_URL`, or a private cluster that lives as long as we do.
async fn provide_database(env: &Env) -> anyhow::Result<(Option<(Server, Published)>, String)> {
    let mut reader = shared::config::Reader::new(env);
    if reader.given("DATABASE_URL") {
        let url = reader.secret("DATABASE_URL");
        return Ok((None, reader.finish(url)?.expose_secret().to_owned()));
    }
    let folder = data_folder(env).join("postgres");
    tracing::info!(folder = %folder.display(), "DATABASE_URL is not set: starting a private Postgres");
    let (owned, guard) = (env.clone(), postgres::this_program()?);
    let find = move || Server::find(&owned, folder, Durability::Durable, guard);
    let server = tokio::task::spawn_blocking(find).await.context("starting Postgres ended by a panic")??;
    let url = server.ensure(DATABASE).await?;
    let published = Published::write(env, &url)?;
    Ok((Some((server, published)), url))
}

/// Starts a service again whenever it ends, until `stop`. Fails if it says that its configuration is wrong.
async fn keep_running(plan: Plan, stop: CancellationToken) -> anyhow::Result<()> {
    let word = plan.service.word();
    let mut wait = FIRST_WAIT;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let mut running = plan.start()?;
        let Some(ended) = stop.run_until_cancelled(running.ended()).await else {
            if let Err(error) = running.stop().await {
                tracing::warn!(error = format!("{error:#}"), "stopping");
            }
            break;
        };
        let status = ended.with_context(|| format!("cannot wait for the {word}"))?;
        anyhow::ensure!(
            status.code() != Some(i32::from(EXIT_CONFIG)),
            "the {word} does not accept its configuration"
        );
        if began.elapsed() >= STEADY {
            wait = FIRST_WAIT;
        }
        tracing::error!(service = word, %status, wait_seconds = wait.as_secs(), "a service ended; starting it again");
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    Ok(())
}
