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

use crate::{config::split_secrets, http::rate_limit::Budget};

/// Strangers can ask for any address: what is remembered is bounded in number and in time. A rotated secret is seen
/// after this long.
const REMEMBERED: u64 = 10_000;
const REMEMBER_FOR: Duration = Duration::from_secs(30);
/// Look-ups at the same time, of known addresses and of others: strangers must not take the connections that events need.
const LOOK_UPS: usize = 2;
/// Look-ups that wait for these, of others. More are told to come back: a queue without end would be one that nobody leaves in
/// time.
const STRANGERS_WAITING: usize = 64;
/// Of known addresses: nobody can invent one, and after a restart all of them may have events at once.
const KNOWN_WAITING: usize = 1024;
/// Look-ups that find nothing, per address of a caller: then it waits. Stripe's own asks for what its customers entered, and
/// rarely finds nothing.
const FRUITLESS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");
/// Callers that are over it, at most.
const BARRED: u64 = 65_536;

/// Where events of one connection come in.
#[derive(Debug)]
pub struct Endpoint {
    /// Whose.
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
pub enum NoAnswer {
    /// See [`Unavailable`].
    Unavailable,
    /// The caller asked for too many addresses that do not exist, and waits so long.
    OverBudget(Duration),
}

/// Why a look-up did not happen, or failed.
#[derive(Debug, thiserror::Error)]
enum LookUp {
    #[error("too many look-ups wait")]
    Crowded,
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// A few look-ups at once, and a queue that ends.
struct Lane {
    places: Semaphore,
    turns: Semaphore,
}

impl Lane {
    fn new(waiting: usize) -> Self {
        Self { places: Semaphore::new(waiting), turns: Semaphore::new(LOOK_UPS) }
    }
}

/// Addresses that are somebody's, as far as we have heard.
#[derive(Default)]
struct Known {
    learnt: HashSet<u128>,
    /// By look-ups, since the last learning began: its pages may have passed them by.
    found: HashSet<u128>,
}

impl Known {
    fn has(&self, number: u128) -> bool {
        self.learnt.contains(&number) || self.found.contains(&number)
    }

    fn learning_begins(&mut self) {
        self.learnt.extend(self.found.drain());
    }

    fn learning_ends(&mut self, learnt: HashSet<u128>) {
        self.learnt = learnt;
    }
}

/// The connection that variables describe.
enum Environment {
    /// None is described.
    None,
    /// One is; empty until its row is known, which takes a database.
    One(OnceLock<Arc<Endpoint>>),
}

/// Finds endpoints.
pub struct Endpoints {
    pool: Pool,
    keyring: Option<Keyring>,
    environment: Environment,
    remembered: Cache<String, Option<Arc<Endpoint>>>,
    /// These are looked up before all others, for every caller.
    known: RwLock<Known>,
    for_known: Lane,
    for_strangers: Lane,
    fruitless: Budget<IpAddr>,
    /// Who is over the budget, until when.
    barred: Cache<IpAddr, Instant>,
}

impl Endpoints {
    /// Looks in `pool`, opens secrets with `keyring`. `configured`: whether variables describe a connection, which
    /// [`Endpoints::introduce`] will tell of.
    pub fn new(pool: Pool, keyring: Option<Keyring>, configured: bool) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBER_FOR).build();
        let environment = if configured { Environment::One(OnceLock::new()) } else { Environment::None };
        Self {
            pool,
            keyring,
            environment,
            remembered,
            known: RwLock::default(),
            for_known: Lane::new(KNOWN_WAITING),
            for_strangers: Lane::new(STRANGERS_WAITING),
            fruitless: Budget::per_minute(FRUITLESS_PER_MINUTE),
            barred: Cache::builder().max_capacity(BARRED).time_to_live(Duration::from_secs(60)).build(),
        }
    }

    /// Forgets callers that have their whole budget again.
    pub fn forget_old_addresses(&self) {
        self.fruitless.forget();
    }

    /// Learns which addresses are somebody's. Call it at the start and now and then: a stranger's flood must not keep out the
    /// events of a connection that nobody has asked for yet.
    pub async fn learn(&self) -> Result<(), sqlx::Error> {
        let (mut learnt, mut last) = (HashSet::new(), String::new());
        self.change_known(Known::learning_begins);
        loop {
            let page = within(async {
                stripe_connections::endpoint_ids(&mut self.pool.across().await?, &last).await
            });
            let page = page.await?;
            learnt.extend(page.iter().filter_map(|id| number(id)));
            let Some(end) = page.into_iter().next_back() else { break };
            last = end;
        }
        self.change_known(|known| known.learning_ends(learnt));
        Ok(())
    }

    fn change_known(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_known(&self, number: u128) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).has(number)
    }

    /// Tells of the connection that variables describe, once its row is known.
    pub fn introduce(&self, endpoint: Endpoint) {
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

    /// The endpoint at `/webhooks/stripe/{id}`; `None` if there is none. What is remembered is answered to everybody; what has
    /// to be looked up, only to callers that have not asked for too much that does not exist.
    pub async fn find(&self, id: &str, caller: IpAddr) -> Result<Option<Arc<Endpoint>>, NoAnswer> {
        let Some(number) = number(id) else { return Ok(None) };
        if let Some(remembered) = self.remembered.get(id).await {
            return Ok(remembered);
        }
        let known = self.is_known(number);
        if let Some(until) = self.barred.get(&caller).await.filter(|_| !known) {
            let wait = until.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return Err(NoAnswer::OverBudget(wait));
            }
        }
        let lane = if known { &self.for_known } else { &self.for_strangers };
        // Many at once for one address share one look-up; a failed one is not remembered.
        let found = self.remembered.try_get_with_by_ref(id, self.load(id, lane)).await;
        let found = found.map_err(|error: Arc<LookUp>| {
            match *error {
                // Not by the line: a flood must not fill the disk.
                LookUp::Crowded => tracing::debug!(%error, "a webhook endpoint is not looked up"),
                LookUp::Failed(_) => tracing::error!(%error, "a webhook endpoint cannot be looked up"),
            }
            NoAnswer::Unavailable
        })?;
        match &found {
            // Connected since we last learnt.
            Some(_) if !known => self.change_known(|known| {
                known.found.insert(number);
            }),
            Some(_) => {}
            None => {
                if let Err(wait) = self.fruitless.take(&caller) {
                    self.barred.insert(caller, Instant::now() + wait).await;
                }
            }
        }
        Ok(found)
    }

    async fn load(&self, id: &str, lane: &Lane) -> Result<Option<Arc<Endpoint>>, LookUp> {
        let _place = lane.places.try_acquire().map_err(|_| LookUp::Crowded)?;
        let _turn = lane.turns.acquire().await.map_err(|error| LookUp::Failed(error.into()))?;
        self.read(id).await.map_err(LookUp::Failed)
    }

    async fn read(&self, id: &str) -> anyhow::Result<Option<Arc<Endpoint>>> {
        // A hung look-up would keep its turn, and two of them everybody's.
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
    fn what_a_look_up_finds_while_addresses_are_being_learnt_stays_known_and_what_is_gone_does_not() {
        let mut known = Known::default();
        known.learning_begins();
        known.learning_ends(HashSet::from([1, 2]));
        known.found.insert(3);
        known.learning_begins();
        assert!([1, 2, 3].iter().all(|n| known.has(*n)), "meanwhile all are known");
        known.found.insert(4);
        // 2 and 3 were disconnected; 4 was connected behind the page that was being read.
        known.learning_ends(HashSet::from([1]));
        assert_eq!([1, 2, 3, 4].map(|n| known.has(n)), [true, false, false, true]);
        known.learning_begins();
        known.learning_ends(HashSet::from([1]));
        assert_eq!([1, 4].map(|n| known.has(n)), [true, false]);
    }
}
