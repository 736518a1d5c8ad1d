//! Questions from one service to the other, over the database: the gateway holds no bot token, the bot no Stripe key. In: a
//! question about one server. Out: the other service's answer within two seconds, or why there is none.
//!
//! Arguments and answers are sealed for their row; when a question has ended, its arguments are forgotten. A NOTIFY wakes the other side, and polling makes up for a lost one.

mod wire;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    crypto::{CryptoError, Keyring},
    db::{
        listen,
        pool::{Pool, within},
        tenant,
    },
    domain::service_request::{Answer, Question, Service},
    ids::GuildId,
    store::service_requests::{self, Asked, Reply, Standing, channel, place},
};

use self::wire::Unreadable;

/// How long a question is waited for, and how long it may take to let it expire: together two seconds.
const WAIT: Duration = Duration::from_millis(1750);
const EXPIRE_WITHIN: Duration = Duration::from_millis(250);
/// What a NOTIFY that got lost costs whoever waits for an answer.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// An answer that is later than this before its question expires is not begun.
const ANSWER_MARGIN: Duration = Duration::from_millis(150);
/// At the end, for what is being answered: nobody waits longer for it.
const LAST_ANSWERS: Duration = WAIT;
/// How often questions are ended that nobody waits for any more.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
/// Questions that are answered at the same time; each may be a call to a vendor.
const CONCURRENCY: usize = 8;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("ENCRYPTION_KEYS is not set: nothing can be asked of the other service. Set it for both")]
    NoKeys,
    #[error("the other service's release does not answer this question: bring both to the same release")]
    NotKnown,
    #[error("the other service could not answer; its log says why")]
    Failed,
    #[error("no answer within two seconds: is the other service running?")]
    Expired,
    #[error("the answer cannot be read: {0}. Both services need the same ENCRYPTION_KEYS")]
    Sealed(#[from] CryptoError),
    #[error("the answer cannot be read: bring both services to the same release")]
    Malformed,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why a question was not answered; only its class is told to who asked.
#[derive(Debug, thiserror::Error)]
enum CannotAnswer {
    #[error("ENCRYPTION_KEYS is not set")]
    NoKeys,
    #[error(transparent)]
    Sealed(#[from] CryptoError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("no answer to this kind of question is ours to give")]
    NotOurs,
}

/// One service's side of it.
pub struct ServiceRequests {
    pool: Pool,
    keyring: Option<Keyring>,
    service: Service,
    /// Something came: a question to answer, or an answer.
    called: Arc<Notify>,
    /// For those who wait for an answer.
    answered: Notify,
}

impl ServiceRequests {
    /// `pool`: as `service` connects.
    pub fn new(pool: Pool, keyring: Option<Keyring>, service: Service) -> Self {
        Self { pool, keyring, service, called: Arc::default(), answered: Notify::new() }
    }

    /// Asks the other service, and waits. Returns within two seconds.
    pub async fn ask(&self, guild: GuildId, question: &Question) -> Result<Answer, AskError> {
        let keyring = self.keyring.as_ref().ok_or(AskError::NoKeys)?;
        let request = Uuid::new_v4();
        let asked = timeout(WAIT, async {
            self.write(guild, request, question, keyring).await?;
            self.wait(guild, request).await
        });
        let reply = match asked.await {
            Ok(standing) => standing?,
            Err(_) => timeout(EXPIRE_WITHIN, self.expire(guild, request)).await.unwrap_or(Ok(None))?,
        };
        match reply {
            Some(Reply::Answer(sealed)) => {
                let answer = keyring.open(&place(guild, request, "answer"), &sealed)?;
                wire::read_answer(answer.expose_secret()).map_err(|_| AskError::Malformed)
            }
            Some(Reply::NotKnown) => Err(AskError::NotKnown),
            Some(Reply::Failed) => Err(AskError::Failed),
            None => Err(AskError::Expired),
        }
    }

    async fn write(
        &self,
        guild: GuildId,
        request: Uuid,
        question: &Question,
        keyring: &Keyring,
    ) -> Result<(), AskError> {
        let (kind, arguments) = wire::write_question(question).map_err(|_| AskError::Malformed)?;
        let arguments = keyring.seal(&place(guild, request, "arguments"), arguments.as_bytes())?;
        let mut tenant = tenant::begin(&self.pool, guild).await?;
        let patience = WAIT + EXPIRE_WITHIN;
        service_requests::ask(&mut tenant, request, self.service, &kind, &arguments, patience).await?;
        tenant.commit().await?;
        self.announce().await;
        Ok(())
    }

    /// Until it has ended; `None`: it expired.
    async fn wait(&self, guild: GuildId, request: Uuid) -> Result<Option<Reply>, AskError> {
        loop {
            // Before reading: an answer between the read and the wait is not missed.
            let answered = self.answered.notified();
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            let standing = service_requests::standing(&mut tenant, request).await?;
            drop(tenant);
            match standing {
                Standing::Open => {}
                Standing::Ended(reply) => return Ok(Some(reply)),
                Standing::Expired => return Ok(None),
            }
            drop(timeout(CHECK_EVERY, answered).await);
        }
    }

    /// Nobody answered in time, or in this very moment.
    async fn expire(&self, guild: GuildId, request: Uuid) -> Result<Option<Reply>, AskError> {
        let mut tenant = tenant::begin(&self.pool, guild).await?;
        if service_requests::expire(&mut tenant, request).await? {
            tenant.commit().await?;
            return Ok(None);
        }
        match service_requests::standing(&mut tenant, request).await? {
            Standing::Ended(reply) => Ok(Some(reply)),
            Standing::Open | Standing::Expired => Ok(None),
        }
    }

    /// A lost one costs the other side its poll interval.
    async fn announce(&self) {
        let announced =
            async { service_requests::announce(&mut self.pool.across().await?, self.service.other()).await };
        if let Err(error) = within(announced).await {
            tracing::debug!(%error, "the other service could not be woken; it polls");
        }
    }

    /// Listens, and answers what the other service asks, until `stop`. `answer`: to a question, by then; `None`: not one of this
    /// service's. `poll`: how often to look for questions whose NOTIFY was lost.
    pub async fn run<F>(
        self: Arc<Self>,
        poll: Duration,
        answer: impl Fn(GuildId, Question, Instant) -> F + Clone + Send + Sync + 'static,
        stop: CancellationToken,
    ) where
        F: Future<Output = Option<Answer>> + Send + 'static,
    {
        let called = Arc::clone(&self.called);
        let listening = listen::wake(self.pool.clone(), channel(self.service), called, stop.clone());
        let mut answers = JoinSet::new();
        let answering = async {
            let mut expired: Option<Instant> = None;
            loop {
                self.answer_all(&mut answers, &answer).await;
                if expired.is_none_or(|at| at.elapsed() >= EXPIRE_EVERY) {
                    self.expire_left().await;
                    expired = Some(Instant::now());
                }
                tokio::select! {
                    () = self.called.notified() => self.answered.notify_waiters(),
                    () = tokio::time::sleep(poll) => {}
                    Some(ended) = answers.join_next() => {
                        if let Err(error) = ended && error.is_panic() {
                            tracing::error!("answering the other service's question panicked");
                        }
                    }
                }
            }
        };
        tokio::join!(listening, stop.run_until_cancelled(answering));
        // What is being answered then is: it may be more than a look. What takes longer expires.
        let last = async { while answers.join_next().await.is_some() {} };
        drop(timeout(LAST_ANSWERS, last).await);
    }

    /// Whoever asked and died left its question open.
    async fn expire_left(&self) {
        let expired =
            async { service_requests::expire_left(&mut self.pool.across().await?, self.service).await };
        if let Err(error) = within(expired).await {
            tracing::debug!(%error, "questions that nobody waits for any more cannot be ended; trying again");
        }
    }

    /// Takes what is open, as far as there is room.
    async fn answer_all<F>(
        self: &Arc<Self>,
        answers: &mut JoinSet<()>,
        answer: &(impl Fn(GuildId, Question, Instant) -> F + Clone + Send + Sync + 'static),
    ) where
        F: Future<Output = Option<Answer>> + Send + 'static,
    {
        while answers.len() < CONCURRENCY {
            let taken = async { service_requests::take(&mut self.pool.across().await?, self.service).await };
            match within(taken).await {
                Ok(Some((guild, request))) => {
                    let (this, answer) = (Arc::clone(self), answer.clone());
                    answers.spawn(async move { this.answer(guild, request, answer).await });
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "the other service's questions cannot be read; trying again");
                    return;
                }
            }
        }
    }

    async fn answer<F>(&self, guild: GuildId, request: Uuid, answer: impl Fn(GuildId, Question, Instant) -> F)
    where
        F: Future<Output = Option<Answer>>,
    {
        let replied = within(async {
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            let Some(asked) = service_requests::taken(&mut tenant, request).await? else { return Ok(false) };
            drop(tenant);
            let reply = match self.reply(guild, request, &asked, answer).await {
                Ok(sealed) => Reply::Answer(sealed),
                Err(CannotAnswer::NotOurs | CannotAnswer::Unreadable(Unreadable::NotKnown)) => {
                    tracing::warn!(guild.id = %guild, kind = asked.kind, "the other service asked what this release does not know");
                    Reply::NotKnown
                }
                Err(error) => {
                    tracing::error!(%error, guild.id = %guild, kind = asked.kind, "the other service's question is not answered");
                    Reply::Failed
                }
            };
            let mut tenant = tenant::begin(&self.pool, guild).await?;
            let replied = service_requests::reply(&mut tenant, request, &reply).await?;
            tenant.commit().await?;
            Ok(replied)
        });
        match replied.await {
            Ok(true) => self.announce().await,
            Ok(false) => tracing::debug!(guild.id = %guild, "a question of the other service had expired"),
            Err(error) => tracing::warn!(%error, guild.id = %guild, "an answer cannot be stored"),
        }
    }

    async fn reply<F>(
        &self,
        guild: GuildId,
        request: Uuid,
        asked: &Asked,
        answer: impl Fn(GuildId, Question, Instant) -> F,
    ) -> Result<Vec<u8>, CannotAnswer>
    where
        F: Future<Output = Option<Answer>>,
    {
        let until = Instant::now() + asked.left.saturating_sub(ANSWER_MARGIN);
        let keyring = self.keyring.as_ref().ok_or(CannotAnswer::NoKeys)?;
        let arguments = keyring.open(&place(guild, request, "arguments"), &asked.arguments)?;
        let question = wire::read_question(&asked.kind, arguments.expose_secret())?;
        let answer = answer(guild, question, until).await.ok_or(CannotAnswer::NotOurs)?;
        let json = wire::write_answer(&answer)?;
        Ok(keyring.seal(&place(guild, request, "answer"), json.as_bytes())?)
    }
}
