//! `POST /webhooks/stripe[/{endpoint_id}]`: verify, read, record, answer. In: bytes. Out: 200 after the commit, or why not.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::BodyExt as _;
use metrics::{counter, histogram};
use serde_json::{Value, json};
use shared::{
    metrics::{WEBHOOK_SECONDS, WEBHOOKS},
    store::stripe_events::Recorded,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use super::{
    endpoints::{Endpoint, Endpoints, FindError},
    recorder::{self, Recorder},
};
use crate::{
    http::{
        client_ip::{header_texts, rate_limit_key},
        error::Problem,
        rate_limit::RateLimit,
    },
    stripe::{event, signature},
};

/// Stripe's largest events are some 20 kB.
const MAX_BODY: usize = 1024 * 1024;
/// A larger body needs one of a few places, or unverified bodies would fill the memory: at worst these take 32 MiB.
const SMALL_BODY: usize = 64 * 1024;
const LARGE_BODIES: usize = 32;
/// A client has this long to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bad signatures and unfinished bodies per address: a burst, then so many per minute. A misconfigured endpoint stays under it.
const BAD_SIGNATURES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");

/// Signature missing, malformed, wrong or stale, or the endpoint is unknown: one answer for all.
const BAD_SIGNATURE: Problem = Problem::new(
    "bad_signature",
    StatusCode::BAD_REQUEST,
    "Signature not accepted",
    "No valid Stripe-Signature for this endpoint. Check the endpoint's address and signing secret.",
);
/// Correctly signed, but not an event.
const NOT_AN_EVENT: Problem = Problem::new(
    "not_an_event",
    StatusCode::BAD_REQUEST,
    "Not a Stripe event",
    "The signature is right, but the body is not a JSON event with an id and a type.",
);
const TOO_LARGE: Problem = Problem::new(
    "too_large",
    StatusCode::PAYLOAD_TOO_LARGE,
    "Body too large",
    "An event may have at most 1 MiB.",
);
const BODY_BROKEN: Problem = Problem::new(
    "body_broken",
    StatusCode::BAD_REQUEST,
    "Body incomplete",
    "The body did not arrive whole. Send it again.",
);
const BODY_SLOW: Problem = Problem::new(
    "body_slow",
    StatusCode::REQUEST_TIMEOUT,
    "Body too slow",
    "The body did not arrive within 10 seconds. Send it again.",
);
/// Stripe is to send the event again.
const NOT_STORED: Problem = Problem {
    retry_after: Some(Duration::from_secs(1)),
    ..Problem::new(
        "unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "Not stored",
        "The event could not be stored just now. Send it again.",
    )
};

fn too_many_bad_signatures(retry_after: Duration) -> Problem {
    Problem {
        retry_after: Some(retry_after),
        ..Problem::new(
            "limited",
            StatusCode::TOO_MANY_REQUESTS,
            "Too many bad signatures",
            "This address sent too many requests that were not signed for an endpoint of ours. Signed events are accepted \
             all the same; only an endpoint that was connected within the last minute may have to wait for Retry-After.",
        )
    }
}

/// The state of both routes.
pub struct Webhook {
    endpoints: Arc<Endpoints>,
    recorder: Recorder,
    trusted_proxy_hops: usize,
    bad_signatures: RateLimit<IpAddr>,
    large_bodies: Semaphore,
}

/// A body in memory, and the place that a large one takes.
struct BufferedBody<'w> {
    bytes: Vec<u8>,
    _large_place: Option<SemaphorePermit<'w>>,
}

impl Webhook {
    pub fn new(endpoints: Arc<Endpoints>, recorder: Recorder, trusted_proxy_hops: usize) -> Self {
        let bad_signatures = RateLimit::per_minute(BAD_SIGNATURES_PER_MINUTE);
        let large_bodies = Semaphore::new(LARGE_BODIES);
        Self { endpoints, recorder, trusted_proxy_hops, bad_signatures, large_bodies }
    }

    pub fn prune_rate_limits(&self) {
        self.bad_signatures.prune();
        self.endpoints.prune_rate_limits();
    }

    /// What is no signed event counts for the caller's rate limit; nothing else does, so a signed event is never limited. What
    /// is over the limit is not logged either: a flood must not fill the disk.
    fn refuse(&self, caller: IpAddr, reason: &str, problem: Problem) -> Problem {
        match self.bad_signatures.check(&caller) {
            Ok(()) => {
                tracing::warn!(reason, client.ip = %caller, "a webhook was refused");
                problem
            }
            Err(wait) => too_many_bad_signatures(wait),
        }
    }

    async fn read_body(
        &self,
        caller: IpAddr,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<BufferedBody<'_>, Problem> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BODY) {
            return Err(TOO_LARGE);
        }
        match tokio::time::timeout(BODY_TIMEOUT, self.collect(body)).await {
            Err(_) => Err(self.refuse(caller, "slow body", BODY_SLOW)),
            Ok(Err(problem)) if problem == BODY_BROKEN => {
                Err(self.refuse(caller, "unfinished body", problem))
            }
            Ok(read) => read,
        }
    }

    async fn collect(&self, mut body: Body) -> Result<BufferedBody<'_>, Problem> {
        let mut buffered = BufferedBody { bytes: Vec::new(), _large_place: None };
        while let Some(frame) = body.frame().await {
            // Trailers say nothing to us.
            let Ok(part) = frame.map_err(|_| BODY_BROKEN)?.into_data() else { continue };
            let length = buffered.bytes.len() + part.len();
            if length > MAX_BODY {
                return Err(TOO_LARGE);
            }
            if length > SMALL_BODY && buffered._large_place.is_none() {
                buffered._large_place = Some(self.large_bodies.try_acquire().map_err(|_| NOT_STORED)?);
            }
            buffered.bytes.extend_from_slice(&part);
        }
        Ok(buffered)
    }

    fn caller(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        rate_limit_key(peer.ip(), &header_texts(headers, "x-forwarded-for"), self.trusted_proxy_hops)
    }
}

/// The endpoint that variables describe.
pub async fn receive(
    State(webhook): State<Arc<Webhook>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    counted(async {
        let caller = webhook.caller(peer, &headers);
        let body = webhook.read_body(caller, &headers, body).await?;
        let endpoint = webhook.endpoints.configured().map_err(|_| NOT_STORED)?;
        accept(&webhook, endpoint, caller, &headers, &body.bytes).await
    })
    .await
}

pub async fn receive_for(
    State(webhook): State<Arc<Webhook>>,
    endpoint_id: Result<Path<String>, PathRejection>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    counted(async {
        let caller = webhook.caller(peer, &headers);
        let body = webhook.read_body(caller, &headers, body).await?;
        // Not even UTF-8: unknown like any other.
        let endpoint_id = endpoint_id.map(|Path(id)| id).unwrap_or_default();
        let endpoint = webhook.endpoints.find(&endpoint_id, caller).await.map_err(|why| match why {
            FindError::Unavailable => NOT_STORED,
            FindError::Blocked(wait) => too_many_bad_signatures(wait),
        })?;
        accept(&webhook, endpoint, caller, &headers, &body.bytes).await
    })
    .await
}

/// Counts and times a request; then it becomes Stripe's answer.
async fn counted(request: impl Future<Output = Result<Recorded, Problem>>) -> Result<Json<Value>, Problem> {
    let began = Instant::now();
    let result = request.await;
    let outcome = match result {
        Ok(Recorded::New) => "new",
        Ok(Recorded::Duplicate) => "duplicate",
        Err(problem) => problem.kind,
    };
    counter!(WEBHOOKS, "outcome" => outcome).increment(1);
    histogram!(WEBHOOK_SECONDS, "outcome" => outcome).record(began.elapsed().as_secs_f64());
    Ok(Json(json!({ "received": true, "duplicate": result? == Recorded::Duplicate })))
}

async fn accept(
    webhook: &Webhook,
    endpoint: Option<Arc<Endpoint>>,
    caller: IpAddr,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Recorded, Problem> {
    let mut signatures = headers.get_all("stripe-signature").iter();
    let signature = signatures.next().filter(|_| signatures.next().is_none());
    // An unknown endpoint is refused like a wrong signature, after the same work.
    let secrets =
        endpoint.as_ref().map_or_else(|| vec!["whsec_of_nobody".into()], |endpoint| endpoint.secrets.clone());
    let now = shared::clock::now().unix_timestamp();
    let verified = signature::verify(body, signature.map(|value| value.as_bytes()), &secrets, now);
    let (payload, endpoint) = match (verified, endpoint) {
        (Ok(payload), Some(endpoint)) => (payload, endpoint),
        (verified, endpoint) => {
            let reason = match (verified, endpoint) {
                (_, None) => "unknown endpoint".to_owned(),
                (Err(rejection), _) => rejection.to_string(),
                (Ok(_), Some(_)) => "accepted".to_owned(),
            };
            return Err(webhook.refuse(caller, &reason, BAD_SIGNATURE));
        }
    };
    let event = event::parse(&payload).map_err(|error| {
        tracing::warn!(%error, guild.id = %endpoint.connection.guild, "a signed webhook is no event");
        NOT_AN_EVENT
    })?;
    let guild = endpoint.connection.guild;
    let span =
        tracing::info_span!("event", event.id = %event.id, event.kind = event.event_type, guild.id = %guild);
    let new = recorder::for_connection(event, endpoint.connection, endpoint.livemode);
    async {
        let recorded = webhook.recorder.record(new).await.map_err(|_| NOT_STORED)?;
        tracing::debug!(?recorded, "event recorded");
        Ok(recorded)
    }
    .instrument(span)
    .await
}
