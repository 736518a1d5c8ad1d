//! Codes that were sent by e-mail. Neither code nor address can be had from a row: both are keyed hashes.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::claim_code::{Asked, LATELY, Standing, State},
    ids::{ConnectionId, CustomerId, UserId},
};

/// Until the transaction ends, nobody else asks for a code in this server: what limits count is the same at the end.
pub async fn hold(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    // Two numbers: a space of its own beside the guilds' mapping locks, which are one.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('claim_codes'), hashtext($1))")
        .bind(tenant.guild().to_string())
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// What was asked for lately. `addresses`: the address under each key.
pub async fn asked(
    tenant: &mut Tenant,
    user: UserId,
    addresses: &[String],
) -> Result<(Asked, Timestamp), sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        by_user: i64,
        to_address: i64,
        in_server: i64,
        locked_at: Option<Timestamp>,
        now: Timestamp,
    }
    let Row { by_user, to_address, in_server, locked_at, now } = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE is_late AND user_id = $2) AS by_user,
                count(*) FILTER (WHERE is_late AND address_hash = ANY ($3)) AS to_address,
                count(*) FILTER (WHERE is_late) AS in_server,
                max(ended_at) FILTER (WHERE user_id = $2 AND address_hash = ANY ($3) AND state = 'locked') AS locked_at,
                clock_timestamp() AS now
           FROM (SELECT *, created_at > now() - make_interval(secs => $4) AS is_late FROM claim_codes
                  -- A lock lasts as long again, and begins up to ten minutes later.
                  WHERE guild_id = $1 AND created_at > now() - make_interval(secs => 3 * $4)) AS recent",
    )
    .bind(tenant.guild())
    .bind(user)
    .bind(addresses)
    .bind(LATELY.as_secs_f64())
    .fetch_one(tenant.db())
    .await?;
    Ok((Asked { by_user, to_address, in_server, locked_at }, now))
}

/// The open codes of this user for this address are used by nobody any more. Answers which.
pub async fn supersede(
    tenant: &mut Tenant,
    user: UserId,
    addresses: &[String],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE claim_codes SET state = 'superseded', ended_at = now()
          WHERE guild_id = $1 AND user_id = $2 AND address_hash = ANY ($3) AND state = 'open' RETURNING code_id",
    )
    .bind(tenant.guild())
    .bind(user)
    .bind(addresses)
    .fetch_all(tenant.db())
    .await
}

pub async fn insert(
    tenant: &mut Tenant,
    code: Uuid,
    user: UserId,
    (address_hash, code_hash): (&str, &str),
    lives: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO claim_codes (guild_id, code_id, user_id, address_hash, code_hash, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))",
    )
    .bind(tenant.guild())
    .bind(code)
    .bind(user)
    .bind(address_hash)
    .bind(code_hash)
    .bind(lives.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// The customers that have the address. `false`: the code does not count any more, and need not be sent.
pub async fn found(
    tenant: &mut Tenant,
    code: Uuid,
    customers: &[(ConnectionId, CustomerId)],
) -> Result<bool, sqlx::Error> {
    let (connections, ids): (Vec<ConnectionId>, Vec<&str>) =
        customers.iter().map(|(connection, customer)| (*connection, customer.as_str())).unzip();
    let updated = sqlx::query(
        "UPDATE claim_codes SET connection_ids = $3, customer_ids = $4
          WHERE guild_id = $1 AND code_id = $2 AND state = 'open' AND expires_at > clock_timestamp()",
    )
    .bind(tenant.guild())
    .bind(code)
    .bind(connections)
    .bind(ids)
    .execute(tenant.db())
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// A code that somebody uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub standing: Standing,
    pub code_hash: String,
    /// In the order in which objects are locked.
    pub customers: Vec<(ConnectionId, CustomerId)>,
    pub now: Timestamp,
}

/// Reads a code of this user's, and keeps everybody else from it until the transaction ends.
pub async fn lock(tenant: &mut Tenant, code: Uuid, user: UserId) -> Result<Option<Kept>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        state: State,
        tries: i32,
        expires_at: Timestamp,
        ended_at: Option<Timestamp>,
        code_hash: String,
        connection_ids: Vec<ConnectionId>,
        customer_ids: Vec<CustomerId>,
        now: Timestamp,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT state, tries, expires_at, ended_at, code_hash, connection_ids, customer_ids, clock_timestamp() AS now
           FROM claim_codes WHERE guild_id = $1 AND code_id = $2 AND user_id = $3 FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(code)
    .bind(user)
    .fetch_optional(tenant.db())
    .await?;
    Ok(row.map(|row| {
        let Row { state, tries, expires_at, ended_at, code_hash, connection_ids, customer_ids, now } = row;
        let mut customers: Vec<_> = connection_ids.into_iter().zip(customer_ids).collect();
        customers.sort_by(|a, b| (a.0, a.1.as_str()).cmp(&(b.0, b.1.as_str())));
        Kept { standing: Standing { state, tries, expires_at, ended_at }, code_hash, customers, now }
    }))
}

/// Writes what came of a try. The caller has the code from [`lock`], in the same transaction, and it was open.
pub async fn tried(tenant: &mut Tenant, code: Uuid, state: State, is_wrong: bool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE claim_codes SET state = $3, tries = tries + $4, ended_at = CASE WHEN $3 <> 'open' THEN clock_timestamp() END
          WHERE guild_id = $1 AND code_id = $2",
    )
    .bind(tenant.guild())
    .bind(code)
    .bind(state.as_str())
    .bind(i32::from(is_wrong))
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Forgets the codes of a member, with the mails that were to bring them.
pub async fn forget(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH forgotten AS (DELETE FROM claim_codes WHERE guild_id = $1 AND user_id = $2 RETURNING code_id)
         DELETE FROM mails WHERE guild_id = $1 AND mail_id IN (SELECT code_id FROM forgotten)",
    )
    .bind(tenant.guild())
    .bind(member)
    .execute(tenant.db())
    .await?;
    Ok(())
}
