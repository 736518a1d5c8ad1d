//! The queue: takes mails that are due, one after the other, and settles each. In: rows of `mails`. Out: mail, and what came of it.
//!
//! That the mail server may have a mail is written down before it is given its text. A crash then leaves a mail that is not sent again, and
//! says that it is in doubt: SMTP has no way to ask.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use shared::{
    actions::invite_payers::stop_secret,
    background::{self, Next},
    clock,
    crypto::Keyring,
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::{
        claim_code::LIVES,
        email::EmailAddress,
        mail::{ClaimCode, FAILED, Invitation, Judgement, MailKind, MailState, judge},
    },
    ids::{ConnectionId, CustomerId, GuildId},
    store::{
        claim_codes,
        claim_invitations::{self, Wanted},
        mails::{self, Opened, Settled, Taken},
        stripe_connections::{self, Connection},
    },
    views::mail::{self as view, Words},
};
use tokio_util::sync::CancellationToken;

use super::{
    failure::{Failure, Verdict},
    session::{LONGEST, Mailer},
};
use crate::{
    failed::Failed,
    login::destination::Destination,
    pages::mail_stop,
    stripe::{
        api::{ReadClient, ReadError},
        credentials::{Keys, NoKey},
    },
};

/// Between two mails: providers slow down, or close out, who sends much faster.
const APART: Duration = Duration::from_secs(1);
/// How long a mail is ours: longer than reads at Stripe and a conversation take.
const LEASE: Duration = LONGEST.saturating_add(Duration::from_secs(60));

/// How often to look whether somebody has set what was not.
const LOOKS_AGAIN: Duration = Duration::from_secs(600);

/// What it takes to send what waits.
pub struct Mails {
    pub pool: Pool,
    pub mailer: Mailer,
    pub keyring: Keyring,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    /// Where our pages are; `None`: nowhere, and nobody is led to them.
    pub public_url: Option<String>,
    /// How often to look for mail.
    pub poll: Duration,
}

/// A mail as it is sent.
struct Ready {
    to: String,
    words: Words,
}

/// Why there is none to send.
enum NotReady {
    Settled(Settled),
    Failed(Failed),
}

impl From<sqlx::Error> for NotReady {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

fn closed(state: MailState, why: &str) -> NotReady {
    NotReady::Settled(Settled::Close(state, Some(why.to_owned())))
}

/// Sends until `stop`.
pub async fn run(mails: Mails, stop: CancellationToken) {
    background::repeat(&stop, || async {
        match mails.tick().await {
            Ok(true) => Next::After(APART),
            Ok(false) => Next::After(mails.poll),
            Err(error) => {
                tracing::debug!(%error, "waiting for the database and its schema");
                Next::After(mails.poll)
            }
        }
    })
    .await;
}

impl Mails {
    /// Does what is to be done with one mail, if one is due.
    async fn tick(&self) -> Result<bool, sqlx::Error> {
        let taken = within(async { mails::take_due(&mut self.pool.across().await?, LEASE).await });
        let Some(taken) = taken.await? else { return Ok(false) };
        let opened =
            within(async { mails::open(&mut tenant::begin(&self.pool, taken.guild).await?, &taken).await });
        let Some(opened) = opened.await? else { return Ok(true) };
        let settled = match self.ready(&taken, &opened).await {
            Ok(ready) => match self.send(&taken, &opened, &ready).await? {
                Some(settled) => settled,
                // The lease ran out: somebody else has it.
                None => return Ok(true),
            },
            Err(NotReady::Settled(settled)) => settled,
            Err(NotReady::Failed(Failed::Database(error))) => return Err(error),
            Err(NotReady::Failed(error)) => {
                let wait = match error {
                    Failed::Stripe(ReadError::Busy(after) | ReadError::Spent(after)) => after,
                    _ => waits(&opened),
                };
                Settled::Again { wait, why: format!("whose the address is cannot be read: {}", error.word()) }
            }
        };
        tracing::info!(guild.id = %taken.guild, mail.id = %taken.id, kind = opened.kind.as_str(), ?settled, "what came of a mail");
        let is_ours = within(async {
            let mut tenant = tenant::begin(&self.pool, taken.guild).await?;
            let is_ours = mails::settle(&mut tenant, &taken, &settled).await?;
            tenant.commit().await?;
            Ok(is_ours)
        });
        if !is_ours.await? {
            tracing::warn!(guild.id = %taken.guild, mail.id = %taken.id, "the lease of a mail ran out, or it was cancelled");
        }
        Ok(true)
    }

    async fn ready(&self, taken: &Taken, opened: &Opened) -> Result<Ready, NotReady> {
        if let Judgement::Close(state, why) = judge(opened.tried_at, opened.expires_at, opened.now) {
            return Err(closed(state, why));
        }
        let open = |column: &str, sealed: &[u8]| {
            let opened = self.keyring.open(&mails::place(taken.guild, taken.id, column), sealed);
            opened.map_err(|error| closed(MailState::Refused, &error.to_string()))
        };
        let recipient = open("recipient", &opened.recipient)?;
        let arguments = open("arguments", &opened.arguments)?;
        let unreadable = || closed(MailState::Refused, "what was sealed is not what this release seals");
        match opened.kind {
            MailKind::ClaimCode => {
                let address = EmailAddress::parse(recipient.expose_secret()).ok_or_else(unreadable)?;
                let sealed: Result<ClaimCode, _> = serde_json::from_str(arguments.expose_secret());
                let code = sealed.map_err(|_| unreadable())?.code;
                let to = self.holders(taken, &address).await?;
                Ok(Ready { to, words: view::claim_code(&code, LIVES.as_secs() / 60) })
            }
            MailKind::Invitation => {
                let sealed: Result<Invitation, _> = serde_json::from_str(arguments.expose_secret());
                self.invitation(taken.guild, &sealed.map_err(|_| unreadable())?).await
            }
        }
    }

    /// Writes down which customers have the address, and answers how Stripe spells it.
    async fn holders(&self, taken: &Taken, address: &EmailAddress) -> Result<String, NotReady> {
        let connections = within(async {
            stripe_connections::of_guild(&mut tenant::begin(&self.pool, taken.guild).await?).await
        });
        let mut customers: Vec<(ConnectionId, CustomerId)> = Vec::new();
        let mut spelled = None;
        for listed in connections.await?.into_iter().filter(|listed| listed.state == "active") {
            let connection = Connection { guild: taken.guild, id: listed.connection_id };
            let key = match self.keys.of(connection).await {
                Ok(key) => key,
                Err(NoKey::Missing(why)) => {
                    tracing::warn!(guild.id = %taken.guild, why, "whose an address is cannot be read of one connection");
                    continue;
                }
                Err(NoKey::Database(error)) => return Err(error.into()),
            };
            // Whoever types addresses all day spends no read that somebody's payment needs.
            let found = self.stripe.customers_with(&key.key.for_sweeps(), address).await;
            for (customer, theirs) in found.map_err(|error| NotReady::Failed(error.into()))? {
                spelled.get_or_insert_with(|| theirs.spelled());
                customers.push((connection.id, customer));
            }
        }
        let Some(to) = spelled else { return Err(closed(MailState::Nobody, "no customer has the address")) };
        let counts = within(async {
            let mut tenant = tenant::begin(&self.pool, taken.guild).await?;
            let counts = claim_codes::found(&mut tenant, taken.id, &customers).await?;
            tenant.commit().await?;
            Ok(counts)
        });
        if counts.await? {
            Ok(to)
        } else {
            Err(closed(MailState::Cancelled, "the code does not count any more"))
        }
    }

    async fn invitation(&self, guild: GuildId, sealed: &Invitation) -> Result<Ready, NotReady> {
        let id = sealed.invitation;
        let later = |why: &str| NotReady::Settled(Settled::Again { wait: LOOKS_AGAIN, why: why.to_owned() });
        let origin = self.public_url.as_ref();
        let origin = origin.ok_or_else(|| later("PUBLIC_URL is not set: there is no page to lead to"))?;
        let secret = stop_secret(&self.keyring, guild, id);
        let secret = secret.ok_or_else(|| closed(MailState::Refused, "ENCRYPTION_KEYS is empty"))?;
        let wanted = within(async {
            claim_invitations::wanted(&mut tenant::begin(&self.pool, guild).await?, id).await
        });
        let left_alone = || closed(MailState::Cancelled, "they are linked meanwhile, or want no such mail");
        let Wanted { connection_id, customer_id, products } = wanted.await?.ok_or_else(left_alone)?;
        let key = match self.keys.of(Connection { guild, id: connection_id }).await {
            Ok(key) => key,
            Err(NoKey::Missing(why)) => return Err(later(&why)),
            Err(NoKey::Database(error)) => return Err(error.into()),
        };
        let to = match self.stripe.address_of(&key.key.for_sweeps(), &customer_id).await {
            Ok(to) => to,
            Err(ReadError::Missing) => None,
            Err(error) => return Err(NotReady::Failed(error.into())),
        };
        let to = to.ok_or_else(|| closed(MailState::Nobody, "Stripe has no address of the customer"))?;
        let claim = format!("{origin}{}", Destination::Email { guild }.path());
        let stop = format!("{origin}{}", mail_stop::path(guild, id, &secret));
        Ok(Ready { to: to.spelled(), words: view::invitation(&products, &claim, &stop, sealed.is_reminder) })
    }

    /// `None`: it is not ours any more, and nothing was sent.
    async fn send(
        &self,
        taken: &Taken,
        opened: &Opened,
        ready: &Ready,
    ) -> Result<Option<Settled>, sqlx::Error> {
        let address = super::address(&ready.to);
        let Some(message) = address.and_then(|to| self.mailer.message(&to, &ready.words, taken.id)) else {
            let why = "a mail cannot be made of it".to_owned();
            return Ok(Some(Settled::Close(MailState::Refused, Some(why))));
        };
        let session = match self.mailer.connect().await {
            Ok(session) => session,
            Err(failure) => return Ok(Some(meant(&failure, opened))),
        };
        let is_ours = within(async {
            let mut tenant = tenant::begin(&self.pool, taken.guild).await?;
            let is_ours = mails::intend(&mut tenant, taken).await?;
            tenant.commit().await?;
            Ok(is_ours)
        });
        if !is_ours.await? {
            session.leave().await;
            return Ok(None);
        }
        Ok(Some(match session.send(&message).await {
            Ok(_) => Settled::Close(MailState::Sent, None),
            Err(failure) => meant(&failure, opened),
        }))
    }
}

fn waits(opened: &Opened) -> Duration {
    FAILED.spread_wait(opened.attempts.try_into().unwrap_or(0), clock::jitter())
}

/// What a failure means for its mail.
fn meant(failure: &Failure, opened: &Opened) -> Settled {
    match failure.verdict {
        Verdict::Later => Settled::Again { wait: waits(opened), why: failure.in_brief() },
        Verdict::Never => Settled::Close(MailState::Refused, Some(failure.in_brief())),
        Verdict::Unsure => Settled::Close(MailState::Unsure, Some(failure.in_brief())),
    }
}
