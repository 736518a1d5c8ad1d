//! What a customer's link gives its holder: reasons for a role that change hands with the customer.

use super::access_sources::Live;
use crate::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::entitlement::{diff::RoleEntitlement, source::SourceRef},
    ids::{ConnectionId, CustomerId, RoleId, UserId},
};

/// One role that something gives, and what was read of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    pub source: SourceRef,
    pub live: Live,
    pub evidence: String,
}

/// What a customer pays for and gives this member now. What names a member itself is not the link's.
pub async fn of_customer(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    member: UserId,
) -> Result<Vec<Linked>, sqlx::Error> {
    type Row = (String, String, RoleId, Option<Timestamp>, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT b.kind, a.source_id, a.role_id, a.valid_until, a.evidence
           FROM (SELECT 'subscription' AS kind, subscription_id AS id FROM subscriptions
                  WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 AND user_id IS NULL
                 UNION ALL
                 SELECT 'checkout_session', session_id FROM purchases
                  WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3 AND user_id IS NULL) AS b
           JOIN access_sources a ON a.guild_id = $1 AND a.connection_id = $2 AND a.source_id = b.id
          WHERE a.user_id = $4 AND a.kind = 'stripe' AND a.state = 'live'
          ORDER BY a.source_id COLLATE \"C\", a.role_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .bind(member)
    .fetch_all(tenant.db())
    .await?;
    let linked = rows.into_iter().filter_map(|(kind, id, role, until, evidence)| {
        let source = match kind.as_str() {
            "subscription" => SourceRef::Subscription { connection, id: id.parse().ok()? },
            _ => SourceRef::Purchase { connection, id: id.parse().ok()? },
        };
        let live = Live { given: RoleEntitlement { user: member, role }, until };
        Some(Linked { source, live, evidence })
    });
    Ok(linked.collect())
}

/// The subscriptions that we know of a customer.
pub async fn subscriptions_of(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT subscription_id FROM subscriptions WHERE guild_id = $1 AND connection_id = $2 AND customer_id = $3",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(customer)
    .fetch_all(tenant.db())
    .await
}
