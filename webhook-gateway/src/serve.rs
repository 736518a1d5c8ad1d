//! The service: router, background tasks, shutdown. In: a [`Config`]. Out: a server that runs until `stop`.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use secrecy::ExposeSecret;
use shared::db::pool::Pool;
use shared::{
    background::{self, Next},
    db::{pg_roles::Login, pool, tenant},
    domain::{audit::Actor, service_request::Service},
    health::ReadinessProbe,
    http::{self, limits::Limits},
    metrics,
    service_requests::ServiceRequests,
    sessions::Sessions,
    store::{stripe_connections, stripe_cursors},
};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    backfill::{self, Backfills},
    config::{Config, Environment},
    http::{middleware::Admission, rate_limit::RateLimit, security_txt::SecurityTxt},
    ingest::{
        endpoints::{Endpoint, Endpoints},
        recorder,
        webhook::Webhook,
    },
    lists::{self, Lists},
    login::discord::DiscordLogin,
    mail::{
        Mailer,
        queue::{self, Mails},
    },
    maintenance::{retention, sealed_check},
    pages::{Pages, Presences, Watchers, claim},
    portals::{self, Portals},
    reconcile::{self, Reconcile},
    router::{self, AppState},
    stripe::{
        api::ReadClient,
        budget::{self, Budgets},
        credentials::Keys,
    },
    sync::{self, Sync, notify},
};

const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How soon the address of a new connection is known, whether or not anybody asked for it.
const PRELOAD_EVERY: Duration = Duration::from_secs(60);
const PRELOAD_RETRY: Duration = Duration::from_secs(2);
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
    // A role of its own, which may do nothing but delete what is old.
    let retention_pool = pool::pool(config.database_url.expose_secret(), 1, Login::Retention)
        .context("DATABASE_URL is malformed")?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "webhook-gateway is listening");
    metrics::start(config.metrics, pool.clone(), stop.clone())
        .await
        .with_context(|| format!("METRICS_BIND: cannot listen on {:?}", config.metrics))?;

    let (dirty, jobs_made) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    // Cancelled when nothing is served any more.
    let writer_stop = CancellationToken::new();
    let (recorder, mut writer) = recorder::start(pool.clone(), Arc::clone(&dirty), writer_stop.clone());
    let endpoints =
        Arc::new(Endpoints::new(pool.clone(), config.keyring.clone(), config.environment.is_some()));
    let webhook = Arc::new(Webhook::new(Arc::clone(&endpoints), recorder.clone(), config.trusted_proxy_hops));
    let admission = Arc::new(Admission::new(config.trusted_proxy_hops, config.public_url.clone()));
    let security_txt =
        config.security_contact.map(|contact| SecurityTxt::new(contact, config.public_url.clone()));
    if security_txt.is_none() {
        tracing::warn!("SECURITY_CONTACT is not set: /.well-known/security.txt names nobody");
    }
    let readiness = ReadinessProbe::new(pool.clone());
    let requests = Arc::new(ServiceRequests::new(pool.clone(), config.keyring.clone(), Service::Gateway));
    let stripe = ReadClient::new(&config.stripe_api_url).context("the HTTP client cannot be built")?;
    let (keyring, environment) = (config.keyring.clone(), config.environment.clone());
    let check = sealed_check::check(pool.clone(), keyring.clone(), stop.clone());
    let budgets = Arc::new(Budgets::default());
    let keys = Arc::new(Keys {
        pool: pool.clone(),
        keyring: keyring.clone(),
        environment,
        budgets: Arc::clone(&budgets),
    });
    let pages = Arc::new(Pages {
        pool: pool.clone(),
        sessions: Sessions::new(pool.clone()),
        discord: config
            .discord
            .as_ref()
            .map(DiscordLogin::new)
            .transpose()
            .context("the login with Discord")?,
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        requests: Arc::clone(&requests),
        presences: Presences::new(Arc::clone(&requests)),
        codes: keyring.clone().filter(|_| config.mail.is_some()),
        claims: RateLimit::per_minute(claim::PER_MINUTE),
        watchers: Watchers::default(),
    });
    let state =
        AppState { webhook: Arc::clone(&webhook), readiness, security_txt, pages: Arc::clone(&pages) };
    let app = router::app(state, &admission);
    let reconcile = Reconcile {
        pool: pool.clone(),
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        recorder,
        dirty: Arc::clone(&dirty),
        every: config.events_poll,
        poll: config.poll,
    };
    let lists = Lists {
        pool: pool.clone(),
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        lease: config.lease,
        poll: config.poll,
        spacing: config.read_spacing,
        dirty: Arc::clone(&dirty),
        jobs_made: Arc::clone(&jobs_made),
    };
    let backfills = Backfills {
        pool: pool.clone(),
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        poll: config.poll,
        spacing: config.read_spacing,
        dirty: Arc::clone(&dirty),
        jobs_made: Arc::clone(&jobs_made),
    };
    let mails = config.mail.clone().zip(keyring.clone()).map(|(mail, keyring)| Mails {
        pool: pool.clone(),
        mailer: Mailer::new(mail),
        keyring,
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        public_url: config.public_url.clone(),
        poll: config.poll,
    });
    let portals =
        Portals { pool: pool.clone(), stripe: stripe.clone(), keys: Arc::clone(&keys), poll: config.poll };
    let reading = Sync {
        pool: pool.clone(),
        stripe: stripe.clone(),
        keys: Arc::clone(&keys),
        lease: config.lease,
        poll: config.poll,
        spacing: config.read_spacing,
        jobs_made: Arc::clone(&jobs_made),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(budget::tend(budgets, pool.clone(), Arc::clone(&dirty), stop.clone()));
    tasks.spawn(sync::run(Arc::new(reading), dirty, stop.clone()));
    tasks.spawn(reconcile::run(reconcile, stop.clone()));
    tasks.spawn(lists::run(lists, stop.clone()));
    tasks.spawn(backfill::run(backfills, stop.clone()));
    tasks.spawn(portals::run(portals, stop.clone()));
    if let Some(mails) = mails {
        tasks.spawn(queue::run(mails, stop.clone()));
    }
    // The bot asks nothing yet that this release answers: a newer one is told so at once.
    tasks.spawn(requests.run(config.poll, |_, _, _| async { None }, stop.clone()));
    tasks.spawn(notify::run(pool.clone(), jobs_made, stop.clone()));
    tasks.spawn(check);
    tasks.spawn(prune(webhook, admission, pages, stop.clone()));
    tasks.spawn(retention::run(retention_pool.clone(), stop.clone()));
    tasks.spawn(preload_endpoints(Arc::clone(&endpoints), stop.clone()));
    tasks.spawn(register_configured(pool.clone(), endpoints, config.environment, stop.clone()));
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
    writer_stop.cancel();
    if !writer.is_finished() {
        match tokio::time::timeout(DRAIN, writer).await {
            Ok(ended) => ended.context("the writer panicked")?,
            Err(_) => tracing::warn!("the last events were not answered: Stripe sends them again"),
        }
    }
    // A connection that does not answer is not waited for.
    drop(tokio::time::timeout(DRAIN, async { tokio::join!(pool.close(), retention_pool.close()) }).await);
    served
}

/// Writes the guild and connection that variables describe, as soon as the database is there.
async fn register_configured(
    pool: Pool,
    endpoints: Arc<Endpoints>,
    environment: Option<Environment>,
    stop: CancellationToken,
) {
    let Some(environment) = environment else { return };
    background::repeat(&stop, || async {
        match ensure(&pool, &environment).await {
            Ok(connection) => {
                endpoints.set_configured(Endpoint {
                    connection,
                    livemode: environment.livemode,
                    secrets: environment.webhook_secrets.clone(),
                });
                tracing::info!(guild.id = %environment.guild, livemode = environment.livemode, "connected as configured");
                Next::Done
            }
            Err(error) => {
                tracing::warn!(%error, "waiting for the database and its schema");
                Next::After(RETRY_START)
            }
        }
    })
    .await;
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

async fn preload_endpoints(endpoints: Arc<Endpoints>, stop: CancellationToken) {
    background::repeat(&stop, || async {
        match endpoints.preload().await {
            Ok(()) => Next::After(PRELOAD_EVERY),
            Err(error) => {
                tracing::debug!(%error, "which webhook addresses there are cannot be read yet");
                Next::After(PRELOAD_RETRY)
            }
        }
    })
    .await;
}

async fn prune(webhook: Arc<Webhook>, admission: Arc<Admission>, pages: Arc<Pages>, stop: CancellationToken) {
    background::repeat(&stop, || async {
        webhook.prune_rate_limits();
        admission.prune_rate_limits();
        pages.claims.prune();
        if let Err(error) = pages.sessions.forget_old_join_tokens().await {
            tracing::debug!(%error, "what nobody joined with cannot be forgotten yet; trying again in a minute");
        }
        Next::After(PRUNE_EVERY)
    })
    .await;
}
