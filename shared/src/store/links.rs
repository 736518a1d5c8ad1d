//! Which Discord user a Stripe customer is. One user per customer and guild; a link never moves by itself.

use super::{audit, tenant::Tenant};
use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry},
    ids::{ConnectionId, CustomerId, UserId},
};

/// How a link was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The owner wrote `metadata.discord_user_id` at Stripe.
    Metadata,
    /// The owner said so to us.
    Owner,
}

impl Proof {
    fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Owner => "owner",
        }
    }
}

/// What linking came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// The customer was not linked before.
    Linked,
    /// It was linked to this user already.
    AlreadySo,
    /// It is linked to somebody else, who keeps it.
    TakenBy(UserId),
}

/// Links a customer, if it is nobody's yet.
pub async fn link(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    user: UserId,
    proof: Proof,
) -> Result<Linking, sqlx::Error> {
    let guild = tenant.guild();
    let inserted = sqlx::query(
        "INSERT INTO member_links (guild_id, connection_id, customer_id, user_id, proof) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .bind(user)
    .bind(proof.as_str())
    .execute(tenant.db())
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(match linked_user(tenant, connection, customer).await? {
            Some(holder) if holder != user => Linking::TakenBy(holder),
            _ => Linking::AlreadySo,
        });
    }
    let entry = AuditEntry {
        actor: match proof {
            Proof::Metadata => Actor::Stripe,
            Proof::Owner => Actor::Operator,
        },
        action: AuditAction::MemberLinked,
        user: Some(user),
        role: None,
        cause: format!("{customer} by {}", proof.as_str()),
    };
    audit::record(tenant.db(), guild, &entry).await?;
    Ok(Linking::Linked)
}

/// Removes a customer's link. Answers whose it was. What the customer pays for is the caller's to have read again.
pub async fn unlink(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Option<UserId>, sqlx::Error> {
    let guild = tenant.guild();
    let holder: Option<UserId> = sqlx::query_scalar(
        "DELETE FROM member_links WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 RETURNING user_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_optional(tenant.db())
    .await?;
    if holder.is_some() {
        let entry = AuditEntry {
            actor: Actor::Operator,
            action: AuditAction::MemberUnlinked,
            user: holder,
            role: None,
            cause: customer.to_string(),
        };
        audit::record(tenant.db(), guild, &entry).await?;
    }
    Ok(holder)
}

/// Whose this customer is.
pub async fn linked_user(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT user_id FROM member_links WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_optional(tenant.db())
    .await
}
