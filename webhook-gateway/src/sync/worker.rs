//! The loop around reading: claim dirty objects, read each from Stripe, apply; or try again later.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use shared::{
    domain::billing::BillingFact,
    metrics::STRIPE_READS,
    store::{
        events::ObjectKind,
        sync::{self, Leased},
    },
};
use sqlx::PgPool;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::apply::{Applied, Read, apply};
use crate::{
    keys::{Key, Keys, NoKey},
    stripe::api::{ReadClient, ReadError},
};

/// Objects read at the same time; Stripe allows 25 reads a second per endpoint.
const AT_ONCE: usize = 8;
/// Waits after Stripe said for the 1st, 2nd, … time that it has no such object: 1m, 10m, 1h, 6h, 1d, 2d. It may be the key
/// that is wrong. After that the answer counts, and changes nothing.
const MISSING_WAITS: [Duration; 6] = [
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(48 * 3600),
];
/// Waits after failure 1, 2, …: 1s, 4s, 16s, 1m4s, then 5m for ever: what was not read is never given up.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(16),
    Duration::from_secs(64),
    Duration::from_secs(300),
];

/// What reading needs.
pub struct Sync {
    /// The database.
    pub pool: PgPool,
    /// Stripe.
    pub stripe: ReadClient,
    /// The keys to it.
    pub keys: Arc<Keys>,
    /// How long one worker keeps an object.
    pub lease: Duration,
    /// How often to look without being woken.
    pub poll: Duration,
    /// Told when role jobs were made.
    pub jobs_made: Arc<Notify>,
}

/// Reads until `stop`; then finishes what it holds.
pub async fn run(sync: Arc<Sync>, dirty: Arc<Notify>, stop: CancellationToken) {
    let mut reading = JoinSet::new();
    loop {
        let free = AT_ONCE - reading.len();
        let claimed = if free == 0 { Vec::new() } else { claim(&sync, free).await };
        for leased in claimed {
            let sync = Arc::clone(&sync);
            reading.spawn(async move { sync.one(&leased).await });
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = dirty.notified(), if reading.len() < AT_ONCE => {}
            Some(ended) = reading.join_next() => report(ended),
            () = tokio::time::sleep(sync.poll) => {}
        }
    }
    while let Some(ended) = reading.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // The lease runs out, and the object is read again.
        tracing::error!(%error, "a read ended by a panic");
    }
}

async fn claim(sync: &Sync, free: usize) -> Vec<Leased> {
    let claimed = async {
        let mut db = sync.pool.acquire().await?;
        sync::claim(&mut db, free, Uuid::new_v4(), sync.lease).await
    };
    claimed.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "dirty objects cannot be claimed; trying again");
        Vec::new()
    })
}

/// Why an object is not read now.
#[derive(Debug, thiserror::Error)]
enum NotRead {
    #[error("Stripe did not answer within the lease")]
    TooSlow,
    #[error(transparent)]
    Stripe(#[from] ReadError),
    #[error(transparent)]
    Key(#[from] NoKey),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Sync {
    /// Reads and applies one object, or puts it back for later.
    async fn one(&self, leased: &Leased) {
        let (guild, id) = (leased.connection.guild, leased.object.id.as_str());
        let read = self.read_and_apply(leased).await;
        metrics::counter!(STRIPE_READS, "outcome" => word(&read)).increment(1);
        match read {
            Ok(Applied::Committed(jobs)) => {
                tracing::info!(guild.id = %guild, object.id = id, jobs, "read from Stripe");
                if jobs > 0 {
                    self.jobs_made.notify_one();
                }
            }
            Ok(Applied::LostLease) => {
                tracing::warn!(guild.id = %guild, object.id = id, "the lease ran out while reading");
            }
            Err(error) => {
                let wait = wait(&error, leased.attempts);
                tracing::warn!(guild.id = %guild, object.id = id, %error, wait_seconds = wait.as_secs_f64(),
                    "not read; roles stay as they are until it is");
                self.put_back(leased, wait, &error.to_string()).await;
            }
        }
    }

    async fn read_and_apply(&self, leased: &Leased) -> Result<Applied, NotRead> {
        let Key { key, metadata, .. } = self.keys.of(leased.connection).await?;
        let id = leased.object.id.as_str();
        let reading = async {
            match leased.object.kind {
                ObjectKind::Subscription => {
                    let fact = self.stripe.subscription(&key, id).await?;
                    Ok(Read::Fact(BillingFact::Subscription(fact), Vec::new()))
                }
                ObjectKind::Customer => self.customer(&key, id).await,
                ObjectKind::Catalogue => self.catalogue(&key, leased).await,
            }
        };
        // Longer, and we would lose the lease, begin again, and so on for ever.
        let read =
            tokio::time::timeout(self.lease.mul_f64(0.8), reading).await.map_err(|_| NotRead::TooSlow)?;
        let read = match read {
            Err(ReadError::Missing)
                if usize::try_from(leased.attempts).is_ok_and(|n| n < MISSING_WAITS.len()) =>
            {
                return Err(ReadError::Missing.into());
            }
            Err(ReadError::Missing) => {
                tracing::warn!(guild.id = %leased.connection.guild, object.id = id,
                    "Stripe has no such object in this account; nothing changes");
                Read::Missing
            }
            other => other?,
        };
        Ok(apply(&self.pool, leased, metadata, &read).await?)
    }

    async fn customer(&self, key: &SecretString, id: &str) -> Result<Read, ReadError> {
        let fact = self.stripe.customer(key, id).await?;
        // A deleted customer has no list; its subscriptions that we know are read one by one.
        let subscriptions =
            if fact.deleted { Vec::new() } else { self.stripe.subscriptions_of(key, id).await? };
        Ok(Read::Fact(BillingFact::Customer(fact), subscriptions))
    }

    /// It is only shown: a key that may not read it is no fault.
    async fn catalogue(&self, key: &SecretString, leased: &Leased) -> Result<Read, ReadError> {
        match self.stripe.catalogue(key).await {
            Err(ReadError::Refused(403)) => {
                tracing::warn!(guild.id = %leased.connection.guild,
                    "the key lacks Read on Prices, Products or Payment Links: there is no catalogue to show");
                Ok(Read::Catalogue(None))
            }
            read => Ok(Read::Catalogue(Some(read?))),
        }
    }

    async fn put_back(&self, leased: &Leased, wait: Duration, error: &str) {
        let put = async {
            let mut db = self.pool.acquire().await?;
            sync::retry(&mut db, leased, wait, error).await
        };
        if let Err(error) = put.await {
            tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
        }
    }
}

/// One word, for counting.
fn word(read: &Result<Applied, NotRead>) -> &'static str {
    match read {
        Ok(Applied::Committed(_)) => "applied",
        Ok(Applied::LostLease) => "lost_lease",
        Err(NotRead::TooSlow) => "too_slow",
        Err(NotRead::Stripe(error)) => error.word(),
        Err(NotRead::Key(_)) => "no_key",
        Err(NotRead::Database(_)) => "database",
    }
}

fn wait(error: &NotRead, failures: u32) -> Duration {
    match error {
        NotRead::Stripe(ReadError::Busy(after)) => *after,
        // A person has to act; asking often would only spend the read budget.
        NotRead::Stripe(ReadError::Refused(_)) | NotRead::Key(NoKey::Missing(_)) => WAITS[WAITS.len() - 1],
        NotRead::Stripe(ReadError::Missing) => MISSING_WAITS[step(failures, MISSING_WAITS.len())],
        NotRead::Stripe(_) | NotRead::TooSlow => jittered(WAITS[step(failures, WAITS.len())]),
        // Ours, and not the object's fault: it goes on as soon as the database is back.
        NotRead::Database(_) | NotRead::Key(NoKey::Database(_)) => jittered(WAITS[0]),
    }
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + shared::clock::jitter() / 4.0)
}

fn step(failures: u32, steps: usize) -> usize {
    usize::try_from(failures).unwrap_or(usize::MAX).min(steps - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_never_end() {
        let down = NotRead::Stripe(ReadError::Unavailable("status 500".into()));
        assert!(wait(&down, 0) < wait(&down, 1) && wait(&down, 3) < wait(&down, 4));
        assert!(wait(&down, u32::MAX) >= WAITS[4]);
        let no_key = NotRead::Key(NoKey::Missing("none".into()));
        assert_eq!(wait(&no_key, 0), WAITS[4]);
        for away in [
            NotRead::Database(sqlx::Error::PoolClosed),
            NotRead::Key(NoKey::Database(sqlx::Error::PoolClosed)),
        ] {
            assert!(
                wait(&away, 0) < WAITS[1] && wait(&away, 9) < WAITS[1],
                "{away}: soon again, however often"
            );
        }
        let busy = NotRead::Stripe(ReadError::Busy(Duration::from_secs(7)));
        assert_eq!(wait(&busy, 9), Duration::from_secs(7));
    }
}
