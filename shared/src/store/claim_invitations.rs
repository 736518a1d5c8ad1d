//! Who was written to, to claim what they pay for. Addresses are Stripe's to know.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::invitation::{Payer, Told},
    ids::{ConnectionId, CustomerId},
};

/// All of them, and Postgres' time.
pub async fn told(tenant: &mut Tenant) -> Result<(BTreeMap<Payer, Told>, Timestamp), sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        connection_id: ConnectionId,
        customer_id: CustomerId,
        invitation_id: Uuid,
        invited_at: Timestamp,
        reminded_at: Option<Timestamp>,
        stopped_at: Option<Timestamp>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT connection_id, customer_id, invitation_id, invited_at, reminded_at, stopped_at
           FROM claim_invitations WHERE guild_id = $1",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await?;
    let now = sqlx::query_scalar("SELECT now()").fetch_one(tenant.db()).await?;
    let told = rows.into_iter().map(|row| {
        let Row { connection_id, customer_id, invitation_id: id, invited_at, reminded_at, stopped_at } = row;
        let payer = Payer { connection: connection_id, customer: customer_id };
        (payer, Told { id, invited_at, reminded_at, stopped_at })
    });
    Ok((told.collect(), now))
}

/// Writes down that one is told. `false`: somebody else has told them meanwhile.
pub async fn invite(tenant: &mut Tenant, payer: &Payer, id: Uuid) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO claim_invitations (guild_id, connection_id, customer_id, invitation_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(payer.connection)
    .bind(&payer.customer)
    .bind(id)
    .execute(tenant.db())
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes down that one is reminded. `false`: they were, or want it no more.
pub async fn remind(tenant: &mut Tenant, id: Uuid) -> Result<bool, sqlx::Error> {
    let reminded = sqlx::query(
        "UPDATE claim_invitations SET reminded_at = now()
          WHERE guild_id = $1 AND invitation_id = $2 AND reminded_at IS NULL AND stopped_at IS NULL",
    )
    .bind(tenant.guild())
    .bind(id)
    .execute(tenant.db())
    .await?;
    Ok(reminded.rows_affected() == 1)
}

/// Who is to be written to now.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Wanted {
    pub connection_id: ConnectionId,
    pub customer_id: CustomerId,
    /// What they pay for, in the owner's words.
    pub products: Vec<String>,
}

/// `None`: they are linked meanwhile, want no such mail, or the account is not connected any more.
pub async fn wanted(tenant: &mut Tenant, id: Uuid) -> Result<Option<Wanted>, sqlx::Error> {
    sqlx::query_as(
        "SELECT i.connection_id, i.customer_id,
                ARRAY (SELECT DISTINCT p.product_name FROM prices p
                        WHERE p.guild_id = $1 AND p.connection_id = i.connection_id AND p.product_name IS NOT NULL
                          AND (EXISTS (SELECT FROM subscriptions b
                                        WHERE b.guild_id = $1 AND b.connection_id = i.connection_id AND b.customer_id = i.customer_id
                                          AND p.price_id = ANY (b.price_ids))
                               OR EXISTS (SELECT FROM purchases b
                                           WHERE b.guild_id = $1 AND b.connection_id = i.connection_id AND b.customer_id = i.customer_id
                                             AND p.price_id = ANY (b.price_ids)))
                        ORDER BY p.product_name) AS products
           FROM claim_invitations i JOIN stripe_connections c USING (guild_id, connection_id)
          WHERE i.guild_id = $1 AND i.invitation_id = $2 AND i.stopped_at IS NULL AND c.state = 'active'
            AND NOT EXISTS (SELECT FROM member_links l WHERE (l.guild_id, l.connection_id, l.customer_id)
                                                            = (i.guild_id, i.connection_id, i.customer_id))",
    )
    .bind(tenant.guild())
    .bind(id)
    .fetch_optional(tenant.db())
    .await
}

/// They want no more of it. `false`: there is no such invitation.
pub async fn stop(tenant: &mut Tenant, id: Uuid) -> Result<bool, sqlx::Error> {
    let stopped = sqlx::query(
        "UPDATE claim_invitations SET stopped_at = coalesce(stopped_at, now()) WHERE guild_id = $1 AND invitation_id = $2",
    )
    .bind(tenant.guild())
    .bind(id)
    .execute(tenant.db())
    .await?;
    Ok(stopped.rows_affected() == 1)
}
