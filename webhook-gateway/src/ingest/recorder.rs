//! Group commit. In: events from many requests at once. Out: to each request, whether its event is now on disk.
//!
//! One task owns the writing. While one commit runs, new events queue up, and the next commit takes all of them: no
//! timer, so an idle gateway adds no delay. A client that disconnects leaves nothing behind, because no request ever
//! writes by itself.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::db::pool::Pool;
use shared::{
    db::pool::within,
    store::{
        stripe_connections::Connection,
        stripe_events::{self, NewEvent, Recorded},
    },
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::stripe::event::StripeEvent;

/// Requests that may wait; more are told to come back.
const QUEUE_CAPACITY: usize = 1024;
/// Events per statement.
const BATCH: usize = 128;
/// For a lock, of an event that is recorded by itself: others wait behind it.
const LOCK_TIMEOUT: Duration = Duration::from_millis(300);

/// The event was not stored; the cause was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotStored;

struct Entry {
    event: NewEvent,
    answer: oneshot::Sender<Result<Recorded, NotStored>>,
}

/// The request path's end.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<Entry>);

impl Recorder {
    /// Waits until the event is committed.
    pub async fn record(&self, event: NewEvent) -> Result<Recorded, NotStored> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Entry { event, answer }).map_err(|error| {
            let why = match error {
                mpsc::error::TrySendError::Full(_) => "too many events are waiting for the database",
                mpsc::error::TrySendError::Closed(_) => "the gateway is stopping",
            };
            tracing::warn!(why, "an event is not stored; Stripe is asked to come back");
            NotStored
        })?;
        answered.await.unwrap_or(Err(NotStored))
    }
}

/// As it is recorded for a connection. An event of the other mode is kept and not acted on.
pub fn for_connection(event: StripeEvent, connection: Connection, livemode: bool) -> NewEvent {
    let for_us = event.livemode == livemode;
    NewEvent {
        connection,
        id: event.id,
        event_type: event.event_type,
        object: event.object.filter(|_| for_us),
        created: event.created,
        livemode: event.livemode,
        api_version: event.api_version,
    }
}

/// Starts the writer. It ends when it is told to, or every [`Recorder`] is gone, and all that they sent is answered.
pub fn start(
    pool: Pool,
    dirty: Arc<Notify>,
    end: CancellationToken,
) -> (Recorder, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE_CAPACITY);
    (Recorder(sender), tokio::spawn(write(pool, receiver, dirty, end)))
}

async fn write(pool: Pool, mut receiver: mpsc::Receiver<Entry>, dirty: Arc<Notify>, end: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let received = tokio::select! {
            received = receiver.recv_many(&mut batch, BATCH) => received,
            // What was sent before is still received; then there is no more.
            () = end.cancelled(), if !receiver.is_closed() => {
                receiver.close();
                continue;
            }
        };
        if received == 0 {
            return;
        }
        let (events, answers): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|entry| (entry.event, entry.answer)).unzip();
        let results = commit(&pool, &events).await;
        dirty.notify_one();
        for (answer, result) in answers.into_iter().zip(results) {
            if answer.send(result).is_err() {
                tracing::debug!("a client went away before its answer; Stripe will send the event again");
            }
        }
    }
}

/// One statement for all; if one event's content is refused, or its object's row is locked for long, each event by itself:
/// that costs only its own answer, and of a locked row's guild those of the same batch.
async fn commit(pool: &Pool, batch: &[NewEvent]) -> Vec<Result<Recorded, NotStored>> {
    match record(pool, batch).await {
        Ok(recorded) => recorded.into_iter().map(Ok).collect(),
        Err(error) if batch.len() > 1 && (is_about_content(&error) || is_about_locks(&error)) => {
            tracing::warn!(%error, events = batch.len(), "a batch was refused; recording its events one by one");
            one_by_one(pool, batch).await
        }
        Err(error) => {
            tracing::error!(%error, events = batch.len(), "events cannot be stored; Stripe is asked to come back");
            vec![Err(NotStored); batch.len()]
        }
    }
}

async fn one_by_one(pool: &Pool, batch: &[NewEvent]) -> Vec<Result<Recorded, NotStored>> {
    let mut locked = BTreeSet::new();
    let mut results = Vec::with_capacity(batch.len());
    for event in batch {
        let guild = event.connection.guild;
        if locked.contains(&guild) {
            results.push(Err(NotStored));
            continue;
        }
        let one = within(record_alone(pool, event)).await;
        results.push(one.map_err(|error| {
            if is_about_locks(&error) {
                locked.insert(guild);
            }
            tracing::error!(%error, event.id = %event.id, "an event cannot be stored");
            NotStored
        }));
    }
    results
}

/// With little patience for locks: others wait behind it.
async fn record_alone(pool: &Pool, event: &NewEvent) -> Result<Recorded, sqlx::Error> {
    let mut across = pool.across_impatiently(LOCK_TIMEOUT).await?;
    let recorded = stripe_events::record(&mut across, std::slice::from_ref(event)).await?;
    across.commit().await?;
    Ok(recorded[0])
}

async fn record(pool: &Pool, batch: &[NewEvent]) -> Result<Vec<Recorded>, sqlx::Error> {
    // If it is given up and was committed all the same, Stripe's next delivery finds a duplicate.
    within(async { stripe_events::record(&mut pool.across().await?, batch).await }).await
}

/// 55P03: a lock was not had in time. 40P01: two waited for each other.
fn is_about_locks(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "55P03" || code == "40P01")
}

/// Classes 22 (data) and 23 (integrity) of SQLSTATE are about what was sent; everything else is about the database.
fn is_about_content(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
