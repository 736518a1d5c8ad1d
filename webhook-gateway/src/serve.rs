//! The service: router, background tasks, shutdown. In: a [`Config`]. Out: a server that runs until `stop`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, routing::post};
use secrecy::ExposeSecret;
use shared::store::database::Pool;
use shared::{
    health, metrics,
    store::{connections, cursors, database, roles::Login, tenant},
};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Environment},
    endpoints::{Endpoint, Endpoints},
    ingest,
    keys::Keys,
    problem::Problem,
    reconcile::{self, Reconcile},
    stripe::api::ReadClient,
    sync::{self, Sync},
    wake,
    webhook::{self, Webhook},
};

/// Ingest, sync and health together; more than 16 only costs.
const CONNECTIONS: u32 = 14;
const HOUSEKEEPING: Duration = Duration::from_secs(60);
const RETRY_START: Duration = Duration::from_millis(500);
/// How long requests in flight may take to end when the service stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Every route of the gateway.
pub fn app(webhook: Arc<Webhook>, pool: Pool) -> Router {
    Router::new()
        .route("/webhooks/stripe", post(webhook::receive))
        .route("/webhooks/stripe/{endpoint_id}", post(webhook::receive_for))
        .merge(health::routes(pool))
        .fallback(|| async { Problem::NotFound })
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .with_state(webhook)
}

/// Runs until `stop`, then answers what was asked, finishes reads, and returns.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    // Several TLS users in one process: rustls must be told once which cryptography to use; a second call is refused.
    drop(rustls::crypto::ring::default_provider().install_default());
    let pool = database::pool(config.database_url.expose_secret(), CONNECTIONS, Login::Gateway)
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
    let (recorder, mut writer) = ingest::start(pool.clone(), Arc::clone(&dirty), over.clone());
    let endpoints =
        Arc::new(Endpoints::new(pool.clone(), config.keyring.clone(), config.environment.is_some()));
    let webhook = Arc::new(Webhook::new(Arc::clone(&endpoints), recorder.clone(), config.trusted_proxy_hops));
    let app = app(Arc::clone(&webhook), pool.clone());

    let stripe = ReadClient::new(&config.stripe_api_url).context("the HTTP client cannot be built")?;
    let (keyring, environment) = (config.keyring, config.environment.clone());
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
    tasks.spawn(wake::run(pool.clone(), jobs_made, stop.clone()));
    tasks.spawn(keep_house(webhook, stop.clone()));
    tasks.spawn(introduce(pool.clone(), endpoints, config.environment, stop.clone()));
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let served = tokio::select! {
        served = serving => served.context("the server failed"),
        // Somebody who sends slowly does not hold us up; Stripe will send again.
        () = drained => Ok(()),
        // A gateway that accepts and does not read would look healthy.
        Err(error) = shared::shutdown::first_panic(&mut tasks) => Err(error).context("a background task panicked"),
        ended = &mut writer => ended.context("the writer panicked").and(Err(anyhow::anyhow!("the writer ended"))),
    };
    stop.cancel();
    shared::shutdown::all_end(tasks).await.context("a background task panicked")?;
    over.cancel();
    if !writer.is_finished() {
        let ended = tokio::time::timeout(DRAIN, writer).await.context("the writer did not end")?;
        ended.context("the writer panicked")?;
    }
    // A connection that does not answer is not waited for.
    drop(tokio::time::timeout(DRAIN, pool.close()).await);
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
        match ensure(&pool, &environment).await {
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

async fn ensure(pool: &Pool, environment: &Environment) -> Result<connections::Connection, sqlx::Error> {
    let mut tenant = tenant::begin(pool, environment.guild).await?;
    connections::ensure_guild(&mut tenant).await?;
    let (label, metadata_links) = (connections::ENVIRONMENT, true);
    let id = connections::ensure(&mut tenant, label, environment.livemode, metadata_links).await?;
    for other in connections::disconnect_others(&mut tenant, id).await? {
        tracing::warn!(guild.id = %environment.guild, connection.id = %other,
            "this connection was described by variables and is not any more: it is disconnected; roles stay as they are");
    }
    cursors::ensure(&mut tenant, id).await?;
    tenant.commit().await?;
    Ok(connections::Connection { guild: environment.guild, id })
}

async fn keep_house(webhook: Arc<Webhook>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(HOUSEKEEPING)).await.is_some() {
        webhook.forget_old_addresses();
    }
}
