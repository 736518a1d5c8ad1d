//! What webhooks did not bring. In: Stripe's list of events. Out: recorded events.
//!
//! First contact: all running subscriptions, and what was bought once, are read once (`lists`). Meanwhile and from then on the list of
//! events is read on from where we were, every few minutes: it holds 30 days, while Stripe retries a webhook for three. So a public
//! address is not even needed. If we were away for longer, the whole state is read again.
//!
//! What is no matter of access is a list of its own ([`EventList::Other`]), polled less often, and not at first contact, which reads all that
//! it would tell of. Neither list waits for the other.

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
        stripe_cursors::{self, Cursor, Listed, OtherCursor},
        stripe_lists, stripe_sync,
    },
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    failed::Failed,
    ingest::{
        deliveries::Deliveries,
        recorder::{self, NotStored, Recorder},
    },
    stripe::{
        api::{EventPage, PAGE, ReadClient, ReadError},
        credentials::{Key, Keys},
        event_types::EventList,
    },
};

/// Events younger than this may still get neighbours that sort before them.
const SETTLED: Duration = Duration::from_secs(60);
/// The other events are polled each so many times: 720 reads a month more than the 4,320 for those that matter.
const OTHER_EACH: u32 = 6;
/// Stripe's clock and ours differ by less.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

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

/// How far a list of events was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadOn {
    /// Everything that it has is recorded.
    ToTheEnd,
    /// It does not reach back to where we were.
    OutOfReach,
}

/// One word, for counting.
fn word(caught_up: &Result<(), Failed>) -> &'static str {
    match caught_up {
        Ok(()) => "done",
        Err(error) => error.word(),
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
        let other_every = self.every.saturating_mul(OTHER_EACH);
        let taken = within(async {
            stripe_cursors::take(&mut self.pool.across().await?, self.every, other_every).await
        });
        match taken.await {
            Ok(None) => false,
            Ok(Some(cursor)) => {
                let other = cursor.other.as_ref();
                if let Some(other) = other.filter(|_| cursor.listed != Listed::Never) {
                    let read = self.poll_other(&cursor, other).await;
                    metrics::counter!(EVENT_POLLS, "outcome" => word(&read)).increment(1);
                    if let Err(error) = read {
                        tracing::warn!(guild.id = %cursor.connection.guild, %error,
                            "Stripe's events about what is sold cannot be polled");
                        self.put_back_other(&cursor, &error).await;
                    }
                }
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
        if cursor.listed == Listed::Begun {
            return self.read_access(cursor, &key).await;
        }
        // First the cursor, then the state: what happens in between is read again, never missed.
        let newest = self.stripe.events(&key.key, EventList::Access, None, 1).await?;
        if let Some(event) = newest.events.first() {
            self.advance(cursor, EventList::Access, &event.id).await?;
        }
        self.write(cursor, async |tenant, id| {
            let catalogue = [CATALOGUE.to_owned()];
            stripe_sync::mark_dirty(tenant, id, ObjectKind::Catalogue, &catalogue, JobOrigin::Bulk).await?;
            stripe_lists::begin(tenant, id).await.map(drop)
        })
        .await?;
        self.dirty.notify_one();
        Ok(())
    }

    async fn read_access(&self, cursor: &Cursor, key: &Key) -> Result<(), Failed> {
        let mut found = Deliveries::default();
        let from = cursor.last_event.clone();
        match self.read_on(cursor, EventList::Access, from, key, &mut found).await? {
            ReadOn::ToTheEnd => {
                let missed = if key.expects_webhooks { found.missed } else { 0 };
                if missed > 0 {
                    tracing::warn!(guild.id = %cursor.connection.guild, events = missed,
                        "polling found events that no webhook had brought: is the endpoint right, and did Stripe reach it?");
                }
                // Young events do not move the cursor, but it was a good poll.
                let polled = async |tenant: &mut Tenant, id| {
                    stripe_cursors::polled(tenant, id, found.brought, missed).await
                };
                Ok(self.write(cursor, polled).await?)
            }
            ReadOn::OutOfReach => {
                tracing::warn!(guild.id = %cursor.connection.guild,
                    "Stripe's events do not reach back far enough; reading all subscriptions");
                Ok(self.write(cursor, async |tenant, id| stripe_cursors::reset(tenant, id).await).await?)
            }
        }
    }

    async fn poll_other(&self, cursor: &Cursor, other: &OtherCursor) -> Result<(), Failed> {
        self.read_other(cursor, other).await?;
        Ok(self.write(cursor, async |tenant, id| stripe_cursors::polled_other(tenant, id).await).await?)
    }

    /// The list of other events. Where it does not reach back to the cursor, and at first, what is sold is read as a whole, unless that was
    /// done since the newest of them; the rest of it needs no catching up.
    async fn read_other(&self, cursor: &Cursor, other: &OtherCursor) -> Result<(), Failed> {
        let key = self.keys.of(cursor.connection).await?;
        if other.last_event.is_some()
            && self
                .read_on(cursor, EventList::Other, other.last_event.clone(), &key, &mut Deliveries::default())
                .await?
                == ReadOn::ToTheEnd
        {
            return Ok(());
        }
        let newest = self.stripe.events(&key.key, EventList::Other, None, 1).await?.events.into_iter().next();
        if newest.is_none() && other.last_event.is_none() {
            return Ok(());
        }
        // First the cursor, as with the events that matter.
        let happened = newest.as_ref().and_then(|event| event.created);
        let since = happened.map_or_else(shared::clock::now, |created| created + CLOCKS_DIFFER);
        self.write(cursor, async |tenant, id| {
            let catalogue = [CATALOGUE.to_owned()];
            let times = (Duration::ZERO, Duration::ZERO);
            stripe_sync::mark_unless_read_since(tenant, id, ObjectKind::Catalogue, &catalogue, since, times)
                .await?;
            stripe_cursors::set_other(tenant, id, newest.as_ref().map(|event| &event.id)).await
        })
        .await?;
        self.dirty.notify_one();
        Ok(())
    }

    /// Records the events of a list after `last`, page by page; `found`: how they had come.
    async fn read_on(
        &self,
        cursor: &Cursor,
        list: EventList,
        mut last: Option<String>,
        key: &Key,
        found: &mut Deliveries,
    ) -> Result<ReadOn, Failed> {
        loop {
            let page = match self.stripe.events(&key.key, list, last.as_deref(), PAGE).await {
                // Older than the list reaches back.
                Err(ReadError::Missing) if last.is_some() => return Ok(ReadOn::OutOfReach),
                page => page?,
            };
            let EventPage { events, has_more } = page;
            let Some(newest) = events.first().map(|event| event.id.clone()) else {
                return Ok(ReadOn::ToTheEnd);
            };
            let settled_before = shared::clock::now() - SETTLED;
            let settled =
                events.iter().find(|event| event.created.is_some_and(|created| created < settled_before));
            let settled = settled.map(|event| event.id.clone());
            for event in events.into_iter().rev() {
                let event = recorder::for_connection(event, cursor.connection, key.livemode);
                let created = event.created;
                let recorded = self.recorder.record(event).await.map_err(|NotStored| Failed::NotStored)?;
                found.count(recorded, created, cursor.answered_at, shared::clock::now());
            }
            // Stripe orders events of one second by nothing we know, and lists them late: the last minute is read again.
            if let Some(settled) = settled {
                self.advance(cursor, list, &settled).await?;
            }
            if !has_more {
                return Ok(ReadOn::ToTheEnd);
            }
            if last.is_none() {
                // There was no event when we began; now there are more than a page, and the page has the newest only.
                return Ok(ReadOn::OutOfReach);
            }
            last = Some(newest.to_string());
        }
    }

    async fn advance(&self, cursor: &Cursor, list: EventList, newest: &EventId) -> Result<(), sqlx::Error> {
        self.write(cursor, async |tenant, id| match list {
            EventList::Access => stripe_cursors::advance(tenant, id, newest).await,
            EventList::Other => stripe_cursors::set_other(tenant, id, Some(newest)).await,
        })
        .await
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

    async fn put_back(&self, cursor: &Cursor, error: &Failed) {
        let (wait, why) = (error.wait(), error.to_string());
        let put = self.write(cursor, async |tenant, id| stripe_cursors::retry(tenant, id, wait, &why).await);
        if let Err(error) = put.await {
            tracing::warn!(%error, "the poll could not be put back; it comes at its usual time");
        }
    }

    async fn put_back_other(&self, cursor: &Cursor, error: &Failed) {
        let (wait, why) = (error.wait(), error.to_string());
        let put =
            self.write(cursor, async |tenant, id| stripe_cursors::retry_other(tenant, id, wait, &why).await);
        if let Err(error) = put.await {
            tracing::warn!(%error, "the poll could not be put back; it comes at its usual time");
        }
    }
}
