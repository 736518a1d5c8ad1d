//! The service: router, background tasks, shutdown. In: a [`Config`]. Out: a server that runs until `stop`.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use secrecy::ExposeSecret;
use shared::db::pool::Pool;
use shared::{
    db::{pg_roles::Login, pool, tenant},
    domain::audit::Actor,
    http::{self, limits::Limits},
    metrics,
    store::{stripe_connections, stripe_cursors},
};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Environment},
    http::{
        guard::Guard,
        routes::{self, State},
        security_txt::SecurityTxt,
    },
    ingest::{
        endpoints::{Endpoint, Endpoints},
        recorder,
        webhook::Webhook,
    },
    maintenance::{retention, sealed_check},
    reconcile::{self, Reconcile},
    stripe::{api::ReadClient, credentials::Keys},
    sync::{self, Sync, notify},
};

const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How soon the address of a new connection is known, whether or not anybody asked for it.
const LEARN_EVERY: Duration = Duration::from_secs(60);
const LEARN_AGAIN: Duration = Duration::from_secs(2);
const RETRY_START: Duration = Duration::from_millis(500);
/// How long requests in flight may take to end when the service stops.
const DRAIN: Duration = Duration::from_secs(2);
/// How long background work may take: what it wrote by then stays, and of the rest the leases run out. With three times
/// [`DRAIN`] less than the 10 seconds after which `up` and most platforms kill.
const FINISH: Duration = Duration::from_secs(3);

/// Runs until `stop`, then answers what was asked, finishes reads, and returns.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    // Several TLS users in one process: rustls must be told once which cryptography to use; a second call is refused.
    drop(rustls::crypto::ring::default_provider().install_default());
    let pool = pool::pool(config.database_url.expose_secret(), config.connections, Login::Gateway)
        .context("DATABASE_URL is malformed")?;
    // A role of its own, which may do nothing but forget.
    let forgetting = pool::pool(config.database_url.expose_secret(), 1, Login::Retention)
        .context("DATABASE_URL is malformed")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "webhook-gateway is listening");
    metrics::start(config.metrics, pool.clone(), stop.clone())
        .await
        .with_context(|| format!("METRICS_BIND: cannot listen on {:?}", config.metrics))?;

    let (dirty, jobs_made) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    // Told when nobody is served any more.
    let over = CancellationToken::new();
    let (recorder, mut writer) = recorder::start(pool.clone(), Arc::clone(&dirty), over.clone());
    let endpoints =
        Arc::new(Endpoints::new(pool.clone(), config.keyring.clone(), config.environment.is_some()));
    let webhook = Arc::new(Webhook::new(Arc::clone(&endpoints), recorder.clone(), config.trusted_proxy_hops));
    let guard = Arc::new(Guard::new(config.trusted_proxy_hops, config.public_url.clone()));
    let security_txt =
        config.security_contact.map(|contact| SecurityTxt::new(contact, config.public_url.clone()));
    if security_txt.is_none() {
        tracing::warn!("SECURITY_CONTACT is not set: /.well-known/security.txt names nobody");
    }
    let app = routes::app(State {
        webhook: Arc::clone(&webhook),
        pool: pool.clone(),
        security_txt,
        guard: Arc::clone(&guard),
    });

    let stripe = ReadClient::new(&config.stripe_api_url).context("the HTTP client cannot be built")?;
    let (keyring, environment) = (config.keyring, config.environment.clone());
    let look = sealed_check::look(pool.clone(), keyring.clone(), stop.clone());
    let keys = Arc::new(Keys { pool: pool.clone(), keyring, environment });
    let reconcile = Reconcile {
        pool: pool.clone(),
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        recorder,
        dirty: Arc::clone(&dirty),
        every: config.events_poll,
        poll: config.poll,
    };
    let reading = Sync {
        pool: pool.clone(),
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        lease: config.lease,
        poll: config.poll,
        jobs_made: Arc::clone(&jobs_made),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(sync::run(Arc::new(reading), dirty, stop.clone()));
    tasks.spawn(reconcile::run(reconcile, stop.clone()));
    tasks.spawn(notify::run(pool.clone(), jobs_made, stop.clone()));
    tasks.spawn(look);
    tasks.spawn(keep_house(webhook, guard, stop.clone()));
    tasks.spawn(retention::run(forgetting.clone(), stop.clone()));
    tasks.spawn(learn(Arc::clone(&endpoints), stop.clone()));
    tasks.spawn(introduce(pool.clone(), endpoints, config.environment, stop.clone()));
    // Behind a proxy all connections are the proxy's.
    let per_network = Limits::default().per_network.filter(|_| config.trusted_proxy_hops == 0);
    let limits = Limits { per_network, drain: DRAIN, ..Limits::default() };
    let served = tokio::select! {
        // Somebody who sends slowly does not hold us up; Stripe will send again.
        () = http::serve(listener, app, limits, stop.clone()) => Ok(()),
        // A gateway that accepts and does not read would look healthy.
        Err(error) = shared::shutdown::first_panic(&mut tasks) => Err(error).context("a background task panicked"),
        ended = &mut writer => ended.context("the writer panicked").and(Err(anyhow::anyhow!("the writer ended"))),
    };
    stop.cancel();
    match tokio::time::timeout(FINISH, shared::shutdown::all_end(tasks)).await {
        Ok(ended) => ended.context("a background task panicked")?,
        Err(_) => {
            tracing::warn!("background work did not end in time: its leases run out, and it is done again");
        }
    }
    over.cancel();
    if !writer.is_finished() {
        match tokio::time::timeout(DRAIN, writer).await {
            Ok(ended) => ended.context("the writer panicked")?,
            Err(_) => tracing::warn!("the last events were not answered: Stripe sends them again"),
        }
    }
    // A connection that does not answer is not waited for.
    drop(tokio::time::timeout(DRAIN, async { tokio::join!(pool.close(), forgetting.close()) }).await);
    served
}

/// Writes the guild and connection that variables describe, as soon as the database is there.
async fn introduce(
    pool: Pool,
    endpoints: Arc<Endpoints>,
    environment: Option<Environment>,
    stop: CancellationToken,
) {
    let Some(environment) = environment else { return };
    loop {
        let Some(ensured) = stop.run_until_cancelled(ensure(&pool, &environment)).await else { return };
        match ensured {
            Ok(connection) => {
                endpoints.introduce(Endpoint {
                    connection,
                    livemode: environment.livemode,
                    secrets: environment.webhook_secrets.clone(),
                });
                tracing::info!(guild.id = %environment.guild, livemode = environment.livemode, "connected as configured");
                return;
            }
            Err(error) => tracing::warn!(%error, "waiting for the database and its schema"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(RETRY_START)).await.is_none() {
            return;
        }
    }
}

async fn ensure(
    pool: &Pool,
    environment: &Environment,
) -> Result<stripe_connections::Connection, sqlx::Error> {
    pool::within(async {
        let mut tenant = tenant::begin(pool, environment.guild).await?;
        stripe_connections::ensure_guild(&mut tenant).await?;
        let (actor, label) = (Actor::Environment, stripe_connections::ENVIRONMENT);
        let id = stripe_connections::ensure(&mut tenant, actor, label, environment.livemode, Some(true)).await?;
        for other in stripe_connections::disconnect_others(&mut tenant, id).await? {
            tracing::warn!(guild.id = %environment.guild, connection.id = %other,
                "this connection was described by variables and is not any more: it is disconnected; roles stay as they are");
        }
        stripe_cursors::ensure(&mut tenant, id).await?;
        stripe_cursors::begin(&mut tenant, id).await?;
        tenant.commit().await?;
        Ok(stripe_connections::Connection { guild: environment.guild, id })
    })
    .await
}

/// Keeps in mind which webhook addresses there are.
async fn learn(endpoints: Arc<Endpoints>, stop: CancellationToken) {
    while let Some(learnt) = stop.run_until_cancelled(endpoints.learn()).await {
        let wait = match learnt {
            Ok(()) => LEARN_EVERY,
            Err(error) => {
                tracing::debug!(%error, "which webhook addresses there are cannot be learnt yet");
                LEARN_AGAIN
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

async fn keep_house(webhook: Arc<Webhook>, guard: Arc<Guard>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(HOUSEKEEPING)).await.is_some() {
        webhook.forget_old_addresses();
        guard.forget_old_addresses();
    }
}
