//! What the operator orders to be read from Stripe again. In: since when. Out: every object that something happened to since then is read
//! again, as after a webhook.
//!
//! Stripe's events are read from the newest back to that time, a page for a step, whether or not they are recorded: what they name is marked
//! to be read, unless it was read since the order. Where they do not go back so far, its lists are read, too, as at first contact
//! (`lists`). How far it is, is a row, so that a restart goes on. Nothing ends by what an event says or a list lacks.
//!
//! Or access is derived again from what was read before (`sync::apply::rederive`), and Stripe is asked only where that is not enough.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::{
    background::{self, Next},
    db::{
        pool::{Pool, within},
        tenant::{self, Tenant},
    },
    domain::{
        job::JobOrigin,
        stripe_object::{CATALOGUE, Object, ObjectKind},
    },
    metrics::BACKFILL_STEPS,
    store::{
        mirror_facts,
        stripe_backfills::{self, Source, State, Step, Turn},
        stripe_lists, stripe_sync,
    },
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    failed::Failed,
    ingest::recorder,
    stripe::{
        api::{EventPage, ReadClient, ReadError},
        credentials::Keys,
        event_types::EventList,
    },
    sync::apply::{Derived, rederive},
};

/// How long a step is kept: longer than Stripe may take to answer.
const KEPT: Duration = Duration::from_secs(60);
/// Between two looks whether all is read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two of very many reads: Stripe allows 25 a second, and payments of now come first.
const BETWEEN: Duration = Duration::from_millis(100);
/// Rows of ours that are looked at in a step.
const ROWS: i64 = 100;

pub struct Backfills {
    pub pool: Pool,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    /// How often to check whether a step is due.
    pub poll: Duration,
    /// As after a single read.
    pub spacing: Duration,
    /// Told when objects are to be read.
    pub dirty: Arc<Notify>,
    /// Told when role jobs were made.
    pub jobs_made: Arc<Notify>,
}

/// One word, for counting.
fn word(step: &Result<State, Failed>) -> &'static str {
    match step {
        Ok(State::Done) => "ended",
        Ok(State::Asked | State::Looking | State::Reading) => "done",
        Err(error) => error.word(),
    }
}

/// Takes steps until `stop`; one under way then is taken again at the next start.
pub async fn run(backfills: Backfills, stop: CancellationToken) {
    background::repeat(&stop, || async {
        Next::After(if backfills.tick().await { Duration::ZERO } else { backfills.poll })
    })
    .await;
}

impl Backfills {
    /// Takes one step, if one is due.
    pub async fn tick(&self) -> bool {
        let taken = within(async { stripe_backfills::take(&mut self.pool.across().await?, KEPT).await });
        match taken.await {
            Ok(None) => false,
            Ok(Some(turn)) => {
                let stepped = self.step(&turn).await;
                metrics::counter!(BACKFILL_STEPS, "outcome" => word(&stepped)).increment(1);
                match stepped {
                    Ok(State::Done) => {
                        tracing::info!(guild.id = %turn.connection.guild, "the backfill has ended: all that can be read is read");
                    }
                    Ok(State::Asked | State::Looking | State::Reading) => {}
                    Err(error) => self.put_back(&turn, &error).await,
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "waiting for the database and its schema");
                false
            }
        }
    }

    /// Answers in which state it is then.
    async fn step(&self, turn: &Turn) -> Result<State, Failed> {
        match turn.state {
            State::Asked => Ok(within(self.begin(turn)).await?),
            State::Looking if turn.source == Source::Mirror => self.look_at_rows(turn).await,
            State::Looking => self.look(turn).await,
            State::Reading | State::Done => Ok(within(self.is_over(turn)).await?),
        }
    }

    /// What is sold is read as a whole: one object, whatever happened to it.
    async fn begin(&self, turn: &Turn) -> Result<State, sqlx::Error> {
        let mut tenant = tenant::begin(&self.pool, turn.connection.guild).await?;
        let id = turn.connection.id;
        if turn.source == Source::Mirror {
            return self.end_step(tenant, turn, &Step::default(), State::Looking, Duration::ZERO).await;
        }
        let catalogue = [CATALOGUE.to_owned()];
        stripe_sync::hint(&mut tenant, id, ObjectKind::Catalogue, &catalogue, JobOrigin::Bulk).await?;
        if turn.reads_lists {
            stripe_lists::begin_whole(&mut tenant, id).await?;
        }
        let begun = Step { to_read: 1, ..Step::default() };
        self.end_step(tenant, turn, &begun, State::Looking, Duration::ZERO).await
    }

    async fn look(&self, turn: &Turn) -> Result<State, Failed> {
        let key = self.keys.of(turn.connection).await?;
        let sweep = key.key.clone().for_sweeps();
        let after = turn.after.as_deref();
        match self.stripe.events_since(&sweep, EventList::Access, turn.since, after).await {
            // Meanwhile it is older than Stripe lists: so is whatever comes before it.
            Err(ReadError::Missing) if after.is_some() => Ok(within(self.is_out_of_reach(turn)).await?),
            page => {
                let EventPage { events, has_more } = page?;
                let step = Step {
                    seen: events.len(),
                    after: events.last().map(|event| event.id.to_string()),
                    back_to: events.iter().filter_map(|event| event.created).min(),
                    ..Step::default()
                };
                let for_us = events
                    .into_iter()
                    .map(|event| recorder::for_connection(event, turn.connection, key.livemode));
                let objects = for_us.filter_map(|event| event.object).collect();
                Ok(within(self.mark(turn, &objects, step, has_more)).await?)
            }
        }
    }

    /// Each of our rows in a transaction of its own, as after a read.
    async fn look_at_rows(&self, turn: &Turn) -> Result<State, Failed> {
        let key = self.keys.of(turn.connection).await?;
        let after = turn.after.as_deref().and_then(Object::from_words);
        let rows = within(async {
            let mut tenant = tenant::begin(&self.pool, turn.connection.guild).await?;
            mirror_facts::page(&mut tenant, turn.connection.id, after.as_ref(), ROWS).await
        });
        let rows = rows.await?;
        let mut step = Step { seen: rows.len(), after: rows.last().map(Object::in_words), ..Step::default() };
        let is_last = rows.len() < usize::try_from(ROWS).unwrap_or(usize::MAX);
        let mut to_read = BTreeSet::new();
        for object in rows {
            match within(rederive(&self.pool, turn.connection, key.metadata, &object)).await? {
                Derived::AsKnown => {}
                Derived::Gives(_) => step.derived += 1,
                Derived::ToRead(_) => drop(to_read.insert(object)),
            }
        }
        if step.derived > 0 {
            self.jobs_made.notify_one();
        }
        Ok(within(self.mark(turn, &to_read, step, !is_last)).await?)
    }

    async fn mark(
        &self,
        turn: &Turn,
        objects: &BTreeSet<Object>,
        mut step: Step,
        has_more: bool,
    ) -> Result<State, sqlx::Error> {
        let mut tenant = tenant::begin(&self.pool, turn.connection.guild).await?;
        let objects: Vec<&Object> = objects.iter().collect();
        for of_one_kind in objects.chunk_by(|a, b| a.kind == b.kind) {
            let ids: Vec<String> = of_one_kind.iter().map(|object| object.id.clone()).collect();
            let (kind, times) = (of_one_kind[0].kind, (BETWEEN, self.spacing));
            step.to_read += stripe_sync::mark_unless_read_since(
                &mut tenant,
                turn.connection.id,
                kind,
                &ids,
                turn.asked_at,
                times,
            )
            .await?;
        }
        let state = if has_more { State::Looking } else { State::Reading };
        self.end_step(tenant, turn, &step, state, Duration::ZERO).await
    }

    /// What Stripe's events do not tell any more, its lists do.
    async fn is_out_of_reach(&self, turn: &Turn) -> Result<State, sqlx::Error> {
        tracing::warn!(guild.id = %turn.connection.guild, "Stripe's events do not go back far enough any more; reading its lists");
        let mut tenant = tenant::begin(&self.pool, turn.connection.guild).await?;
        if !turn.reads_lists {
            stripe_lists::begin_whole(&mut tenant, turn.connection.id).await?;
        }
        let step = Step { reads_lists: true, ..Step::default() };
        self.end_step(tenant, turn, &step, State::Reading, Duration::ZERO).await
    }

    async fn is_over(&self, turn: &Turn) -> Result<State, sqlx::Error> {
        let mut tenant = tenant::begin(&self.pool, turn.connection.guild).await?;
        let is_unread = stripe_backfills::is_unread(&mut tenant, turn.connection.id).await?;
        let state = if is_unread { State::Reading } else { State::Done };
        self.end_step(tenant, turn, &Step::default(), state, LOOK_EVERY).await
    }

    /// Answers the state; the old one, and nothing is written, if somebody else took the step.
    async fn end_step(
        &self,
        mut tenant: Tenant,
        turn: &Turn,
        step: &Step,
        state: State,
        wait: Duration,
    ) -> Result<State, sqlx::Error> {
        if !stripe_backfills::step(&mut tenant, turn, step, state, wait).await? {
            return Ok(turn.state);
        }
        tenant.commit().await?;
        self.dirty.notify_one();
        Ok(state)
    }

    async fn put_back(&self, turn: &Turn, error: &Failed) {
        tracing::warn!(guild.id = %turn.connection.guild, %error, "the backfill cannot go on");
        let wait = error.wait();
        let put = within(async {
            let mut tenant = tenant::begin(&self.pool, turn.connection.guild).await?;
            stripe_backfills::retry(&mut tenant, turn.connection.id, wait, &error.to_string()).await?;
            tenant.commit().await
        });
        if let Err(error) = put.await {
            tracing::warn!(%error, "the step could not be put back; it is taken again after a minute");
        }
    }
}
