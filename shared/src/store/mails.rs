//! Mail that waits to be sent, sealed; and what came of it. When it is over, recipient and content are gone.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    db::{cross_tenant::Crossing, tenant::Tenant},
    domain::mail::{MailKind, MailState},
    ids::GuildId,
};

/// The associated data that a row's values are sealed for. `column`: `recipient` or `arguments`.
pub fn place(guild: GuildId, mail: Uuid, column: &str) -> String {
    format!("mails/{guild}/{mail}/{column}")
}

/// Sealed.
#[derive(Debug, Clone, Copy)]
pub struct NewMail<'a> {
    pub id: Uuid,
    pub kind: MailKind,
    pub recipient: &'a [u8],
    pub arguments: &'a [u8],
    /// It is sent then, or later.
    pub after: Duration,
    /// It is not sent any more so long after that.
    pub lives: Duration,
}

pub async fn enqueue(tenant: &mut Tenant, mail: NewMail<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO mails (guild_id, mail_id, kind, recipient, arguments, next_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), now() + make_interval(secs => $6 + $7))",
    )
    .bind(tenant.guild())
    .bind(mail.id)
    .bind(mail.kind.as_str())
    .bind(mail.recipient)
    .bind(mail.arguments)
    .bind(mail.after.as_secs_f64())
    .bind(mail.lives.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Those of these that no mail server may have are not sent.
pub async fn cancel(tenant: &mut Tenant, mails: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE mails SET state = 'cancelled', next_at = NULL, recipient = NULL, arguments = NULL, finished_at = now()
          WHERE guild_id = $1 AND mail_id = ANY ($2) AND state = 'pending' AND tried_at IS NULL",
    )
    .bind(tenant.guild())
    .bind(mails)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// A mail that is ours to send, until `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Taken {
    #[sqlx(rename = "guild_id")]
    pub guild: GuildId,
    #[sqlx(rename = "mail_id")]
    pub id: Uuid,
    /// The end of the lease, and its proof.
    #[sqlx(rename = "next_at")]
    pub until: Timestamp,
}

/// Takes the mail that is over first of those that are due, for so long: codes, which live for minutes, before invitations; one that another process has it leaves to that.
pub async fn take_due(crossing: &mut Crossing, lease: Duration) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS (
             SELECT guild_id, mail_id FROM mails WHERE state = 'pending' AND next_at <= now()
              ORDER BY expires_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
         )
         UPDATE mails m SET next_at = clock_timestamp() + make_interval(secs => $1) FROM due
          WHERE (m.guild_id, m.mail_id) = (due.guild_id, due.mail_id)
         RETURNING m.guild_id, m.mail_id, m.next_at",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// A taken mail.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Opened {
    pub kind: MailKind,
    /// Sealed.
    pub recipient: Vec<u8>,
    /// Sealed.
    pub arguments: Vec<u8>,
    /// That failed.
    pub attempts: i32,
    pub tried_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    pub now: Timestamp,
}

/// Reads it; `None`: it is not ours any more.
pub async fn open(tenant: &mut Tenant, taken: &Taken) -> Result<Option<Opened>, sqlx::Error> {
    sqlx::query_as(
        "SELECT kind, recipient, arguments, attempts, tried_at, expires_at, clock_timestamp() AS now FROM mails
          WHERE guild_id = $1 AND mail_id = $2 AND state = 'pending' AND next_at = $3",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .bind(taken.until)
    .fetch_optional(tenant.db())
    .await
}

/// The mail is about to be given to the server: from now on it may have it. `false`: it is not ours any more, and must not be sent.
pub async fn intend(tenant: &mut Tenant, taken: &Taken) -> Result<bool, sqlx::Error> {
    let intended = sqlx::query(
        "UPDATE mails SET tried_at = clock_timestamp()
          WHERE guild_id = $1 AND mail_id = $2 AND state = 'pending' AND next_at = $3 AND next_at > clock_timestamp()
            AND tried_at IS NULL",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .bind(taken.until)
    .execute(tenant.db())
    .await?;
    Ok(intended.rows_affected() == 1)
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The server has not taken it, and is asked again.
    Again { wait: Duration, why: String },
    /// It is over: recipient and content go.
    Close(MailState, Option<String>),
}

/// Writes it. `false`: the mail is not ours any more, and nothing was written.
pub async fn settle(tenant: &mut Tenant, taken: &Taken, settled: &Settled) -> Result<bool, sqlx::Error> {
    let query = match settled {
        Settled::Again { wait, why } => sqlx::query(
            "UPDATE mails SET next_at = clock_timestamp() + make_interval(secs => $4), outcome = $5, attempts = attempts + 1,
                              tried_at = NULL
              WHERE guild_id = $1 AND mail_id = $2 AND state = 'pending' AND next_at = $3",
        )
        .bind(tenant.guild())
        .bind(taken.id)
        .bind(taken.until)
        .bind(wait.as_secs_f64())
        .bind(why),
        Settled::Close(state, why) => sqlx::query(
            "UPDATE mails SET state = $4, outcome = $5, next_at = NULL, recipient = NULL, arguments = NULL, finished_at = clock_timestamp()
              WHERE guild_id = $1 AND mail_id = $2 AND state = 'pending' AND next_at = $3",
        )
        .bind(tenant.guild())
        .bind(taken.id)
        .bind(taken.until)
        .bind(state.as_str())
        .bind(why.as_deref()),
    };
    Ok(query.execute(tenant.db()).await?.rows_affected() == 1)
}

/// Mails of a day that were not simply sent, and why not.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct NotSent {
    pub state: MailState,
    pub outcome: Option<String>,
    pub count: i64,
}

/// Those of a guild; on the doctor's session, which has named it.
pub(super) async fn not_sent(db: &mut PgConnection, guild: GuildId) -> Result<Vec<NotSent>, sqlx::Error> {
    sqlx::query_as(
        "SELECT state, outcome, count(*) AS count FROM mails
          WHERE guild_id = $1 AND (state IN ('refused', 'unsure', 'expired') OR state = 'pending' AND attempts > 0)
          GROUP BY state, outcome ORDER BY count DESC LIMIT 5",
    )
    .bind(guild)
    .fetch_all(db)
    .await
}
