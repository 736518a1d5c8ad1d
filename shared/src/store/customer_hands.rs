//! In whose hands a customer is, or was last: so that it does not go round from one to the next. The caller has marked the customer, so
//! nobody else links, moves or unlinks it meanwhile.

use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::moving::Hands,
    ids::{ConnectionId, CustomerId, UserId},
};

/// In whose hands it was last, and the time. `None`: it was nobody's, or an owner has taken it since.
pub async fn last(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Option<(Hands, Timestamp)>, sqlx::Error> {
    let row: Option<(UserId, Timestamp, bool, Timestamp)> = sqlx::query_as(
        "SELECT user_id, since, was_moved, clock_timestamp() FROM customer_hands
          WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_optional(tenant.db())
    .await?;
    Ok(row.map(|(user, since, was_moved, now)| (Hands { user, since, was_moved }, now)))
}

/// A customer that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub connection: ConnectionId,
    pub customer: CustomerId,
    /// The connection is active: the customer can be read.
    pub is_active: bool,
    /// The owner's metadata at Stripe says that it is theirs, or something that it pays for.
    pub is_named: bool,
    pub hands: Hands,
    pub now: Timestamp,
}

/// All that a member has, in the order in which objects are locked.
pub async fn of_member(tenant: &mut Tenant, member: UserId) -> Result<Vec<Held>, sqlx::Error> {
    type Row = (ConnectionId, CustomerId, bool, bool, Timestamp, bool, Timestamp);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT l.connection_id, l.customer_id, c.state = 'active',
                -- What a subscription or purchase names it keeps, also when metadata links no more.
                (c.metadata_links
                 AND EXISTS (SELECT FROM customers k
                              WHERE (k.guild_id, k.connection_id, k.customer_id) = (l.guild_id, l.connection_id, l.customer_id)
                                AND k.named_user_id = l.user_id)
                     OR EXISTS (SELECT FROM subscriptions s
                                 WHERE (s.guild_id, s.connection_id, s.customer_id) = (l.guild_id, l.connection_id, l.customer_id)
                                   AND s.user_id = l.user_id)
                     OR EXISTS (SELECT FROM purchases p
                                 WHERE (p.guild_id, p.connection_id, p.customer_id) = (l.guild_id, l.connection_id, l.customer_id)
                                   AND p.user_id = l.user_id)),
                coalesce(h.since, l.linked_at), coalesce(h.was_moved, false), clock_timestamp()
           FROM member_links l JOIN stripe_connections c USING (guild_id, connection_id)
                -- Of an owner's link nothing is remembered: what is here is older, and somebody else's or theirs before.
                LEFT JOIN customer_hands h ON (h.guild_id, h.connection_id, h.customer_id, h.user_id)
                                            = (l.guild_id, l.connection_id, l.customer_id, l.user_id)
          WHERE l.guild_id = $1 AND l.user_id = $2
          ORDER BY l.connection_id, l.customer_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(connection, customer, is_active, is_named, since, was_moved, now)| Held {
            connection,
            customer,
            is_active,
            is_named,
            hands: Hands { user: member, since, was_moved },
            now,
        })
        .collect())
}

/// In whose hands it is from now on.
pub async fn keep(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    hands: Hands,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO customer_hands (guild_id, connection_id, customer_id, user_id, since, was_moved)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (guild_id, connection_id, customer_id)
             DO UPDATE SET user_id = excluded.user_id, since = excluded.since, was_moved = excluded.was_moved",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .bind(hands.user)
    .bind(hands.since)
    .bind(hands.was_moved)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// An owner said whose it is, or that it is nobody's: nothing rests.
pub async fn let_go(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM customer_hands WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3")
        .bind(tenant.guild())
        .bind(connection)
        .bind(customer)
        .execute(tenant.db())
        .await?;
    Ok(())
}

/// Forgets that a member had anything.
pub(super) async fn forget(tenant: &mut Tenant, member: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM customer_hands WHERE guild_id = $1 AND user_id = $2")
        .bind(tenant.guild())
        .bind(member)
        .execute(tenant.db())
        .await?;
    Ok(())
}
