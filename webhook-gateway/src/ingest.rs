//! Group commit. In: events from many requests at once. Out: to each request, whether its event is now on disk.
//!
//! One task owns the writing. While one commit runs, new events queue up, and the next commit takes all of them: no
//! timer, so an idle gateway adds no delay. A client that disconnects leaves nothing behind, because no request ever
//! writes by itself.

use std::{sync::Arc, time::Duration};

use shared::store::events::{self, NewEvent, Recorded};
use sqlx::PgPool;
use tokio::sync::{Notify, mpsc, oneshot};

/// Requests that may wait; more are told to come back.
const WAITING: usize = 1024;
/// A database that says nothing for so long is away. The server itself gives up on a statement before.
const SILENT: Duration = Duration::from_secs(20);
/// Events per statement.
const BATCH: usize = 128;

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
        self.0.try_send(Entry { event, answer }).map_err(|_| {
            tracing::warn!("too many events are waiting for the database; Stripe is asked to come back");
            NotStored
        })?;
        answered.await.unwrap_or(Err(NotStored))
    }
}

/// Starts the writer. It ends when every [`Recorder`] is gone and all that they sent is answered.
pub fn start(pool: PgPool, dirty: Arc<Notify>) -> (Recorder, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Recorder(sender), tokio::spawn(write(pool, receiver, dirty)))
}

async fn write(pool: PgPool, mut receiver: mpsc::Receiver<Entry>, dirty: Arc<Notify>) {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
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

/// One statement for all; if the database refuses the statement's content, each event by itself, so that one bad event
/// costs only its own answer.
async fn commit(pool: &PgPool, batch: &[NewEvent]) -> Vec<Result<Recorded, NotStored>> {
    match record(pool, batch).await {
        Ok(recorded) => recorded.into_iter().map(Ok).collect(),
        Err(error) if batch.len() > 1 && is_about_content(&error) => {
            tracing::warn!(%error, events = batch.len(), "a batch was refused; recording its events one by one");
            let mut results = Vec::with_capacity(batch.len());
            for event in batch {
                let one = record(pool, std::slice::from_ref(event)).await;
                results.push(one.map(|recorded| recorded[0]).map_err(|error| {
                    tracing::error!(%error, event.id = %event.id, "an event cannot be stored");
                    NotStored
                }));
            }
            results
        }
        Err(error) => {
            tracing::error!(%error, events = batch.len(), "events cannot be stored; Stripe is asked to come back");
            vec![Err(NotStored); batch.len()]
        }
    }
}

async fn record(pool: &PgPool, batch: &[NewEvent]) -> Result<Vec<Recorded>, sqlx::Error> {
    let recording = async {
        let mut db = pool.acquire().await?;
        events::record(&mut db, batch).await
    };
    // Without this one dead connection would stop all events. If it was committed all the same, Stripe's next delivery
    // finds a duplicate.
    tokio::time::timeout(SILENT, recording).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Classes 22 (data) and 23 (integrity) of SQLSTATE are about what was sent; everything else is about the database.
fn is_about_content(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
