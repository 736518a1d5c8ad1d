//! What webhooks did not bring. In: Stripe's list of events, and of subscriptions. Out: recorded events, dirty objects.
//!
//! First contact: all running subscriptions, and what was bought once, are read once. Then the list of events is read on from where we were, every few
//! minutes: it holds 30 days, while Stripe retries a webhook for three. So a public address is not even needed. If we were
//! away for longer, the whole state is read again.

use std::{sync::Arc, time::Duration};

use shared::db::pool::Pool;
use shared::domain::stripe_object::{CATALOGUE, ObjectKind};
use shared::{
    background::{self, Next},
    db::{
        pool::within,
        tenant::{self, Tenant},
    },
    domain::job::JobOrigin,
    ids::{ConnectionId, EventId},
    metrics::EVENT_POLLS,
    store::{
        access_sources, purchases,
        stripe_connections::Connection,
        stripe_cursors::{self, Cursor, Listed},
        stripe_sync,
    },
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    ingest::recorder::{self, NotStored, Recorder},
    stripe::{
        api::{EventPage, PAGE, ReadClient, ReadError},
        credentials::{Key, Keys, NoKey},
    },
};

/// After a failure; a person may have to act, and Stripe's read budget is not endless.
const RETRY: Duration = Duration::from_secs(60);
/// Events younger than this may still get neighbours that sort before them.
const SETTLED: Duration = Duration::from_secs(60);
/// Ids that one statement marks.
const CHUNK: usize = 500;
/// Between two of very many reads: Stripe allows 25 a second, and payments of now come first.
const SPACING: Duration = Duration::from_millis(100);

pub struct Reconcile {
    pub pool: Pool,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    /// Events found here are recorded the way that webhooks are.
    pub recorder: Recorder,
    /// Told when objects are to be read.
    pub dirty: Arc<Notify>,
    /// How often each connection's events are polled.
    pub every: Duration,
    /// How often to check whether one is due.
    pub poll: Duration,
}

/// Why a connection was not brought up to date.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Stripe(#[from] ReadError),
    #[error(transparent)]
    Key(#[from] NoKey),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("an event could not be stored")]
    NotStored,
}

impl From<NotStored> for Failed {
    fn from(_: NotStored) -> Self {
        Self::NotStored
    }
}

/// One word, for counting.
fn word(caught_up: &Result<(), Failed>) -> &'static str {
    match caught_up {
        Ok(()) => "done",
        Err(Failed::Stripe(error)) => error.word(),
        Err(Failed::Key(_)) => "no_key",
        Err(Failed::Database(_) | Failed::NotStored) => "database",
    }
}

/// Polls until `stop`.
pub async fn run(reconcile: Reconcile, stop: CancellationToken) {
    background::repeat(&stop, || async {
        Next::After(if reconcile.tick().await { Duration::ZERO } else { reconcile.poll })
    })
    .await;
}

impl Reconcile {
    /// Brings one connection up to date, if one is due.
    pub async fn tick(&self) -> bool {
        let taken = within(async { stripe_cursors::take(&mut self.pool.across().await?, self.every).await });
        match taken.await {
            Ok(None) => false,
            Ok(Some(cursor)) => {
                let caught_up = self.catch_up(&cursor).await;
                metrics::counter!(EVENT_POLLS, "outcome" => word(&caught_up)).increment(1);
                if let Err(error) = caught_up {
                    tracing::warn!(guild.id = %cursor.connection.guild, %error, "Stripe's events cannot be polled");
                    self.put_back(&cursor, &error).await;
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "waiting for the database and its schema");
                false
            }
        }
    }

    async fn catch_up(&self, cursor: &Cursor) -> Result<(), Failed> {
        let key = self.keys.of(cursor.connection).await?;
        match cursor.listed {
            Listed::Lately => return self.read_on(cursor, &key).await,
            Listed::LongAgo => {
                self.read_on(cursor, &key).await?;
                return self.list(cursor, &key).await;
            }
            Listed::Never => {}
        }
        // First the cursor, then the state: what happens in between is read again, never missed.
        let newest = self.stripe.events(&key.key, None, 1).await?;
        if let Some(event) = newest.events.first() {
            self.advance(cursor, &event.id).await?;
        }
        self.list(cursor, &key).await
    }

    /// Marks what is sold, every subscription that Stripe lists as running, and those of ours that it does not list any more. What was
    /// bought once too, unless events told of it without a gap: it does not renew, and there may be very much of it.
    async fn list(&self, cursor: &Cursor, key: &Key) -> Result<(), Failed> {
        let subscriptions = self.stripe.running_subscriptions(&key.key).await?;
        let sessions = match cursor.listed {
            Listed::Never => Some(self.stripe.purchases(&key.key, None).await?),
            Listed::Lately | Listed::LongAgo => None,
        };
        let subscriptions = within(self.mark(cursor.connection, subscriptions, sessions)).await?;
        self.dirty.notify_one();
        tracing::info!(guild.id = %cursor.connection.guild, subscriptions, "Stripe's subscriptions are being read");
        Ok(())
    }

    async fn mark(
        &self,
        connection: Connection,
        mut subscriptions: Vec<String>,
        sessions: Option<Vec<String>>,
    ) -> Result<usize, sqlx::Error> {
        let mut tenant = tenant::begin(&self.pool, connection.guild).await?;
        let connection = connection.id;
        let catalogue = [CATALOGUE.to_owned()];
        stripe_sync::mark_dirty(&mut tenant, connection, ObjectKind::Catalogue, &catalogue, JobOrigin::Bulk)
            .await?;
        if let Some(mut sessions) = sessions {
            sessions.extend(purchases::live(&mut tenant, connection).await?);
            mark(&mut tenant, connection, ObjectKind::CheckoutSession, sessions).await?;
        }
        subscriptions.extend(access_sources::live_subscriptions(&mut tenant, connection).await?);
        let marked = mark(&mut tenant, connection, ObjectKind::Subscription, subscriptions).await?;
        stripe_cursors::listed(&mut tenant, connection).await?;
        tenant.commit().await?;
        Ok(marked)
    }

    /// Records the events after the cursor, page by page.
    async fn read_on(&self, cursor: &Cursor, key: &Key) -> Result<(), Failed> {
        let mut last = cursor.last_event.clone();
        loop {
            let page = match self.stripe.events(&key.key, last.as_deref(), PAGE).await {
                // Older than the list reaches back.
                Err(ReadError::Missing) if last.is_some() => return self.begin_again(cursor).await,
                page => page?,
            };
            let EventPage { events, has_more } = page;
            let Some(newest) = events.first().map(|event| event.id.clone()) else {
                return Ok(self
                    .write(cursor, async |tenant, id| stripe_cursors::polled(tenant, id).await)
                    .await?);
            };
            let settled_before = shared::clock::now() - SETTLED;
            let settled =
                events.iter().find(|event| event.created.is_some_and(|created| created < settled_before));
            let settled = settled.map(|event| event.id.clone());
            for event in events.into_iter().rev() {
                let event = recorder::for_connection(event, cursor.connection, key.livemode);
                self.recorder.record(event).await?;
            }
            // Stripe orders events of one second by nothing we know, and lists them late: the last minute is read again.
            if let Some(settled) = settled {
                self.advance(cursor, &settled).await?;
            }
            if !has_more {
                // Young events do not move the cursor, but it was a good poll.
                return Ok(self
                    .write(cursor, async |tenant, id| stripe_cursors::polled(tenant, id).await)
                    .await?);
            }
            if last.is_none() {
                // There was no event when we began; now there are more than a page, and the page has the newest only.
                return self.begin_again(cursor).await;
            }
            last = Some(newest.to_string());
        }
    }

    async fn advance(&self, cursor: &Cursor, newest: &EventId) -> Result<(), sqlx::Error> {
        self.write(cursor, async |tenant, id| stripe_cursors::advance(tenant, id, newest).await).await
    }

    /// One transaction of the cursor's tenant.
    async fn write(
        &self,
        cursor: &Cursor,
        step: impl AsyncFnOnce(&mut Tenant, ConnectionId) -> Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        within(async {
            let mut tenant = tenant::begin(&self.pool, cursor.connection.guild).await?;
            step(&mut tenant, cursor.connection.id).await?;
            tenant.commit().await
        })
        .await
    }

    async fn begin_again(&self, cursor: &Cursor) -> Result<(), Failed> {
        tracing::warn!(guild.id = %cursor.connection.guild, "Stripe's events do not reach back far enough; reading all subscriptions");
        Ok(self.write(cursor, async |tenant, id| stripe_cursors::reset(tenant, id).await).await?)
    }

    async fn put_back(&self, cursor: &Cursor, error: &Failed) {
        let wait = match error {
            Failed::Stripe(ReadError::Busy(after)) => *after,
            _ => RETRY,
        };
        let why = error.to_string();
        let put = self.write(cursor, async |tenant, id| stripe_cursors::retry(tenant, id, wait, &why).await);
        if let Err(error) = put.await {
            tracing::warn!(%error, "the poll could not be put back; it comes at its usual time");
        }
    }
}

/// Marks each of them once, in the order of their ids. Answers how many.
async fn mark(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    mut ids: Vec<String>,
) -> Result<usize, sqlx::Error> {
    ids.sort_unstable();
    ids.dedup();
    for chunk in ids.chunks(CHUNK) {
        stripe_sync::mark_dirty_slowly(tenant, connection, kind, chunk, SPACING).await?;
    }
    Ok(ids.len())
}
