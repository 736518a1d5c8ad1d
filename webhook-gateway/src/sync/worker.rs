//! The loop around reading: claim dirty objects, read each from Stripe, apply; or try again later.

use std::{sync::Arc, time::Duration};

use shared::db::pool::Pool;
use shared::domain::stripe_object::{Object, ObjectKind};
use shared::{
    actions::reference,
    db::{
        pool::{took_too_long, within},
        tenant,
    },
    domain::{
        billing::{
            fact::BillingFact,
            purchase::{PurchaseFact, PurchaseStatus, SoldBeside},
        },
        delivery::backoff::Schedule,
        job::JobOrigin,
        reference::Carried,
    },
    ids::SubscriptionId,
    metrics::STRIPE_READS,
    store::{
        purchases,
        stripe_connections::Connection,
        stripe_mirror,
        stripe_sync::{self, Failure, Leased},
    },
};
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::apply::{Applied, Attempt, Others, Read, answer_hint, apply};
use crate::stripe::{
    api::{Checkout, ReadClient, ReadError, ReadSubscription, Session},
    budget::ApiKey,
    credentials::{Key, Keys, NoKey},
};

/// Objects read at the same time; Stripe allows 25 reads a second per endpoint.
const AT_ONCE: usize = 8;
/// Waits after Stripe said for the 1st, 2nd, … time that it has no such object: 1m, 10m, 1h, 6h, 1d, 2d. It may be the key
/// that is wrong.
const MISSING: Schedule = Schedule {
    first: &[
        Duration::from_secs(60),
        Duration::from_secs(600),
        Duration::from_secs(3600),
        Duration::from_secs(6 * 3600),
        Duration::from_secs(24 * 3600),
    ],
    then: Duration::from_secs(48 * 3600),
};
/// After so many such answers the next one counts, and changes nothing.
const MISSING_TIMES: u32 = 6;
/// Waits after failure 1, 2, …: 1s, 4s, 16s, 1m4s, then 5m for ever: what was not read is never given up.
const NOT_READ: Schedule = Schedule {
    first: &[
        Duration::from_secs(1),
        Duration::from_secs(4),
        Duration::from_secs(16),
        Duration::from_secs(64),
    ],
    then: Duration::from_secs(300),
};

pub struct Sync {
    pub pool: Pool,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    /// How long one worker keeps an object.
    pub lease: Duration,
    /// How often to check without being woken.
    pub poll: Duration,
    /// What is hinted at within this time after a read shares the next.
    pub spacing: Duration,
    /// Told when role jobs were made.
    pub jobs_made: Arc<Notify>,
}

/// Reads until `stop`; then writes what was read, and gives back what was not.
pub async fn run(sync: Arc<Sync>, dirty: Arc<Notify>, stop: CancellationToken) {
    let mut reading = JoinSet::new();
    loop {
        let free = AT_ONCE - reading.len();
        // A stop does not cut it off: what it has leased by then would be nobody's until the lease runs out.
        let claimed = if free == 0 { Vec::new() } else { claim(&sync, free).await };
        for leased in claimed {
            let (sync, stop) = (Arc::clone(&sync), stop.clone());
            let (guild, object) = (leased.connection.guild, &leased.object.id);
            let span = tracing::info_span!("read", guild.id = %guild, object.id = object.as_str());
            reading.spawn(async move { sync.one(&leased, &stop).await }.instrument(span));
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
        let mut across = sync.pool.across().await?;
        stripe_sync::claim(&mut across, free, Uuid::new_v4(), sync.lease).await
    };
    within(claimed).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "dirty objects cannot be claimed; trying again");
        Vec::new()
    })
}

/// Why an object is not read now.
#[derive(Debug, thiserror::Error)]
enum NotRead {
    #[error("Stripe did not answer within the lease")]
    TooSlow,
    #[error("the gateway stops")]
    Stopping,
    /// Said of an object that ends somebody's last reason for a role.
    #[error("{0}, of the same customer, is not known as Stripe lists it, and is read first")]
    After(String),
    #[error(transparent)]
    Stripe(#[from] ReadError),
    #[error(transparent)]
    Key(#[from] NoKey),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Sync {
    /// Reads and applies one object, or puts it back for later.
    async fn one(&self, leased: &Leased, stop: &CancellationToken) {
        let read = self.read_and_apply(leased, stop).await;
        metrics::counter!(STRIPE_READS, "outcome" => word(&read)).increment(1);
        match read {
            Ok(Applied::Committed(jobs)) => {
                tracing::info!(jobs, "read from Stripe");
                if jobs > 0 {
                    self.jobs_made.notify_one();
                }
            }
            Ok(Applied::NotNeeded) => tracing::debug!("answered without a read"),
            Ok(Applied::LostLease) => {
                tracing::warn!("the lease ran out while reading");
            }
            Err(NotRead::Stopping) => self.give_back(leased).await,
            Err(error) => {
                let wait = wait(&error, leased.attempts, leased.missing);
                tracing::warn!(%error, wait_seconds = wait.as_secs_f64(),
                    "not read; roles stay as they are until it is");
                self.put_back(leased, wait, &error).await;
            }
        }
    }

    async fn read_and_apply(&self, leased: &Leased, stop: &CancellationToken) -> Result<Applied, NotRead> {
        let key = stop.run_until_cancelled(self.keys.of(leased.connection)).await.ok_or(NotRead::Stopping)?;
        let Key { key, metadata, .. } = key?;
        let key = if leased.origin == JobOrigin::Bulk { key.for_sweeps() } else { key };
        let id = leased.object.id.as_str();
        if leased.object.kind == ObjectKind::Customer
            && let Some(answered) = within(answer_hint(&self.pool, leased)).await?
        {
            return Ok(answered);
        }
        // What comes with a subscription: what else its customer pays for, and what was sold once beside it.
        let (mut running, mut beside) = (None, None);
        let reading = async {
            match leased.object.kind {
                ObjectKind::Subscription => {
                    let ReadSubscription { fact, customers_running, sold_beside } =
                        self.stripe.subscription(&key, id).await?;
                    running = customers_running;
                    beside = Some((fact.id.clone(), sold_beside));
                    Ok(Read::Fact(Box::new(BillingFact::Subscription(fact)), Vec::new()))
                }
                ObjectKind::Customer => self.customer(&key, leased).await,
                ObjectKind::CheckoutSession => self.checkout(&key, leased).await,
                ObjectKind::PaymentIntent => Ok(self.payment(&key, id).await?),
                ObjectKind::Charge | ObjectKind::Refund | ObjectKind::Dispute => {
                    Ok(Read::About(self.stripe.of_payment(&key, &leased.object).await?))
                }
                ObjectKind::Invoice => {
                    Ok(Read::About(self.stripe.subscription_of(&key, id).await?.map(subscription)))
                }
                ObjectKind::Catalogue => Ok(self.catalogue(&key).await?),
            }
        };
        // Longer, and we would lose the lease, begin again, and so on for ever.
        let deadline = Instant::now() + self.lease.mul_f64(0.8);
        let read = match in_time(reading, deadline, stop).await? {
            Err(NotRead::Stripe(ReadError::Missing)) if leased.missing >= MISSING_TIMES => {
                tracing::warn!("Stripe has no such object in this account; nothing changes");
                Read::Missing
            }
            other => other?,
        };
        let read = match (read, beside) {
            (Read::Fact(fact, _), Some((subscription, beside)))
                if within(self.concerns_session(leased, &subscription, &beside)).await? =>
            {
                let listing = self.stripe.purchases_beside(&key, id);
                let sessions = in_time(listing, deadline, stop).await??.into_iter().map(session).collect();
                Read::Fact(fact, sessions)
            }
            (read, _) => read,
        };
        let attempt = |others| within(apply(&self.pool, leased, metadata, &read, others, self.spacing));
        let customer = match attempt(Others::Unknown).await? {
            Attempt::Done(applied) => return Ok(applied),
            Attempt::AsksForOthers(customer) => customer,
        };
        let mut listed = match running {
            Some(running) => running,
            None => {
                let listing = self.stripe.running_subscriptions_of(&key, &customer);
                in_time(listing, deadline, stop).await??
            }
        };
        listed.retain(|(subscription, _)| *subscription != leased.object.id);
        if let Some(first) = within(self.read_those_first(leased, &listed)).await? {
            return Err(NotRead::After(first));
        }
        match attempt(Others::Known).await? {
            Attempt::Done(applied) => Ok(applied),
            Attempt::AsksForOthers(customer) => Err(NotRead::After(customer.to_string())),
        }
    }

    /// Has subscriptions read that are not known as Stripe lists them, and answers one of them; `None`: all are known so.
    async fn read_those_first(
        &self,
        leased: &Leased,
        listed: &[(String, String)],
    ) -> Result<Option<String>, sqlx::Error> {
        let mut tenant = tenant::begin(&self.pool, leased.connection.guild).await?;
        let connection = leased.connection.id;
        let unknown = stripe_mirror::not_known_so(&mut tenant, connection, listed).await?;
        stripe_sync::hint(&mut tenant, connection, ObjectKind::Subscription, &unknown, leased.origin).await?;
        tenant.commit().await?;
        Ok(unknown.into_iter().next())
    }

    /// Whether the session that began a subscription is to be read for what was sold once beside it.
    async fn concerns_session(
        &self,
        leased: &Leased,
        subscription: &SubscriptionId,
        beside: &SoldBeside,
    ) -> Result<bool, sqlx::Error> {
        if *beside == SoldBeside::Nothing {
            return Ok(false);
        }
        let mut tenant = tenant::begin(&self.pool, leased.connection.guild).await?;
        purchases::are_to_read(&mut tenant, leased.connection.id, subscription, beside).await
    }

    async fn customer(&self, key: &ApiKey, leased: &Leased) -> Result<Read, NotRead> {
        let id = leased.object.id.as_str();
        let fact = self.stripe.customer(key, id).await?;
        let mut bought = Vec::new();
        // A deleted customer has no list; what we know of it is read one by one.
        if !fact.deleted {
            let subscriptions = self.stripe.subscriptions_of(key, id).await?;
            bought.extend(subscriptions.into_iter().map(subscription));
            for listed in self.stripe.purchases(key, Some(id)).await? {
                let is_of_interest = match &listed {
                    Session::ToRead(_) => true,
                    Session::Beside(fact) => within(self.concerns_roles(leased, fact)).await?,
                };
                if is_of_interest {
                    bought.push(session(listed));
                }
            }
        }
        Ok(Read::Fact(Box::new(BillingFact::Customer(fact)), bought))
    }

    /// Of what was sold once beside a subscription the payment is read where a role depends on it.
    async fn checkout(&self, key: &ApiKey, leased: &Leased) -> Result<Read, NotRead> {
        let (checkout, carried) = self.stripe.checkout(key, &leased.object.id).await?;
        if let Some(carried) = carried {
            within(self.note(leased, &carried)).await?;
        }
        let (fact, beside) = match checkout {
            Checkout::Subscription(id) => return Ok(Read::About(Some(subscription(id)))),
            Checkout::Nothing => return Ok(Read::About(None)),
            Checkout::Purchase(fact) => (*fact, Vec::new()),
            Checkout::Beside(id, mut fact) => {
                if !within(self.concerns_roles(leased, &fact)).await? {
                    return Ok(Read::About(Some(subscription(id))));
                }
                if let Some(invoice) = &fact.invoice
                    && fact.status == PurchaseStatus::Paid
                {
                    let (paid_at, reversal) = self.stripe.paid_by(key, invoice).await?;
                    fact.paid_at = paid_at.or(fact.paid_at);
                    fact.reversal = reversal;
                }
                (*fact, vec![subscription(id)])
            }
        };
        Ok(Read::Fact(Box::new(BillingFact::Purchase(fact)), beside))
    }

    /// Somebody paid by a personal link: it is known from here on, and whoever bought it is to say so.
    async fn note(&self, leased: &Leased, carried: &Carried) -> Result<(), sqlx::Error> {
        let Connection { guild, id } = leased.connection;
        let peppers = reference::peppers(self.keys.keyring.as_ref());
        let mut tenant = tenant::begin(&self.pool, guild).await?;
        let is_known = reference::note(&mut tenant, &peppers, id, carried).await?;
        tenant.commit().await?;
        if !is_known {
            tracing::info!(
                "the purchase has a reference that looks like ours and is none: nobody is named by it"
            );
        }
        Ok(())
    }

    /// Whether a purchase that was sold beside a subscription gives a role, or may; it is known from here on.
    async fn concerns_roles(&self, leased: &Leased, fact: &PurchaseFact) -> Result<bool, sqlx::Error> {
        let mut tenant = tenant::begin(&self.pool, leased.connection.guild).await?;
        purchases::note(&mut tenant, leased.connection.id, fact).await?;
        let concerns = purchases::concerns_roles(&mut tenant, leased.connection.id, fact).await?;
        tenant.commit().await?;
        Ok(concerns)
    }

    async fn payment(&self, key: &ApiKey, id: &str) -> Result<Read, ReadError> {
        let fact = self.stripe.payment(key, id).await?;
        let sessions = fact.sessions.iter().map(|id| checkout_session(id.to_string()));
        let subscriptions =
            fact.invoices.iter().map(|invoice| subscription(invoice.subscription.to_string()));
        let paid = sessions.chain(subscriptions).collect();
        Ok(Read::Fact(Box::new(BillingFact::Payment(fact)), paid))
    }

    /// It is only shown: a key that may not read it is no fault.
    async fn catalogue(&self, key: &ApiKey) -> Result<Read, ReadError> {
        match self.stripe.catalogue(key).await {
            Err(ReadError::Refused(403)) => {
                tracing::warn!(
                    "the key lacks Read on Prices, Products or Payment Links: there is no catalogue to show"
                );
                Ok(Read::Catalogue(None))
            }
            read => Ok(Read::Catalogue(Some(read?))),
        }
    }

    async fn give_back(&self, leased: &Leased) {
        let given = async {
            let mut tenant = tenant::begin(&self.pool, leased.connection.guild).await?;
            stripe_sync::give_back(&mut tenant, leased).await?;
            tenant.commit().await
        };
        if let Err(error) = within(given).await {
            tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
        }
    }

    async fn put_back(&self, leased: &Leased, wait: Duration, error: &NotRead) {
        let failure = match error {
            NotRead::Stripe(ReadError::Missing) => Failure::Missing,
            NotRead::After(_) | NotRead::Stripe(ReadError::Spent(_)) => Failure::Waits,
            _ => Failure::Other,
        };
        let put = async {
            let mut tenant = tenant::begin(&self.pool, leased.connection.guild).await?;
            stripe_sync::retry(&mut tenant, leased, failure, wait, &error.to_string()).await?;
            let (connection, id) = (leased.connection.id, leased.object.id.as_str());
            match (failure, leased.object.kind) {
                (Failure::Missing, ObjectKind::Subscription) => {
                    stripe_mirror::missing(&mut tenant, connection, id).await?;
                }
                (Failure::Missing, ObjectKind::CheckoutSession) => {
                    purchases::missing(&mut tenant, connection, id).await?;
                }
                _ => {}
            }
            tenant.commit().await
        };
        if let Err(error) = within(put).await {
            tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
        }
    }
}

/// A read, unless the gateway stops or the deadline passes meanwhile.
async fn in_time<T>(
    reading: impl Future<Output = T>,
    deadline: Instant,
    stop: &CancellationToken,
) -> Result<T, NotRead> {
    let read = tokio::time::timeout_at(deadline, reading);
    stop.run_until_cancelled(read).await.ok_or(NotRead::Stopping)?.map_err(|_| NotRead::TooSlow)
}

fn subscription(id: String) -> Object {
    Object { kind: ObjectKind::Subscription, id }
}

fn session(listed: Session) -> Object {
    checkout_session(match listed {
        Session::ToRead(id) => id,
        Session::Beside(fact) => fact.id.to_string(),
    })
}

fn checkout_session(id: String) -> Object {
    Object { kind: ObjectKind::CheckoutSession, id }
}

/// One word, for counting.
fn word(read: &Result<Applied, NotRead>) -> &'static str {
    match read {
        Ok(Applied::Committed(_)) => "applied",
        Ok(Applied::NotNeeded) => "not_needed",
        Ok(Applied::LostLease) => "lost_lease",
        Err(NotRead::After(_)) => "after_others",
        Err(NotRead::TooSlow) => "too_slow",
        Err(NotRead::Stopping) => "stopping",
        Err(NotRead::Stripe(error)) => error.word(),
        Err(NotRead::Key(_)) => "no_key",
        Err(NotRead::Database(_)) => "database",
    }
}

fn wait(error: &NotRead, failures: u32, missing: u32) -> Duration {
    let spread = |failures| NOT_READ.spread_wait(failures, shared::clock::jitter());
    match error {
        NotRead::Stripe(ReadError::Busy(after) | ReadError::Spent(after)) => *after,
        // A person has to act; asking often would only spend the read budget.
        NotRead::Stripe(ReadError::Refused(_)) | NotRead::Key(NoKey::Missing(_)) => NOT_READ.then,
        NotRead::Stripe(ReadError::Missing) => MISSING.wait(missing),
        NotRead::Stripe(_) | NotRead::TooSlow | NotRead::Stopping | NotRead::After(_) => spread(failures),
        // What takes too long once may always do, and each try reads from Stripe.
        NotRead::Database(error) if took_too_long(error) => spread(failures),
        // Ours, and not the object's fault: it goes on as soon as the database is back.
        NotRead::Database(_) | NotRead::Key(NoKey::Database(_)) => spread(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_never_end() {
        let down = NotRead::Stripe(ReadError::Unavailable("status 500".into()));
        assert!(wait(&down, 0, 0) < wait(&down, 1, 0) && wait(&down, 3, 0) < wait(&down, 4, 0));
        assert!(wait(&down, u32::MAX, 0) >= NOT_READ.then);
        let no_key = NotRead::Key(NoKey::Missing("none".into()));
        assert_eq!(wait(&no_key, 0, 0), NOT_READ.then);
        for away in [
            NotRead::Database(sqlx::Error::PoolClosed),
            NotRead::Key(NoKey::Database(sqlx::Error::PoolClosed)),
        ] {
            assert!(
                wait(&away, 0, 0) < NOT_READ.wait(1) && wait(&away, 9, 0) < NOT_READ.wait(1),
                "{away}: soon again, however often"
            );
        }
        let slow = NotRead::Database(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
        assert!(
            wait(&slow, 0, 0) < NOT_READ.wait(1) && wait(&slow, 9, 0) >= NOT_READ.then,
            "it may be too much for ever"
        );
        let gone = NotRead::Stripe(ReadError::Missing);
        assert_eq!(
            (wait(&gone, 9, 0), wait(&gone, 0, 2)),
            (MISSING.wait(0), MISSING.wait(2)),
            "counted by itself"
        );
        let busy = NotRead::Stripe(ReadError::Busy(Duration::from_secs(7)));
        assert_eq!(wait(&busy, 9, 0), Duration::from_secs(7));
    }
}
