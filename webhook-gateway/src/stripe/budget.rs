//! What each connection's reads of Stripe cost. In: a read that is to be made, and what came of it. Out: when it may be made, how many
//! were made this month, and that Stripe answers again. What nobody waits for stops when the month's reads are spent; whoever pays is read on.
//!
//! Counted in memory, and written once a minute: a write for each read would cost more than the read does us.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use shared::{
    crypto::Fingerprint,
    db::{
        pool::{Pool, within},
        tenant,
    },
    metrics::{STRIPE_READS_LEFT, STRIPE_REQUESTS},
    store::{
        stripe_connections::Connection,
        stripe_cursors::{self, MonthOfReads},
        stripe_sync,
    },
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    bucket::{Bucket, Urgency},
    month::Month,
};

/// How often what was counted is written.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// A read that may be made within this time waits for it; any other is put off, and gives its place to others.
const PATIENCE: Duration = Duration::from_secs(1);
/// A sweep that has waited so long goes first.
const OVERDUE_AFTER: Duration = Duration::from_secs(2);
/// So many reads in a row without an answer are an outage, and not one object that Stripe cannot show.
const OUTAGE: i32 = 3;
/// Between two objects that an outage had put off.
const SPACING: Duration = Duration::from_millis(100);

/// What is known of a connection's reads.
#[derive(Debug)]
pub struct Budget {
    connection: Connection,
    made: Instant,
    bucket: Mutex<Bucket>,
    /// `None`: our rows were not asked yet.
    month: Mutex<Option<Month>>,
    /// Reads that are not written yet.
    unwritten: AtomicI32,
    /// Reads in a row that Stripe did not answer.
    unanswered: AtomicI32,
    /// Stripe answers again, and nobody has woken yet what waits.
    is_back: AtomicBool,
    /// Told when it is.
    tender: Arc<Notify>,
}

/// Why a read is not made now, and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// Others are made first.
    Later(Duration),
    /// The month's are spent, and nobody waits for this one.
    Spent(Duration),
}

/// A restricted key, what it reads, and what for.
#[derive(Debug, Clone)]
pub struct ApiKey {
    secret: SecretString,
    budget: Arc<Budget>,
    urgency: Urgency,
}

impl ApiKey {
    pub fn new(secret: SecretString, budget: Arc<Budget>) -> Self {
        Self { secret, budget, urgency: Urgency::Payment }
    }

    /// The same key, for what nobody waits for.
    #[must_use]
    pub fn for_sweeps(self) -> Self {
        Self { urgency: Urgency::Sweep, ..self }
    }

    /// Tells it from others, and nothing of it.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.secret)
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Waits until a read may be made, and counts it; or says how long that will be.
    pub(super) async fn admit(&self) -> Result<(), NotNow> {
        let began = Instant::now();
        if self.urgency != Urgency::Payment {
            self.budget.allows_sweeps().map_err(NotNow::Spent)?;
        }
        // Sweeps come last, and not never, however long payments take all that there is.
        let urgency = || match self.urgency {
            Urgency::Sweep if began.elapsed() >= OVERDUE_AFTER => Urgency::Overdue,
            urgency => urgency,
        };
        while let Err(wait) = self.budget.take(urgency()) {
            if wait > PATIENCE {
                return Err(NotNow::Later(wait));
            }
            tokio::time::sleep(wait).await;
        }
        self.budget.count();
        let urgency = match self.urgency {
            Urgency::Payment => "payment",
            Urgency::Sweep | Urgency::Overdue => "sweep",
        };
        metrics::counter!(STRIPE_REQUESTS, "urgency" => urgency).increment(1);
        Ok(())
    }

    /// Stripe said that all reads have to wait.
    pub(super) fn close(&self, wait: Duration) {
        self.budget.bucket().close(wait, self.budget.made.elapsed());
    }

    /// Stripe answered, whatever it said.
    pub(super) fn answered(&self) {
        if self.budget.unanswered.swap(0, Ordering::Relaxed) >= OUTAGE {
            self.budget.is_back.store(true, Ordering::Relaxed);
            self.budget.tender.notify_one();
        }
    }

    /// It did not, or took no reads.
    pub(super) fn unanswered(&self) {
        self.budget.unanswered.fetch_add(1, Ordering::Relaxed);
    }
}

impl Budget {
    fn take(&self, urgency: Urgency) -> Result<(), Duration> {
        let now = self.made.elapsed();
        self.bucket().take(urgency, now)
    }

    /// Whether our rows are to be asked what is left of the month's reads.
    pub(super) fn asks_for_month(&self) -> bool {
        !self.month().is_some_and(|month| month.is_current(self.made.elapsed()))
    }

    /// What they say.
    pub(super) fn set_month(&self, month: MonthOfReads) {
        let unwritten = self.unwritten.load(Ordering::Relaxed);
        let known = Month::new(month.granted, month.reads, unwritten, month.ends_in(), self.made.elapsed());
        *self.month() = Some(known);
    }

    fn allows_sweeps(&self) -> Result<(), Duration> {
        self.month().map_or(Ok(()), |month| month.allows_sweeps(self.made.elapsed()))
    }

    fn count(&self) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        if let Some(month) = &mut *self.month() {
            month.spend();
        }
    }

    fn month(&self) -> std::sync::MutexGuard<'_, Option<Month>> {
        self.month.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budgets of all connections that were read since the start.
#[derive(Debug, Default)]
pub struct Budgets {
    known: Mutex<HashMap<Connection, Arc<Budget>>>,
    tender: Arc<Notify>,
}

impl Budgets {
    pub fn of(&self, connection: Connection) -> Arc<Budget> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            Arc::new(Budget {
                connection,
                made: Instant::now(),
                bucket: Mutex::default(),
                month: Mutex::default(),
                unwritten: AtomicI32::new(0),
                unanswered: AtomicI32::new(0),
                is_back: AtomicBool::new(false),
                tender: Arc::clone(&self.tender),
            })
        };
        Arc::clone(known.entry(connection).or_insert_with(made))
    }

    fn all(&self) -> Vec<Arc<Budget>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(Arc::clone).collect()
    }
}

/// Writes what was counted, and wakes what an outage had put off, until `stop`; then it writes once more. `dirty`: told when something
/// was woken.
pub async fn tend(budgets: Arc<Budgets>, pool: Pool, dirty: Arc<Notify>, stop: CancellationToken) {
    loop {
        let is_over = tokio::select! {
            () = stop.cancelled() => true,
            () = budgets.tender.notified() => false,
            () = tokio::time::sleep(WRITE_EVERY) => false,
        };
        for budget in budgets.all() {
            if budget.is_back.swap(false, Ordering::Relaxed) {
                wake(&pool, budget.connection, &dirty).await;
            }
            write(&pool, &budget).await;
        }
        tell_what_is_left(&budgets.all());
        if is_over {
            return;
        }
    }
}

/// Of the connection that has fewest.
#[expect(clippy::cast_precision_loss, reason = "a month has far fewer reads than 2^52")]
fn tell_what_is_left(budgets: &[Arc<Budget>]) {
    let fewest = budgets.iter().filter_map(|budget| budget.month().map(|month| month.left())).min();
    metrics::gauge!(STRIPE_READS_LEFT).set(fewest.map_or(f64::NAN, |left| left as f64));
}

/// What waits for its next try need not wait any more: one after another, those first that somebody waits for.
async fn wake(pool: &Pool, connection: Connection, dirty: &Notify) {
    let woken = within(async {
        let mut tenant = tenant::begin(pool, connection.guild).await?;
        let woken = stripe_sync::wake(&mut tenant, connection.id, SPACING).await?;
        tenant.commit().await?;
        Ok(woken)
    });
    match woken.await {
        Ok(0) => {}
        Ok(objects) => {
            tracing::info!(guild.id = %connection.guild, objects, "Stripe answers again: what waited is read");
            dirty.notify_one();
        }
        Err(error) => {
            tracing::warn!(%error, "what waits for Stripe could not be woken; it is read at its usual time");
        }
    }
}

async fn write(pool: &Pool, budget: &Budget) {
    let reads = budget.unwritten.swap(0, Ordering::Relaxed);
    if reads == 0 {
        return;
    }
    let written = within(async {
        let mut tenant = tenant::begin(pool, budget.connection.guild).await?;
        stripe_cursors::count_reads(&mut tenant, budget.connection.id, reads).await?;
        tenant.commit().await
    });
    if let Err(error) = written.await {
        tracing::debug!(%error, "reads could not be counted yet");
        budget.unwritten.fetch_add(reads, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::{ConnectionId, GuildId};

    use super::*;

    #[tokio::test]
    async fn a_sweep_waits_for_payments_and_not_for_ever() {
        let connection =
            Connection { guild: GuildId::from_u64(1).unwrap(), id: ConnectionId::from_u64(1).unwrap() };
        let budgets = Budgets::default();
        let payment = ApiKey::new(SecretString::from("rk_test_1"), budgets.of(connection));
        let sweep = payment.clone().for_sweeps();
        let paying = tokio::spawn(async move {
            loop {
                payment.admit().await.unwrap();
            }
        });
        // They have taken all that there was.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        tokio::time::timeout(OVERDUE_AFTER * 5, sweep.admit()).await.expect("not for ever").unwrap();
        assert!(began.elapsed() >= OVERDUE_AFTER / 2, "{:?}", began.elapsed());
        paying.abort();
    }

    #[tokio::test]
    async fn what_is_spent_stops_sweeps_and_nobody_who_pays() {
        let connection =
            Connection { guild: GuildId::from_u64(1).unwrap(), id: ConnectionId::from_u64(1).unwrap() };
        let budget = Budgets::default().of(connection);
        let payment = ApiKey::new(SecretString::from("rk_test_1"), Arc::clone(&budget));
        let sweep = payment.clone().for_sweeps();
        let hour = Duration::from_secs(3600);
        *budget.month() = Some(Month::new(2, 0, 0, hour, budget.made.elapsed()));
        sweep.admit().await.unwrap();
        payment.admit().await.unwrap();
        assert!(matches!(sweep.admit().await, Err(NotNow::Spent(wait)) if wait <= hour));
        payment.admit().await.unwrap();
    }
}
