//! What one service asks of the other. In: sealed arguments. Out: at most one sealed answer, or that there is none.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    db::{cross_tenant::Crossing, tenant::Tenant},
    domain::service_request::Service,
    ids::GuildId,
};

/// The associated data that a row's values are sealed for. `column`: `arguments` or `answer`.
pub fn place(guild: GuildId, request: Uuid, column: &str) -> String {
    format!("service_requests/{guild}/{request}/{column}")
}

/// What is said to a request, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Sealed.
    Answer(Vec<u8>),
    /// This release does not know the kind, or does not answer it.
    NotKnown,
    /// It could not be read or answered; the cause was logged.
    Failed,
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Open,
    Ended(Reply),
    Expired,
}

/// What is asked for, sealed.
#[derive(Debug)]
pub struct Asked {
    pub kind: String,
    pub arguments: Vec<u8>,
    /// Until it expires.
    pub left: Duration,
}

/// Asks. Tell the other service with [`announce`] when it is committed.
pub async fn ask(
    tenant: &mut Tenant,
    request: Uuid,
    by: Service,
    kind: &str,
    arguments: &[u8],
    patience: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO service_requests (guild_id, request_id, asked_by, kind, arguments, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))",
    )
    .bind(tenant.guild())
    .bind(request)
    .bind(by.word())
    .bind(kind)
    .bind(arguments)
    .bind(patience.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Takes one that the other service asked, the oldest with time left. Nobody else gets it: whoever took it and dies lets it expire.
pub async fn take(crossing: &mut Crossing, by: Service) -> Result<Option<(GuildId, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE service_requests SET state = 'taken'
          WHERE (guild_id, request_id) = (
                SELECT guild_id, request_id FROM service_requests
                 WHERE state = 'asked' AND asked_by = $1 AND expires_at > now()
                 ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING guild_id, request_id",
    )
    .bind(by.other().word())
    .fetch_optional(crossing.db())
    .await
}

/// What was taken; `None` if it has expired.
pub async fn taken(tenant: &mut Tenant, request: Uuid) -> Result<Option<Asked>, sqlx::Error> {
    let row: Option<(String, Vec<u8>, f64)> = sqlx::query_as(
        "SELECT kind, arguments, extract(epoch FROM expires_at - now())::float8 FROM service_requests
          WHERE guild_id = $1 AND request_id = $2 AND state = 'taken' AND expires_at > now()",
    )
    .bind(tenant.guild())
    .bind(request)
    .fetch_optional(tenant.db())
    .await?;
    Ok(row.map(|(kind, arguments, left)| Asked {
        kind,
        arguments,
        left: Duration::try_from_secs_f64(left).unwrap_or_default(),
    }))
}

/// Replies to a request that was taken, whose arguments are needed no more. `false`: it has ended already, or its time is over.
pub async fn reply(tenant: &mut Tenant, request: Uuid, reply: &Reply) -> Result<bool, sqlx::Error> {
    let (state, answer) = match reply {
        Reply::Answer(answer) => ("answered", Some(answer)),
        Reply::NotKnown => ("not_known", None),
        Reply::Failed => ("failed", None),
    };
    let updated = sqlx::query(
        "UPDATE service_requests SET state = $3, arguments = '', answer = $4, answered_at = now()
          WHERE guild_id = $1 AND request_id = $2 AND state = 'taken' AND expires_at > now()",
    )
    .bind(tenant.guild())
    .bind(request)
    .bind(state)
    .bind(answer)
    .execute(tenant.db())
    .await?;
    Ok(updated.rows_affected() == 1)
}

pub async fn standing(tenant: &mut Tenant, request: Uuid) -> Result<Standing, sqlx::Error> {
    let row: Option<(String, Option<Vec<u8>>)> =
        sqlx::query_as("SELECT state, answer FROM service_requests WHERE guild_id = $1 AND request_id = $2")
            .bind(tenant.guild())
            .bind(request)
            .fetch_optional(tenant.db())
            .await?;
    // One that is gone was asked a day ago.
    let Some((state, answer)) = row else { return Ok(Standing::Expired) };
    Ok(match (state.as_str(), answer) {
        ("asked" | "taken", _) => Standing::Open,
        ("answered", Some(answer)) => Standing::Ended(Reply::Answer(answer)),
        ("not_known", _) => Standing::Ended(Reply::NotKnown),
        ("expired", _) => Standing::Expired,
        // A state of a newer release, too.
        _ => Standing::Ended(Reply::Failed),
    })
}

/// Lets a request of ours expire. `false`: it has ended already, perhaps with an answer.
pub async fn expire(tenant: &mut Tenant, request: Uuid) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE service_requests SET state = 'expired', arguments = ''
          WHERE guild_id = $1 AND request_id = $2 AND state IN ('asked', 'taken')",
    )
    .bind(tenant.guild())
    .bind(request)
    .execute(tenant.db())
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Lets what the other service asked expire, and forgets its arguments, where nobody did in time: whoever asked has died. Answers how
/// many.
pub async fn expire_left(crossing: &mut Crossing, by: Service) -> Result<u64, sqlx::Error> {
    let expired = sqlx::query(
        "UPDATE service_requests SET state = 'expired', arguments = ''
          WHERE state IN ('asked', 'taken') AND asked_by = $1 AND expires_at < now() - interval '10 seconds'",
    )
    .bind(by.other().word())
    .execute(crossing.db())
    .await?;
    Ok(expired.rows_affected())
}

/// What a service listens on for requests and answers.
pub fn channel(to: Service) -> &'static str {
    match to {
        Service::Gateway => "nexrole_to_gateway",
        Service::Bot => "nexrole_to_bot",
    }
}

/// Wakes a service. From outside the transaction that asks or answers: a NOTIFY inside would hold a database-wide lock over its
/// commit.
pub async fn announce(crossing: &mut Crossing, to: Service) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, '')").bind(channel(to)).execute(crossing.db()).await?;
    Ok(())
}
