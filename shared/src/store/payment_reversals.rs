//! What went back of the payments of subscriptions, as last read. What goes back of a one-time purchase is read with it.

use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        billing::{
            payment::{PaidInvoice, PaymentFact},
            reversal::{Dispute, Refund, Reversal},
        },
        entitlement::facts::ReversedInvoice,
    },
    ids::{ConnectionId, SubscriptionId},
};

/// Writes what was read of a payment, for each invoice of a subscription that it paid.
pub async fn record(
    tenant: &mut Tenant,
    connection: ConnectionId,
    fact: &PaymentFact,
) -> Result<(), sqlx::Error> {
    for PaidInvoice { id, subscription, created } in &fact.invoices {
        sqlx::query(
            "INSERT INTO payment_reversals (guild_id, connection_id, payment_intent_id, invoice_id, subscription_id, invoiced_at,
                                            refund, dispute, is_managed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (guild_id, connection_id, payment_intent_id, invoice_id) DO UPDATE SET
                 subscription_id = excluded.subscription_id, invoiced_at = excluded.invoiced_at, refund = excluded.refund,
                 dispute = excluded.dispute, is_managed = excluded.is_managed, synced_at = now()",
        )
        .bind(tenant.guild())
        .bind(connection)
        .bind(&fact.id)
        .bind(id)
        .bind(subscription)
        .bind(created)
        .bind(fact.reversal.refund.as_str())
        .bind(fact.reversal.dispute.as_str())
        .bind(fact.is_managed)
        .execute(tenant.db())
        .await?;
    }
    Ok(())
}

/// What went back of a subscription's payments, but for those after which another invoice was paid.
pub async fn of_subscription(
    tenant: &mut Tenant,
    connection: ConnectionId,
    subscription: &SubscriptionId,
    paid_invoice_at: Option<Timestamp>,
) -> Result<Vec<ReversedInvoice>, sqlx::Error> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT refund, dispute, is_managed FROM payment_reversals
          WHERE guild_id = $1 AND connection_id = $2 AND subscription_id = $3
            AND ($4::timestamptz IS NULL OR invoiced_at >= $4)
          ORDER BY payment_intent_id, invoice_id",
    )
    .bind(tenant.guild())
    .bind(connection)
    .bind(subscription)
    .bind(paid_invoice_at)
    .fetch_all(tenant.db())
    .await?;
    let reversed = rows.into_iter().map(|(refund, dispute, is_managed)| {
        let reversal = Reversal { refund: Refund::parse(&refund), dispute: parse(&dispute) };
        ReversedInvoice { reversal, is_managed }
    });
    Ok(reversed.collect())
}

fn parse(word: &str) -> Dispute {
    match word {
        "none" => Dispute::None,
        "open" => Dispute::Open,
        "lost" => Dispute::Lost,
        other => Dispute::Unknown(other.to_owned()),
    }
}
