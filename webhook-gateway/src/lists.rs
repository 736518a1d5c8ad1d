//! Many subscriptions by few reads. In: pages of Stripe's list of running subscriptions. Out: what they show, applied as reads of each
//! would be.
//!
//! At first contact, after an outage that the list of events does not span, and once a day in case anything slipped through all else. One
//! page at a time, of whichever connection's is due; how far the list was read is a row, so that a restart reads on.
//!
//! A list is evidence of what it shows, and never of what it does not: what of ours it lacks is read by itself. So is what a page shows
//! in part only. What was heard of since the page was asked for is left to its own read, which is newer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use shared::{
    background,
    clock::Timestamp,
    db::{
        pool::{Pool, within},
        tenant::{self, Tenant},
    },
    domain::{
        billing::{fact::BillingFact, subscription::SubscriptionFact},
        daily,
        stripe_object::{Object, ObjectKind},
    },
    ids::ConnectionId,
    metrics::LIST_PAGES,
    store::{
        access_sources, purchases,
        stripe_connections::Connection,
        stripe_lists::{self, Turn, Turned},
        stripe_sync::{self, Leased},
    },
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    failed::Failed,
    stripe::{
        api::{Listed, ReadClient, ReadError, Session},
        credentials::{Key, Keys, MetadataLinks},
    },
    sync::apply::{Applied, Attempt, Others, Read, apply, changed},
};

/// How long a page is kept: longer than Stripe may take to answer and it takes to apply.
const KEPT: Duration = Duration::from_secs(120);
/// Subscriptions that are leased at a time: what is hinted at meanwhile waits for them.
const LEASED_AT_ONCE: usize = 20;
/// Of these, how many are applied at the same time. Reads have as many connections to the database left as before.
const APPLIED_AT_ONCE: usize = 4;
/// Fewer of ours may all have ended since they were read.
const SUSPICIOUS: usize = 3;
/// Ids that one statement marks.
const CHUNK: usize = 500;
/// Between two of very many reads: Stripe allows 25 a second, and payments of now come first.
const SPACING: Duration = Duration::from_millis(100);

pub struct Lists {
    pub pool: Pool,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    /// How long one worker keeps an object.
    pub lease: Duration,
    /// How often to check whether a page is due.
    pub poll: Duration,
    /// As after a single read.
    pub spacing: Duration,
    /// Told when objects are to be read.
    pub dirty: Arc<Notify>,
    /// Told when role jobs were made.
    pub jobs_made: Arc<Notify>,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Applied; the next is due.
    Page,
    /// Applied, and it was the last.
    End,
    /// The same, and the list had nothing of what gives roles here: the key of another account, or a wrong answer.
    NoneOfOurs,
    /// Somebody else went on with the list.
    LostTurn,
}

/// One word, for counting.
fn word(page: &Result<Outcome, Failed>) -> &'static str {
    match page {
        Ok(Outcome::Page | Outcome::End) => "done",
        Ok(Outcome::NoneOfOurs) => "none_of_ours",
        Ok(Outcome::LostTurn) => "lost_turn",
        Err(error) => error.word(),
    }
}

/// Reads pages until `stop`; a page that is being applied then is read again at the next start.
pub async fn run(lists: Lists, stop: CancellationToken) {
    loop {
        let wait = if lists.tick(&stop).await { Duration::ZERO } else { lists.poll };
        if !background::pause(&stop, wait).await {
            return;
        }
    }
}

impl Lists {
    /// Reads and applies one page, if one is due.
    pub async fn tick(&self, stop: &CancellationToken) -> bool {
        let taken = within(async { stripe_lists::take(&mut self.pool.across().await?, KEPT).await });
        match taken.await {
            Ok(None) => false,
            Ok(Some(turn)) => {
                let page = self.page(&turn, stop).await;
                metrics::counter!(LIST_PAGES, "outcome" => word(&page)).increment(1);
                if let Err(error) = page {
                    self.put_back(turn.connection, &error).await;
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "waiting for the database and its schema");
                false
            }
        }
    }

    async fn page(&self, turn: &Turn, stop: &CancellationToken) -> Result<Outcome, Failed> {
        let connection = turn.connection;
        let began_at = match turn.began_at {
            Some(began_at) => began_at,
            None => self.begin_again(connection).await?,
        };
        let turn = Turn { began_at: Some(began_at), ..turn.clone() };
        let key = self.keys.of(connection).await?;
        let sweep = key.key.clone().for_sweeps();
        let reading = self.stripe.running_subscriptions(&sweep, turn.after.as_deref());
        let page = match stop.run_until_cancelled(reading).await.ok_or(Failed::Stopping)? {
            Err(ReadError::Missing) if turn.after.is_some() => {
                self.begin_again(connection).await?;
                let why = "a list does not know any more where it was read on from, and is begun again";
                return Err(ReadError::Unreadable(why.to_owned()).into());
            }
            page => page?,
        };
        let ids: Vec<String> = page.listed.iter().map(|listed| listed.id.clone()).collect();
        let again = self.apply_all(&turn, &key, page.listed, stop).await?;
        // What was bought once does not renew, and there may be very much of it: where events told of it without a gap it is known.
        let sessions = if page.is_last && !turn.is_listed {
            let reading = self.stripe.purchases(&sweep, None);
            stop.run_until_cancelled(reading).await.ok_or(Failed::Stopping)??
        } else {
            Vec::new()
        };
        let (turned, lacking) = within(self.note(&turn, &ids, page.is_last, again, sessions)).await?;
        match turned {
            Turned::Again => {
                self.begin_again(connection).await?;
                Err(ReadError::Unreadable("a list turns in a circle".to_owned()).into())
            }
            Turned::LostTurn => Ok(Outcome::LostTurn),
            Turned::Page if page.is_last => {
                tracing::info!(guild.id = %connection.guild, "Stripe's list of subscriptions was read to its end");
                let Some(ours) = lacking else { return Ok(Outcome::End) };
                // No evidence of any end, but a person should look.
                tracing::error!(guild.id = %connection.guild, ours,
                    "Stripe lists none of the subscriptions that give roles here: is the key another account's? \
                     Nobody loses a role by that; each is read by itself");
                Ok(Outcome::NoneOfOurs)
            }
            Turned::Page => Ok(Outcome::Page),
        }
    }

    async fn begin_again(&self, connection: Connection) -> Result<Timestamp, sqlx::Error> {
        self.write(connection, async |tenant, id| stripe_lists::begin(tenant, id).await).await
    }

    /// Applies what a page shows. Answers what is to be read by itself.
    async fn apply_all(
        &self,
        turn: &Turn,
        key: &Key,
        listed: Vec<Listed>,
        stop: &CancellationToken,
    ) -> Result<Vec<String>, Failed> {
        let (shown, unfit): (Vec<Listed>, Vec<Listed>) =
            listed.into_iter().partition(|listed| listed.fact.is_some());
        let facts: Vec<SubscriptionFact> = shown.into_iter().filter_map(|listed| listed.fact).collect();
        let facts = within(changed(&self.pool, turn.connection, key.metadata, facts)).await?;
        let mut facts: BTreeMap<String, SubscriptionFact> =
            facts.into_iter().map(|fact| (fact.id.to_string(), fact)).collect();
        let ids: Vec<String> = facts.keys().cloned().collect();
        let mut again: Vec<String> = unfit.into_iter().map(|listed| listed.id).collect();
        for few in ids.chunks(LEASED_AT_ONCE) {
            if stop.is_cancelled() {
                return Err(Failed::Stopping);
            }
            let objects: BTreeSet<Object> = few.iter().cloned().map(subscription).collect();
            let leased = self.lease(turn, &objects).await?;
            let reads = leased.into_iter().filter_map(|leased| {
                let fact = facts.remove(&leased.object.id)?;
                Some((leased, Read::Fact(Box::new(BillingFact::Subscription(fact)), Vec::new())))
            });
            again.extend(self.apply_leased(reads.collect(), key).await);
        }
        Ok(again)
    }

    async fn lease(&self, turn: &Turn, objects: &BTreeSet<Object>) -> Result<Vec<Leased>, sqlx::Error> {
        self.write(turn.connection, async |tenant, id| {
            stripe_sync::lease_listed(tenant, id, objects, Uuid::new_v4(), self.lease, turn.since).await
        })
        .await
    }

    /// Each in a transaction of its own, as after a single read, so that nobody waits long. Answers what could not be applied.
    async fn apply_leased(&self, reads: Vec<(Leased, Read)>, key: &Key) -> BTreeSet<String> {
        let mut again: BTreeSet<String> = reads.iter().map(|(leased, _)| leased.object.id.clone()).collect();
        let mut applying = JoinSet::new();
        let mut reads = reads.into_iter();
        loop {
            while applying.len() < APPLIED_AT_ONCE
                && let Some((leased, read)) = reads.next()
            {
                applying.spawn(apply_one(self.pool.clone(), leased, read, key.metadata, self.spacing));
            }
            match applying.join_next().await {
                None => return again,
                Some(Ok((id, Ok(Attempt::Done(Applied::Committed(jobs)))))) => {
                    again.remove(&id);
                    if jobs > 0 {
                        self.jobs_made.notify_one();
                    }
                }
                Some(Ok((_, Ok(Attempt::AsksForOthers(_) | Attempt::Done(_))))) => {}
                Some(Ok((id, Err(error)))) => {
                    tracing::warn!(%error, object.id = %id, "what a list shows could not be applied; it is read by itself");
                }
                // Its lease runs out.
                Some(Err(error)) => tracing::error!(%error, "applying ended by a panic"),
            }
        }
    }

    /// Writes down what the page has shown, and marks what is to be read by itself. Answers, too, how many of ours give roles, if the
    /// list, which was read to its end, has none of them.
    async fn note(
        &self,
        turn: &Turn,
        ids: &[String],
        is_last: bool,
        mut again: Vec<String>,
        sessions: Vec<Session>,
    ) -> Result<(Turned, Option<usize>), sqlx::Error> {
        let Turn { connection: Connection { guild, id: connection }, .. } = *turn;
        let mut tenant = tenant::begin(&self.pool, guild).await?;
        let mut lacking = None;
        let mut bought = Vec::new();
        for listed in sessions {
            match listed {
                Session::ToRead(id) => bought.push(id),
                Session::Beside(fact) => {
                    purchases::note(&mut tenant, connection, &fact).await?;
                    // What gives no role is known now, and read when something of it is mapped.
                    if purchases::concerns_roles(&mut tenant, connection, &fact).await? {
                        bought.push(fact.id.to_string());
                    }
                }
            }
        }
        if is_last {
            let mut unlisted = stripe_lists::unlisted(&mut tenant, connection).await?;
            unlisted.retain(|id| !ids.contains(id));
            if unlisted.len() >= SUSPICIOUS {
                let known = ObjectKind::Subscription;
                let ours = access_sources::live_of_kind(&mut tenant, connection, known).await?;
                lacking = (ours.len() == unlisted.len()).then_some(ours.len());
            }
            again.extend(unlisted);
            if !turn.is_listed {
                let known = ObjectKind::CheckoutSession;
                bought.extend(access_sources::live_of_kind(&mut tenant, connection, known).await?);
            }
        }
        mark(&mut tenant, connection, ObjectKind::CheckoutSession, bought).await?;
        mark(&mut tenant, connection, ObjectKind::Subscription, again).await?;
        let turned = stripe_lists::turn(&mut tenant, turn, ids).await?;
        if turned != Turned::Page {
            return Ok((turned, None));
        }
        if is_last {
            let wait = daily::until_next(guild, connection, shared::clock::now());
            stripe_lists::end(&mut tenant, connection, wait).await?;
        }
        tenant.commit().await?;
        self.dirty.notify_one();
        Ok((turned, lacking))
    }

    /// One transaction of the connection's tenant.
    async fn write<T>(
        &self,
        connection: Connection,
        step: impl AsyncFnOnce(&mut Tenant, ConnectionId) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        within(async {
            let mut tenant = tenant::begin(&self.pool, connection.guild).await?;
            let done = step(&mut tenant, connection.id).await?;
            tenant.commit().await?;
            Ok(done)
        })
        .await
    }

    async fn put_back(&self, connection: Connection, error: &Failed) {
        let put = if matches!(error, Failed::Stopping) {
            self.write(connection, async |tenant, id| stripe_lists::give_back(tenant, id).await).await
        } else {
            tracing::warn!(guild.id = %connection.guild, %error, "Stripe's list of subscriptions cannot be read on");
            let (wait, why) = (error.wait(), error.to_string());
            self.write(connection, async |tenant, id| stripe_lists::retry(tenant, id, wait, &why).await).await
        };
        if let Err(error) = put {
            tracing::warn!(%error, "the page could not be put back; it is read again after two minutes");
        }
    }
}

/// Answers its id, and what came of it. What would take the last reason for a role is given back: its own read comes with what else the
/// customer pays for.
async fn apply_one(
    pool: Pool,
    leased: Leased,
    read: Read,
    metadata: MetadataLinks,
    spacing: Duration,
) -> (String, Result<Attempt, sqlx::Error>) {
    let applied = within(async {
        let attempt = apply(&pool, &leased, metadata, &read, Others::Unknown, spacing).await?;
        if let Attempt::AsksForOthers(_) = attempt {
            let mut tenant = tenant::begin(&pool, leased.connection.guild).await?;
            stripe_sync::give_back(&mut tenant, &leased).await?;
            tenant.commit().await?;
        }
        Ok(attempt)
    });
    let applied = applied.await;
    (leased.object.id, applied)
}

fn subscription(id: String) -> Object {
    Object { kind: ObjectKind::Subscription, id }
}

/// Marks each of them once, in the order of their ids.
async fn mark(
    tenant: &mut Tenant,
    connection: ConnectionId,
    kind: ObjectKind,
    mut ids: Vec<String>,
) -> Result<(), sqlx::Error> {
    ids.sort_unstable();
    ids.dedup();
    for chunk in ids.chunks(CHUNK) {
        stripe_sync::mark_dirty_slowly(tenant, connection, kind, chunk, SPACING).await?;
    }
    Ok(())
}
