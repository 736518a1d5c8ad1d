//! `nexrole up`: the real thing with one command. In: the environment. Out: database, gateway and bot, kept running.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use embedded_postgres::{Cluster, Durability};
use secrecy::ExposeSecret;
use shared::{
    background,
    config::{EXIT_CONFIG, Env, Problems, Reader},
    db::migrate,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    children::{Plan, Service},
    database::{Published, Server, data_folder},
};

const DATABASE: &str = "nexrole_main";
/// How often to check whether Postgres still runs.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Runs until a signal, or until a service says that its configuration is wrong.
pub async fn run(env: &Env) -> anyhow::Result<ExitCode> {
    // Both services' problems at once, before anything is started; the database is ours to provide.
    let listen = addresses(env)?;
    let stop = CancellationToken::new();
    shared::shutdown::on_signal(stop.clone());
    let (ours, url) = provide_database(env).await?;
    // Told when the services have ended: until then they need their database.
    let over = CancellationToken::new();
    let ours = ours.map(|(cluster, note)| (tokio::spawn(keep_database(cluster, over.clone())), note));
    let migrations = migrate::migration_pool(&url)?;
    crate::database::migrate(&migrations).await?;
    migrations.close().await;

    let program = embedded_postgres::this_program()?;
    let env = env.clone().without("DATABASE_URL_FILE").with("DATABASE_URL", &url);
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
    over.cancel();
    if let Some((database, note)) = ours {
        drop(note);
        database.await.context("the supervisor of Postgres panicked")??;
    }
    Ok(code)
}

/// Where each service listens; or all problems of both.
fn addresses(env: &Env) -> Result<[(Service, SocketAddr); 2], Problems> {
    match services(env) {
        // The bot's health checks are for nobody but us: any port will do.
        (Ok(gateway), Ok(_)) => {
            Ok([(Service::Gateway, gateway.listen), (Service::Bot, SocketAddr::from(([127, 0, 0, 1], 0)))])
        }
        (gateway, bot) => Err(problems(gateway.err(), bot.err())),
    }
}

/// What each service makes of the variables; the database is ours to provide where none is named.
pub(crate) fn services(
    env: &Env,
) -> (Result<webhook_gateway::config::Config, Problems>, Result<bot::config::Config, Problems>) {
    let given = Reader::new(env).given("DATABASE_URL");
    let env = if given { env.clone() } else { env.clone().with("DATABASE_URL", "postgres://localhost/ours") };
    let gateway = webhook_gateway::config::Config::read(&env);
    // PORT and BIND are the gateway's.
    (gateway, bot::config::Config::read(&env.without("PORT").without("BIND")))
}

/// Both services' problems, each once.
pub(crate) fn problems(gateway: Option<Problems>, bot: Option<Problems>) -> Problems {
    let mut problems: Vec<_> = gateway.into_iter().chain(bot).flat_map(|problems| problems.0).collect();
    problems.sort_by(|a, b| a.variable.cmp(&b.variable));
    problems.dedup();
    Problems(problems)
}

/// `DATABASE_URL`, or a private cluster that lives as long as we do.
async fn provide_database(env: &Env) -> anyhow::Result<(Option<(Cluster, Published)>, String)> {
    let mut reader = Reader::new(env);
    if reader.given("DATABASE_URL") {
        let url = reader.secret("DATABASE_URL");
        return Ok((None, reader.finish(url)?.expose_secret().to_owned()));
    }
    let folder = data_folder(env).join("postgres");
    tracing::info!(folder = %folder.display(), "DATABASE_URL is not set: starting a private Postgres");
    let (owned, launcher) = (env.clone(), embedded_postgres::this_program()?);
    let find = move || Server::find(&owned, folder, Durability::Durable, launcher);
    let server = tokio::task::spawn_blocking(find).await.context("starting Postgres ended by a panic")??;
    let url = server.ensure(DATABASE).await?;
    let ours = match server {
        Server::Embedded(cluster) => Some((cluster, Published::write(env, &url)?)),
        Server::External(_) => None,
    };
    Ok((ours, url))
}

/// Starts Postgres again whenever it ends, until `over`; then stops it. The services stay: they answer 503, wait and
/// reconnect. Of a session that crashes Postgres itself takes care.
async fn keep_database(mut cluster: Cluster, over: CancellationToken) -> anyhow::Result<()> {
    let (mut backoff, mut began) = (Backoff::default(), Instant::now());
    while background::pause(&over, POLL_EVERY).await {
        let Some(status) = cluster.exit_status() else { continue };
        let wait = backoff.after(began.elapsed());
        tracing::error!(%status, wait_seconds = wait.as_secs_f64(), log = %cluster.log_file().display(),
            "Postgres ended; starting it again");
        if !background::pause(&over, wait).await {
            break;
        }
        began = Instant::now();
        let (same, restarted) = tokio::task::spawn_blocking(move || {
            let restarted = cluster.restart();
            (cluster, restarted)
        })
        .await
        .context("starting Postgres ended by a panic")?;
        cluster = same;
        match restarted {
            Ok(()) => tracing::info!(ms = began.elapsed().as_millis(), "Postgres is back"),
            Err(error) => tracing::error!(%error, "Postgres could not be started again"),
        }
    }
    let stopped = tokio::task::spawn_blocking(move || cluster.stop());
    Ok(stopped.await.context("stopping Postgres ended by a panic")??)
}

/// Starts a service again whenever it ends, until `stop`. Fails if it says that its configuration is wrong.
async fn keep_running(plan: Plan, stop: CancellationToken) -> anyhow::Result<()> {
    let word = plan.service.word();
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let began = Instant::now();
        let mut running = match plan.start() {
            Ok(running) => running,
            Err(error) => {
                let wait = backoff.after(began.elapsed());
                tracing::error!(
                    error = format!("{error:#}"),
                    wait_seconds = wait.as_secs_f64(),
                    "trying again"
                );
                background::pause(&stop, wait).await;
                continue;
            }
        };
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
        let wait = backoff.after(began.elapsed());
        tracing::error!(service = word, %status, wait_seconds = wait.as_secs_f64(), "a service ended; starting it again");
        background::pause(&stop, wait).await;
    }
    Ok(())
}
