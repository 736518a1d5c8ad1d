//! Tokens of personal links. None can be had from a row: it has a prefix and a keyed hash.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    crypto::token::Stored,
    db::tenant::Tenant,
    domain::reference::{Carried, Known},
    ids::{CheckoutSessionId, ConnectionId, CustomerId, UserId},
};

/// Until the transaction ends, nobody else makes a link for this member: what the limit counts is the same at the end.
pub async fn hold(tenant: &mut Tenant, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('link_tokens'), hashtext($1))")
        .bind(format!("{} {user}", tenant.guild()))
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// How many they had made within the last hour.
pub async fn made_lately(tenant: &mut Tenant, user: UserId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM link_tokens WHERE guild_id = $1 AND user_id = $2 AND created_at > now() - interval '1 hour'",
    )
    .bind(tenant.guild())
    .bind(user)
    .fetch_one(tenant.db())
    .await
}

/// `false`: there is another with the same prefix, and this one is not kept.
pub async fn insert(
    tenant: &mut Tenant,
    token: &Stored,
    user: UserId,
    lives: Duration,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO link_tokens (guild_id, prefix, hash, user_id, expires_at)
         VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5)) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(&token.prefix)
    .bind(&token.hash)
    .bind(user)
    .bind(lives.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// What has this prefix. Whether it is the token that somebody shows, only its hash tells.
pub async fn find(tenant: &mut Tenant, prefix: &str) -> Result<Option<(Stored, Known)>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        prefix: String,
        hash: Vec<u8>,
        user_id: UserId,
        expires_at: Timestamp,
        is_used: bool,
        connection_id: Option<ConnectionId>,
        session_id: Option<CheckoutSessionId>,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT prefix, hash, user_id, expires_at, state = 'used' AS is_used, connection_id, session_id
           FROM link_tokens WHERE guild_id = $1 AND prefix = $2",
    )
    .bind(tenant.guild())
    .bind(prefix)
    .fetch_optional(tenant.db())
    .await?;
    Ok(row.map(|row| {
        let Row { prefix, hash, user_id, expires_at, is_used, connection_id, session_id } = row;
        let used_for = connection_id.zip(session_id).filter(|_| is_used);
        (Stored { prefix, hash }, Known { user: user_id, expires_at, used_for })
    }))
}

/// A purchase was completed that carries it: it waits for whoever bought it.
pub async fn note(
    tenant: &mut Tenant,
    prefix: &str,
    connection: ConnectionId,
    carried: &Carried,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE link_tokens SET state = 'pending', connection_id = $3, session_id = $4, customer_id = $5
          WHERE guild_id = $1 AND prefix = $2 AND state <> 'used'",
    )
    .bind(tenant.guild())
    .bind(prefix)
    .bind(connection)
    .bind(&carried.session)
    .bind(&carried.customer)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Uses it up for this purchase, once: of several at the same moment, the others wait here. `false`: another purchase has it.
pub async fn use_up(
    tenant: &mut Tenant,
    prefix: &str,
    connection: ConnectionId,
    session: &CheckoutSessionId,
    customer: &CustomerId,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query(
        "UPDATE link_tokens SET state = 'used', connection_id = $3, session_id = $4, customer_id = $5,
                ended_at = coalesce(ended_at, clock_timestamp())
          WHERE guild_id = $1 AND prefix = $2 AND (state <> 'used' OR (connection_id = $3 AND session_id = $4))",
    )
    .bind(tenant.guild())
    .bind(prefix)
    .bind(connection)
    .bind(session)
    .bind(customer)
    .execute(tenant.db())
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Forgets the links of a member.
pub async fn forget(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM link_tokens WHERE guild_id = $1 AND user_id = $2")
        .bind(tenant.guild())
        .bind(member)
        .execute(tenant.db())
        .await?;
    Ok(())
}
