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
    http::{HeaderMap, header},
};
use http_body_util::BodyExt as _;
use metrics::{counter, histogram};
use serde_json::{Value, json};
use shared::{
    metrics::{WEBHOOK_SECONDS, WEBHOOKS},
    store::stripe_events::Recorded,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    endpoints::{Endpoint, Endpoints, NoAnswer},
    recorder::Recorder,
};
use crate::{
    http::{client_ip::budget_key, error::Problem, guard::texts, rate_limit::Budget},
    stripe::{event, signature},
};

/// Stripe's largest events are some 20 kB.
const MAX_BODY: usize = 1024 * 1024;
/// A larger body needs one of a few places, or unverified bodies would fill the memory: at worst these take 32 MiB.
const USUAL_BODY: usize = 64 * 1024;
const LARGE_BODIES: usize = 32;
/// A client has this long to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bad signatures and unfinished bodies per address: a burst, then so many per minute. A misconfigured endpoint stays under it.
const BAD_SIGNATURES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");

/// What the route needs.
pub struct Webhook {
    endpoints: Arc<Endpoints>,
    recorder: Recorder,
    trusted_proxy_hops: usize,
    bad_signatures: Budget<IpAddr>,
    large_bodies: Semaphore,
}

/// All bytes of a body.
struct Whole<'w> {
    bytes: Vec<u8>,
    _large: Option<SemaphorePermit<'w>>,
}

impl Webhook {
    /// Builds the route's state.
    pub fn new(endpoints: Arc<Endpoints>, recorder: Recorder, trusted_proxy_hops: usize) -> Self {
        let bad_signatures = Budget::per_minute(BAD_SIGNATURES_PER_MINUTE);
        let large_bodies = Semaphore::new(LARGE_BODIES);
        Self { endpoints, recorder, trusted_proxy_hops, bad_signatures, large_bodies }
    }

    /// Forgets addresses that have their whole budget again. Call it now and then, or memory grows.
    pub fn forget_old_addresses(&self) {
        self.bad_signatures.forget();
        self.endpoints.forget_old_addresses();
    }

    /// What is no signed event costs the caller's budget; nothing else does, so a signed event is never limited. What is over
    /// the budget is not logged either: a flood must not fill the disk.
    fn refuse(&self, caller: IpAddr, reason: &str, problem: Problem) -> Problem {
        match self.bad_signatures.take(&caller) {
            Ok(()) => {
                tracing::warn!(reason, client.ip = %caller, "a webhook was refused");
                problem
            }
            Err(wait) => Problem::TooManyBadSignatures(wait),
        }
    }

    async fn whole(&self, caller: IpAddr, headers: &HeaderMap, body: Body) -> Result<Whole<'_>, Problem> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BODY) {
            return Err(Problem::TooLarge);
        }
        let read = tokio::time::timeout(BODY_TIMEOUT, self.collect(body)).await;
        match read.unwrap_or(Err(Problem::BodySlow)) {
            Err(Problem::BodySlow) => Err(self.refuse(caller, "slow body", Problem::BodySlow)),
            Err(Problem::BodyBroken) => Err(self.refuse(caller, "unfinished body", Problem::BodyBroken)),
            read => read,
        }
    }

    async fn collect(&self, mut body: Body) -> Result<Whole<'_>, Problem> {
        let mut whole = Whole { bytes: Vec::new(), _large: None };
        while let Some(frame) = body.frame().await {
            // Trailers say nothing to us.
            let Ok(part) = frame.map_err(|_| Problem::BodyBroken)?.into_data() else { continue };
            let length = whole.bytes.len() + part.len();
            if length > MAX_BODY {
                return Err(Problem::TooLarge);
            }
            if length > USUAL_BODY && whole._large.is_none() {
                whole._large = Some(self.large_bodies.try_acquire().map_err(|_| Problem::Unavailable)?);
            }
            whole.bytes.extend_from_slice(&part);
        }
        Ok(whole)
    }

    fn caller(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        budget_key(peer.ip(), &texts(headers, "x-forwarded-for"), self.trusted_proxy_hops)
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
        let body = webhook.whole(caller, &headers, body).await?;
        let endpoint = webhook.endpoints.configured().map_err(|_| Problem::Unavailable)?;
        accept(&webhook, endpoint, caller, &headers, &body.bytes).await
    })
    .await
}

/// One tenant's endpoint.
pub async fn receive_for(
    State(webhook): State<Arc<Webhook>>,
    endpoint_id: Result<Path<String>, PathRejection>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    counted(async {
        let caller = webhook.caller(peer, &headers);
        let body = webhook.whole(caller, &headers, body).await?;
        // Not even UTF-8: unknown like any other.
        let endpoint_id = endpoint_id.map(|Path(id)| id).unwrap_or_default();
        let endpoint = webhook.endpoints.find(&endpoint_id, caller).await.map_err(|why| match why {
            NoAnswer::Unavailable => Problem::Unavailable,
            NoAnswer::OverBudget(wait) => Problem::TooManyBadSignatures(wait),
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
        Err(problem) => problem.word(),
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
            return Err(webhook.refuse(caller, &reason, Problem::BadSignature));
        }
    };
    let event = event::parse(&payload).map_err(|error| {
        tracing::warn!(%error, guild.id = %endpoint.connection.guild, "a signed webhook is no event");
        Problem::NotAnEvent
    })?;
    let (event_id, event_type) = (event.id.clone(), event.event_type.clone());
    let new = event.for_connection(endpoint.connection, endpoint.livemode);
    let recorded = webhook.recorder.record(new).await.map_err(|_| Problem::Unavailable)?;
    tracing::debug!(event.id = %event_id, event.kind = event_type, ?recorded, "event recorded");
    Ok(recorded)
}
