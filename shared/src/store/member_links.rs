//! Which Discord user a Stripe customer is. One user per customer and guild; a link never moves by itself, unless its holder was
//! never seen in the server.

use super::audit_log;
use crate::db::tenant::Tenant;
use crate::{
    domain::audit::{Actor, AuditAction, AuditEntry, Change},
    ids::{ConnectionId, CustomerId, SubscriptionId, UserId},
};

/// How a link was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The owner wrote `metadata.discord_user_id` at Stripe.
    Metadata,
    /// The owner said so to us, or somebody who may for them.
    Owner(Actor),
    /// They paid in a checkout session whose id they know.
    Checkout,
    /// The same, and the session carries their personal link's token.
    Reference,
    /// They read mail to the address that Stripe has of the customer.
    Email,
    /// Who had it gave it to this other account of theirs, and both logged in.
    Moved,
}

impl Proof {
    fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Owner(_) => "owner",
            Self::Checkout => "checkout",
            Self::Reference => "reference",
            Self::Email => "email",
            Self::Moved => "moved",
        }
    }
}

/// The outcome of linking.
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
        Proof::Owner(actor) => actor,
        Proof::Checkout | Proof::Reference | Proof::Email | Proof::Moved => Actor::Member,
    };
    let cause = format!("{customer} by {}", proof.as_str());
    let change = Change::default().field("user_id", None, Some(user));
    let entry = AuditEntry::new(actor, AuditAction::MemberLinked, cause).about(user).change(change);
    audit_log::record(tenant, &entry).await?;
    Ok(Linking::Linked)
}

/// Whether nobody would lose anything if this link followed the owner's metadata: the metadata made it, and its holder was never
/// seen in the server, for we never gave them a role.
pub async fn may_follow(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    holder: UserId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM member_links WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3
                           AND user_id = $4 AND proof = 'metadata')
                AND NOT EXISTS (SELECT FROM role_grants WHERE guild_id = $1 AND user_id = $4)
                AND NOT EXISTS (SELECT FROM audit_log WHERE guild_id = $1 AND user_id = $4 AND action LIKE 'role.%')",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .bind(holder)
    .fetch_one(tenant.db())
    .await
}

/// Moves a link that [`may_follow`] the metadata.
pub async fn follow(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    holder: UserId,
    named: UserId,
) -> Result<(), sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE member_links SET user_id = $5, linked_at = now()
          WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 AND user_id = $4",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .bind(holder)
    .bind(named)
    .execute(tenant.db())
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(());
    }
    let cause = format!("{customer}: its metadata was corrected");
    for (action, about, change) in [
        (AuditAction::MemberUnlinked, holder, Change::default().field("user_id", Some(holder), None)),
        (AuditAction::MemberLinked, named, Change::default().field("user_id", None, Some(named))),
    ] {
        let entry = AuditEntry::new(Actor::Stripe, action, cause.clone()).about(about).change(change);
        audit_log::record(tenant, &entry).await?;
    }
    Ok(())
}

/// A customer whose metadata names another member than it is linked to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Dispute {
    /// `cus_…`
    pub customer_id: CustomerId,
    /// To whom it is linked.
    pub holder: UserId,
    /// Whom its metadata names.
    pub named: UserId,
}

/// All such customers of a guild, whose connections are active. One statement for the bot, the operator, and the doctor.
pub(super) const DISPUTES: &str = "SELECT c.customer_id, l.user_id AS holder, c.named_user_id AS named
       FROM customers c JOIN member_links l USING (guild_id, connection_id, customer_id)
       JOIN stripe_connections s USING (guild_id, connection_id)
      WHERE c.guild_id = $1 AND c.named_user_id <> l.user_id AND s.state = 'active'
      ORDER BY c.customer_id";

pub async fn disputes(tenant: &mut Tenant) -> Result<Vec<Dispute>, sqlx::Error> {
    sqlx::query_as(DISPUTES).bind(tenant.guild()).fetch_all(tenant.db()).await
}

/// Removes a customer's link. Answers whose it was. What the customer pays for is the caller's to have read again.
pub async fn unlink(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    actor: Actor,
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
        let entry = AuditEntry::new(actor, AuditAction::MemberUnlinked, customer.to_string())
            .about(holder)
            .change(Change::default().field("user_id", Some(holder), None));
        audit_log::record(tenant, &entry).await?;
    }
    Ok(holder)
}

/// Forgets whom a customer's subscriptions named themselves, and answers it. Before [`unlink`], as whoever applies a read takes the mirror first.
pub async fn forget_named(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Vec<(SubscriptionId, UserId)>, sqlx::Error> {
    sqlx::query_as(
        "WITH named AS (
             SELECT subscription_id, user_id FROM subscriptions
              WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 AND user_id IS NOT NULL
              ORDER BY subscription_id COLLATE \"C\" FOR NO KEY UPDATE)
         UPDATE subscriptions s SET user_id = NULL FROM named
          WHERE s.guild_id = $1 AND s.connection_id = $2 AND s.subscription_id = named.subscription_id
         RETURNING s.subscription_id, named.user_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_all(tenant.db())
    .await
}

/// Forgets that metadata of customers, subscriptions and purchases named this member.
pub async fn forget_naming(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    for statement in [
        "UPDATE customers SET named_user_id = NULL WHERE guild_id = $1 AND named_user_id = $2",
        "UPDATE subscriptions SET user_id = NULL WHERE guild_id = $1 AND user_id = $2",
        "UPDATE purchases SET user_id = NULL WHERE guild_id = $1 AND user_id = $2",
    ] {
        sqlx::query(statement).bind(tenant.guild()).bind(member).execute(tenant.db()).await?;
    }
    Ok(())
}

/// The subscriptions that named this member themselves, with their customers, in the order in which objects are locked.
pub async fn naming(
    tenant: &mut Tenant,
    member: UserId,
) -> Result<Vec<(ConnectionId, String, CustomerId)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT connection_id, subscription_id, customer_id FROM subscriptions WHERE guild_id = $1 AND user_id = $2
          ORDER BY connection_id, subscription_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
}

/// The connections that know this customer, whether or not they are active, in the order in which objects are locked.
pub async fn connections_of(
    tenant: &mut Tenant,
    customer: &CustomerId,
) -> Result<Vec<(ConnectionId, bool)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT connection_id, state = 'active' FROM stripe_connections c
          WHERE guild_id = $1
            AND (EXISTS (SELECT FROM member_links l
                          WHERE (l.guild_id, l.connection_id, l.customer_id) = (c.guild_id, c.connection_id, $2))
                 OR EXISTS (SELECT FROM customers k
                             WHERE (k.guild_id, k.connection_id, k.customer_id) = (c.guild_id, c.connection_id, $2)))
          ORDER BY connection_id",
    )
    .bind(tenant.guild())
    .bind(customer)
    .fetch_all(tenant.db())
    .await
}

/// The customers whose metadata names this member, whoever they are linked to.
pub async fn claims(
    tenant: &mut Tenant,
    member: UserId,
) -> Result<Vec<(ConnectionId, CustomerId)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT connection_id, customer_id FROM customers WHERE guild_id = $1 AND named_user_id = $2",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
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

/// Keeps everybody else from a member's links until the transaction ends. After the objects' rows, in the order in which those are locked.
pub async fn hold_of_member(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT FROM member_links WHERE guild_id = $1 AND user_id = $2
          ORDER BY connection_id, customer_id COLLATE \"C\" FOR UPDATE",
    )
    .bind(tenant.guild())
    .bind(member)
    .execute(tenant.db())
    .await?;
    Ok(())
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
