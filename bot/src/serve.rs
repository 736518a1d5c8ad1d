//! The service: worker, wake-ups, Gateway, health; shutdown. In: a [`Config`]. Out: runs until `stop`.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use secrecy::ExposeSecret;
use shared::db::pool::Pool;
use shared::{
    db::{listen, pg_roles::Login, pool, readiness, tenant},
    domain::service_request::Service,
    health,
    http::{self, limits::Limits},
    ids::GuildId,
    metrics,
    service_requests::ServiceRequests,
    store::{role_jobs::CHANNEL, stripe_connections},
};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    answers,
    config::Config,
    discord::client::RoleClient,
    gateway::{self, Connected, Gateway},
    notices::run as notices,
    worker::{adding::Door, deadlines, role_intake, run as worker, run::Worker},
};

/// Polls between two searches for what was given for a while and is over, and for what members are to be told.
const DEADLINE_POLLS: u32 = 5;
const WAIT_FOR_DATABASE: Duration = Duration::from_millis(500);
/// A dead connection cannot be taken leave of.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// Runs until `stop`, or until Discord refuses the token.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    // Several TLS users in one process: rustls must be told once which cryptography to use; a second call is refused.
    drop(rustls::crypto::ring::default_provider().install_default());
    let pool = pool::pool(config.database_url.expose_secret(), config.connections, Login::Bot)
        .context("DATABASE_URL is malformed")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "bot is listening for health checks");
    metrics::start(config.metrics, pool.clone(), stop.clone())
        .await
        .with_context(|| format!("METRICS_BIND: cannot listen on {:?}", config.metrics))?;
    let connected = Connected::default();
    let noted = connected.clone();
    let routes =
        http::problem::with_problem_fallbacks(health::routes_with(pool.clone(), move || noted.complaint()));
    let health = tokio::spawn(http::serve(listener, routes, Limits::default(), stop.clone()));

    stop.run_until_cancelled(wait_for_database(&pool, config.guild)).await;
    let wake = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(listen::wake(pool.clone(), CHANNEL, Arc::clone(&wake), stop.clone()));
    let discord =
        RoleClient::new(&config.token, &config.discord_api_url).context("the HTTP client cannot be built")?;
    let discord = Arc::new(discord);
    let requests = Arc::new(ServiceRequests::new(pool.clone(), config.keyring.clone(), Service::Bot));
    let door = Door { pool: pool.clone(), discord: Arc::clone(&discord), lease: config.lease };
    let answer = move |guild, question, until| {
        let door = door.clone();
        async move { Some(answers::answer(&door, guild, question, until).await) }
    };
    tasks.spawn(requests.run(config.poll, answer, stop.clone()));
    let connection = Gateway {
        pool: pool.clone(),
        token: config.token.clone(),
        api_url: config.discord_api_url.clone(),
        discord: Arc::clone(&discord),
        connected,
    };
    tasks.spawn(gateway::run(connection, stop.clone()));
    tasks.spawn(role_intake::run(pool.clone(), Arc::clone(&discord), config.poll, stop.clone()));
    tasks.spawn(deadlines::run(pool.clone(), config.poll * DEADLINE_POLLS, stop.clone()));
    let every = config.poll * DEADLINE_POLLS;
    tasks.spawn(notices::run(pool.clone(), Arc::clone(&discord), config.lease, every, stop.clone()));
    let worker = Worker {
        pool: pool.clone(),
        discord,
        concurrency: config.concurrency,
        lease: config.lease,
        poll: config.poll,
        search: config.search,
    };
    let working = worker::run(Arc::new(worker), wake, stop.clone());
    tokio::pin!(working);
    let worked = tokio::select! {
        worked = &mut working => worked.map_err(anyhow::Error::from),
        // Without the Gateway connection nobody would hear of members who join, and nothing would show it.
        Err(error) = shared::shutdown::first_panic(&mut tasks) => {
            stop.cancel();
            working.await.map_err(anyhow::Error::from).and(Err(error).context("a background task panicked"))
        }
    };
    stop.cancel();
    shared::shutdown::all_end(tasks).await.context("a background task panicked")?;
    // Health checks in flight do not hold us up.
    health.abort();
    if tokio::time::timeout(CLOSE_WITHIN, pool.close()).await.is_err() {
        tracing::warn!("the database did not let go of its connections");
    }
    worked
}

/// Waits for the schema, and until the configured guild is written: a database that is read-only for a moment, as during a
/// failover, is no reason to give up.
async fn wait_for_database(pool: &Pool, guild: Option<GuildId>) {
    let mut said = None;
    loop {
        let waits_for = match (readiness::readiness(pool).await.waits_for(), guild) {
            (Some(what), _) => what.to_owned(),
            (None, None) => return,
            (None, Some(guild)) => match register_guild(pool, guild).await {
                Ok(()) => return,
                Err(error) => error.to_string(),
            },
        };
        if said.as_ref() != Some(&waits_for) {
            tracing::warn!(waits_for, "the bot is waiting for its database");
            said = Some(waits_for);
        }
        tokio::time::sleep(WAIT_FOR_DATABASE).await;
    }
}

async fn register_guild(pool: &Pool, guild: GuildId) -> Result<(), sqlx::Error> {
    pool::within(async {
        let mut tenant = tenant::begin(pool, guild).await?;
        stripe_connections::ensure_guild(&mut tenant).await?;
        tenant.commit().await
    })
    .await
}
