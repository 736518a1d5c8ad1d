//! Numbers for operators. In: what the services count, by the `metrics` macros. Out: Prometheus text on `/metrics`, on an
//! internal address of its own.
//!
//! Labels are words from closed lists, never an id: a number must not tell who pays, and every value of a label costs
//! memory for ever.

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use crate::db::pool::{Pool, within};
use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    background::{self, Next},
    http,
    store::queue_depth,
};

/// Events that reached the gateway, by `outcome`.
pub const WEBHOOKS: &str = "nexrole_webhooks_total";
/// From a webhook's first byte to its answer, by `outcome`.
pub const WEBHOOK_SECONDS: &str = "nexrole_webhook_seconds";
/// Requests that the gateway's guard refused before their route, by `reason`.
pub const HTTP_REFUSALS: &str = "nexrole_http_refusals_total";
/// Objects read from Stripe, by `outcome`.
pub const STRIPE_READS: &str = "nexrole_stripe_reads_total";
/// Polls of Stripe's list of events, by `outcome`.
pub const EVENT_POLLS: &str = "nexrole_event_polls_total";
/// Requests to Stripe's API, by `urgency`: `payment` where somebody waits, else `sweep`.
pub const STRIPE_REQUESTS: &str = "nexrole_stripe_requests_total";
/// Of the connection that has fewest: reads that Stripe still grants it this month.
pub const STRIPE_READS_LEFT: &str = "nexrole_stripe_reads_left";
/// Pages of Stripe's list of subscriptions, by `outcome`.
pub const LIST_PAGES: &str = "nexrole_list_pages_total";
/// Steps of backfills, by `outcome`.
pub const BACKFILL_STEPS: &str = "nexrole_backfill_steps_total";
/// Calls to Discord by the worker, by `method` and `outcome`.
pub const DISCORD_CALLS: &str = "nexrole_discord_calls_total";
/// How long Discord took, by `method`.
pub const DISCORD_SECONDS: &str = "nexrole_discord_call_seconds";
/// Role jobs that were settled, by the `state` they were left in.
pub const ROLE_JOBS: &str = "nexrole_role_jobs_total";
/// 1 while the bot hears everything from Discord's Gateway.
pub const GATEWAY_UP: &str = "nexrole_gateway_up";
/// Sessions begun at the Gateway; a day has usually 1,000.
pub const GATEWAY_IDENTIFIES: &str = "nexrole_gateway_identifies_total";
/// Gateway connections that ended, by `end`.
pub const GATEWAY_ENDS: &str = "nexrole_gateway_ends_total";
/// Events of a kind that we use and frames that could not be read, by `kind`.
pub const GATEWAY_UNREAD: &str = "nexrole_gateway_events_unread_total";

const PENDING: &str = "nexrole_role_jobs_pending";
const PARKED: &str = "nexrole_role_jobs_parked";
const HELD: &str = "nexrole_role_jobs_held";
const OLDEST_DUE: &str = "nexrole_role_jobs_oldest_due_seconds";
const UNREAD: &str = "nexrole_stripe_objects_unread";
const OLDEST_UNREAD: &str = "nexrole_stripe_objects_oldest_unread_seconds";
const DATABASE_UP: &str = "nexrole_database_up";

/// Upper bounds of the histograms' buckets, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Histograms are folded so often even if nobody scrapes: their samples are kept until then.
const FOLD_EVERY: Duration = Duration::from_secs(15);

/// Where `/metrics` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsBind {
    /// Nobody chose it: if the port is taken, the service runs without.
    Default(SocketAddr),
    /// `METRICS_BIND`: if it cannot be had, the service does not start.
    Chosen(SocketAddr),
}

/// Answers `/metrics` until `stop`. Fails at once if the chosen address cannot be had.
pub async fn start(bind: MetricsBind, pool: Pool, stop: CancellationToken) -> std::io::Result<()> {
    let (MetricsBind::Default(address) | MetricsBind::Chosen(address)) = bind;
    let listener = match (TcpListener::bind(address).await, bind) {
        (Ok(listener), _) => listener,
        (Err(error), MetricsBind::Default(_)) => {
            tracing::warn!(%address, %error, "no /metrics: its usual address is taken; METRICS_BIND chooses another");
            return Ok(());
        }
        (Err(error), MetricsBind::Chosen(_)) => return Err(error),
    };
    tracing::info!(address = %listener.local_addr()?, "/metrics is served");
    let Some(handle) = recorder() else {
        tracing::warn!("no /metrics: another recorder is installed in this process");
        return Ok(());
    };
    let app = Router::new().route("/metrics", get(move || async move { scrape(handle, &pool).await }));
    let app = http::problem::with_problem_fallbacks(app);
    tokio::spawn(async move {
        let served = http::serve(listener, app, http::limits::Limits::default(), stop.clone());
        let folding = background::repeat(&stop, || async {
            handle.run_upkeep();
            Next::After(FOLD_EVERY)
        });
        // A scrape in flight does not hold the service up.
        tokio::select! { () = served => {} () = folding => {} }
    });
    Ok(())
}

/// One per process: the `metrics` macros know no other. `None` if somebody else's is installed.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let installed = RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?;
        let handle = builder.install_recorder().ok()?;
        describe();
        Some(handle)
    });
    installed.as_ref()
}

fn describe() {
    describe_counter!(WEBHOOKS, "Requests to the webhook routes, by outcome");
    describe_histogram!(WEBHOOK_SECONDS, Unit::Seconds, "From a webhook's arrival to its answer");
    describe_counter!(HTTP_REFUSALS, "Requests refused before they reached a route, by reason");
    describe_counter!(STRIPE_READS, "Objects read from Stripe, by outcome");
    describe_counter!(EVENT_POLLS, "Polls of Stripe's list of events, by outcome");
    describe_counter!(
        STRIPE_REQUESTS,
        "Requests to Stripe's API, each a read of an account's grant, by urgency"
    );
    describe_gauge!(
        STRIPE_READS_LEFT,
        "Reads of Stripe's API that are left this month to the account that has fewest; without any only payers are read"
    );
    describe_counter!(LIST_PAGES, "Pages of Stripe's list of subscriptions, by outcome");
    describe_counter!(BACKFILL_STEPS, "Steps of backfills that the operator ordered, by outcome");
    describe_counter!(DISCORD_CALLS, "Calls to Discord by the worker, by method and outcome");
    describe_histogram!(DISCORD_SECONDS, Unit::Seconds, "How long Discord took to answer the worker");
    describe_counter!(ROLE_JOBS, "Role jobs settled, by the state they were left in");
    describe_gauge!(GATEWAY_UP, "1 while the bot hears everything from Discord's Gateway");
    describe_counter!(GATEWAY_IDENTIFIES, "Sessions begun at the Gateway; Discord allows usually 1000 a day");
    describe_counter!(GATEWAY_ENDS, "Gateway connections that ended, by how");
    describe_counter!(GATEWAY_UNREAD, "Gateway events that could not be read, by kind");
    describe_gauge!(PENDING, "Role jobs to be done, counted up to 100000");
    describe_gauge!(PARKED, "Role jobs that wait for a member or a permission, up to 100000");
    describe_gauge!(
        HELD,
        "Role jobs that an owner is to approve or discard, up to 100000: see `nexrole held`"
    );
    describe_gauge!(OLDEST_DUE, Unit::Seconds, "Age of the oldest role job that is due");
    describe_gauge!(UNREAD, "Stripe objects to be read, counted up to 100000");
    describe_gauge!(OLDEST_UNREAD, Unit::Seconds, "Age of the oldest Stripe object to be read");
    describe_gauge!(DATABASE_UP, "1 if the database answered this scrape");
}

/// The counters, and the queues as they are now. When the database is away its gauges are not a number, never old.
#[expect(clippy::cast_precision_loss, reason = "counts up to 100,000")]
async fn scrape(handle: &PrometheusHandle, pool: &Pool) -> Response {
    let measured = within(async { queue_depth::depth(&mut pool.across().await?).await });
    let found = match measured.await {
        Ok(queues) => Some(queues),
        Err(error) => {
            tracing::debug!(%error, "the queues cannot be counted");
            None
        }
    };
    gauge!(DATABASE_UP).set(if found.is_some() { 1.0 } else { 0.0 });
    gauge!(PENDING).set(found.map_or(f64::NAN, |q| q.pending as f64));
    gauge!(PARKED).set(found.map_or(f64::NAN, |q| q.parked as f64));
    gauge!(HELD).set(found.map_or(f64::NAN, |q| q.held as f64));
    gauge!(OLDEST_DUE).set(found.map_or(f64::NAN, |q| q.oldest_due_seconds));
    gauge!(UNREAD).set(found.map_or(f64::NAN, |q| q.unread as f64));
    gauge!(OLDEST_UNREAD).set(found.map_or(f64::NAN, |q| q.oldest_unread_seconds));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response()
}
