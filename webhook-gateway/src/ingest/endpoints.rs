//! Which connection a webhook address belongs to, and its secrets. In: the last part of the path. Out: an [`Endpoint`].

use std::{
    collections::HashSet,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use moka::future::Cache;
use secrecy::SecretString;
use shared::db::pool::{Pool, within};
use shared::{
    crypto::Keyring,
    store::stripe_connections::{self, Connection},
};
use tokio::sync::Semaphore;

use crate::{config::split_secrets, http::rate_limit::RateLimit};

/// Unknown callers can ask for any address: the cache is bounded in number and in time. A rotated secret is seen after this
/// long.
const CACHE_SIZE: u64 = 10_000;
const CACHE_TTL: Duration = Duration::from_secs(30);
/// Look-ups at the same time, of known addresses and of others each: guesses must not take the connections that events need.
const CONCURRENT_LOOKUPS: usize = 2;
/// Look-ups that wait for these, of unknown addresses. More are told to come back: a queue without end would be one that nobody
/// leaves in time.
const UNKNOWN_QUEUE: usize = 64;
/// Of known addresses: nobody can invent one, and after a restart all of them may have events at once.
const KNOWN_QUEUE: usize = 1024;
/// Look-ups that find nothing, per address of a caller: then it is blocked for a while. Stripe asks for what its customers
/// entered, and rarely finds nothing.
const MISSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");
/// Callers that are over it, at most.
const MAX_BLOCKED: u64 = 65_536;

/// Where events of one connection come in.
#[derive(Debug)]
pub struct Endpoint {
    pub connection: Connection,
    /// Events of the other mode are not for it.
    pub livemode: bool,
    /// Any of them may have signed.
    pub secrets: Vec<SecretString>,
}

/// No answer: the database is away, or a sealed secret does not open. The cause is logged here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// Why nobody can say what is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindError {
    Unavailable,
    /// The caller asked for too many addresses that do not exist, and is blocked for so long.
    Blocked(Duration),
}

/// Why a look-up did not happen, or failed.
#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("too many look-ups wait")]
    QueueFull,
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// A few look-ups at once, and a bounded queue for the next.
struct LookupQueue {
    queue: Semaphore,
    permits: Semaphore,
}

impl LookupQueue {
    fn new(capacity: usize) -> Self {
        Self { queue: Semaphore::new(capacity), permits: Semaphore::new(CONCURRENT_LOOKUPS) }
    }
}

/// Addresses that exist, as far as we know.
#[derive(Default)]
struct Known {
    preloaded: HashSet<u128>,
    /// By look-ups, since the last preload began: its pages may have passed them by.
    looked_up: HashSet<u128>,
}

impl Known {
    fn has(&self, number: u128) -> bool {
        self.preloaded.contains(&number) || self.looked_up.contains(&number)
    }

    fn preload_started(&mut self) {
        self.preloaded.extend(self.looked_up.drain());
    }

    fn preload_finished(&mut self, preloaded: HashSet<u128>) {
        self.preloaded = preloaded;
    }
}

/// The connection that variables describe.
enum Environment {
    None,
    /// One is; empty until its row is known, which takes a database.
    One(OnceLock<Arc<Endpoint>>),
}

pub struct Endpoints {
    pool: Pool,
    keyring: Option<Keyring>,
    environment: Environment,
    cache: Cache<String, Option<Arc<Endpoint>>>,
    /// These have a queue of their own, open to every caller.
    known: RwLock<Known>,
    known_lookups: LookupQueue,
    unknown_lookups: LookupQueue,
    miss_limit: RateLimit<IpAddr>,
    /// Callers over `miss_limit`, and until when.
    blocked: Cache<IpAddr, Instant>,
}

impl Endpoints {
    /// Searches `pool`, opens secrets with `keyring`. `configured`: whether variables describe a connection, for
    /// [`Endpoints::set_configured`].
    pub fn new(pool: Pool, keyring: Option<Keyring>, configured: bool) -> Self {
        let cache = Cache::builder().max_capacity(CACHE_SIZE).time_to_live(CACHE_TTL).build();
        let environment = if configured { Environment::One(OnceLock::new()) } else { Environment::None };
        Self {
            pool,
            keyring,
            environment,
            cache,
            known: RwLock::default(),
            known_lookups: LookupQueue::new(KNOWN_QUEUE),
            unknown_lookups: LookupQueue::new(UNKNOWN_QUEUE),
            miss_limit: RateLimit::per_minute(MISSES_PER_MINUTE),
            blocked: Cache::builder().max_capacity(MAX_BLOCKED).time_to_live(Duration::from_secs(60)).build(),
        }
    }

    pub fn prune_rate_limits(&self) {
        self.miss_limit.prune();
    }

    /// Reads which addresses exist. Call it at the start and now and then: a flood of guesses must not keep out the events of a
    /// connection that nobody has asked for yet.
    pub async fn preload(&self) -> Result<(), sqlx::Error> {
        let (mut preloaded, mut last) = (HashSet::new(), String::new());
        self.change_known(Known::preload_started);
        loop {
            let page = within(async {
                stripe_connections::endpoint_ids(&mut self.pool.across().await?, &last).await
            });
            let page = page.await?;
            preloaded.extend(page.iter().filter_map(|id| number(id)));
            let Some(end) = page.into_iter().next_back() else { break };
            last = end;
        }
        self.change_known(|known| known.preload_finished(preloaded));
        Ok(())
    }

    fn change_known(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_known(&self, number: u128) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).has(number)
    }

    /// Sets the connection that variables describe, once its row is known. The first one stays.
    pub fn set_configured(&self, endpoint: Endpoint) {
        if let Environment::One(known) = &self.environment {
            known.get_or_init(|| Arc::new(endpoint));
        }
    }

    /// The endpoint at `/webhooks/stripe`: the one from variables; `None` if there is none. Not available until its row
    /// is known: an event could not be stored.
    pub fn configured(&self) -> Result<Option<Arc<Endpoint>>, Unavailable> {
        match &self.environment {
            Environment::None => Ok(None),
            Environment::One(known) => known.get().cloned().map(Some).ok_or(Unavailable),
        }
    }

    /// The endpoint at `/webhooks/stripe/{id}`; `None` if there is none. What is cached is answered to everybody; what has to
    /// be looked up, only to callers that have not asked for too much that does not exist.
    pub async fn find(&self, id: &str, caller: IpAddr) -> Result<Option<Arc<Endpoint>>, FindError> {
        let Some(number) = number(id) else { return Ok(None) };
        if let Some(cached) = self.cache.get(id).await {
            return Ok(cached);
        }
        let known = self.is_known(number);
        if let Some(until) = self.blocked.get(&caller).await.filter(|_| !known) {
            let wait = until.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return Err(FindError::Blocked(wait));
            }
        }
        let queue = if known { &self.known_lookups } else { &self.unknown_lookups };
        // Many at once for one address share one look-up; a failed one is not cached.
        let found = self.cache.try_get_with_by_ref(id, self.load(id, queue)).await;
        let found = found.map_err(|error: Arc<LookupError>| {
            match *error {
                // Not by the line: a flood must not fill the disk.
                LookupError::QueueFull => tracing::debug!(%error, "a webhook endpoint is not looked up"),
                LookupError::Failed(_) => tracing::error!(%error, "a webhook endpoint cannot be looked up"),
            }
            FindError::Unavailable
        })?;
        match &found {
            // Connected since the last preload.
            Some(_) if !known => self.change_known(|known| {
                known.looked_up.insert(number);
            }),
            Some(_) => {}
            None => {
                if let Err(wait) = self.miss_limit.check(&caller) {
                    self.blocked.insert(caller, Instant::now() + wait).await;
                }
            }
        }
        Ok(found)
    }

    async fn load(&self, id: &str, queue: &LookupQueue) -> Result<Option<Arc<Endpoint>>, LookupError> {
        let _place = queue.queue.try_acquire().map_err(|_| LookupError::QueueFull)?;
        let _permit = queue.permits.acquire().await.map_err(|error| LookupError::Failed(error.into()))?;
        self.read(id).await.map_err(LookupError::Failed)
    }

    async fn read(&self, id: &str) -> anyhow::Result<Option<Arc<Endpoint>>> {
        // A hung look-up would keep its permit, and two of them everybody's.
        let stored =
            within(async { stripe_connections::endpoint(&mut self.pool.across().await?, id).await }).await?;
        let Some(stored) = stored else { return Ok(None) };
        let Some(sealed) = stored.webhook_secrets else {
            // Secrets held by the environment: only the connection that it describes has any.
            let configured = self
                .configured()
                .map_err(|_| anyhow::anyhow!("the configured connection is not known yet"))?;
            return Ok(configured.filter(|endpoint| endpoint.connection == stored.connection));
        };
        let keyring = self.keyring.as_ref().ok_or_else(|| anyhow::anyhow!("ENCRYPTION_KEYS is not set"))?;
        let secrets = keyring.open(&stored.connection.place("webhook_secrets"), &sealed)?;
        let secrets = split_secrets(&secrets)
            .ok_or_else(|| anyhow::anyhow!("the sealed secrets are no whsec_ list"))?;
        Ok(Some(Arc::new(Endpoint { connection: stored.connection, livemode: stored.livemode, secrets })))
    }
}

/// An address' last part, as the schema has it: 32 small hexadecimal digits.
fn number(id: &str) -> Option<u128> {
    let word = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    word.then(|| u128::from_str_radix(id, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lookup_finds_during_a_preload_stays_known_and_what_is_gone_does_not() {
        let mut known = Known::default();
        known.preload_started();
        known.preload_finished(HashSet::from([1, 2]));
        known.looked_up.insert(3);
        known.preload_started();
        assert!([1, 2, 3].iter().all(|n| known.has(*n)), "meanwhile all are known");
        known.looked_up.insert(4);
        // 2 and 3 were disconnected; 4 was connected behind the page that was being read.
        known.preload_finished(HashSet::from([1]));
        assert_eq!([1, 2, 3, 4].map(|n| known.has(n)), [true, false, false, true]);
        known.preload_started();
        known.preload_finished(HashSet::from([1]));
        assert_eq!([1, 4].map(|n| known.has(n)), [true, false]);
    }
}
