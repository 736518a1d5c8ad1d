//! Which Discord user a Stripe customer is. One user per customer and guild; a link never moves by itself.

use super::{audit, tenant::Tenant};
use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry, Change},
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
    let actor = match proof {
        Proof::Metadata => Actor::Stripe,
        Proof::Owner => Actor::Operator,
    };
    let cause = format!("{customer} by {}", proof.as_str());
    let change = Change::default().field("user_id", None, Some(user));
    let entry = AuditEntry::new(actor, AuditAction::MemberLinked, cause).about(user).change(change);
    audit::record(tenant, &entry).await?;
    Ok(Linking::Linked)
}

/// Removes a customer's link. Answers whose it was. What the customer pays for is the caller's to have read again.
pub async fn unlink(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Option<UserId>, sqlx::Error> {
    let holder: Option<UserId> = sqlx::query_scalar(
        "DELETE FROM member_links WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 RETURNING user_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_optional(tenant.db())
    .await?;
    if let Some(holder) = holder {
        let entry = AuditEntry::new(Actor::Operator, AuditAction::MemberUnlinked, customer.to_string())
            .about(holder)
            .change(Change::default().field("user_id", Some(holder), None));
        audit::record(tenant, &entry).await?;
    }
    Ok(holder)
}

/// The customers that are this member, in the order in which objects are locked.
pub async fn of_member(
    tenant: &mut Tenant,
    member: UserId,
) -> Result<Vec<(ConnectionId, CustomerId)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT connection_id, customer_id FROM member_links WHERE guild_id = $1 AND user_id = $2
          ORDER BY connection_id, customer_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
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
