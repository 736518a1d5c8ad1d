//! Control of purchases and payments, as Rust methods. In: parameters. Out: ids, and what a purchase led to.

use reqwest::Method;
use serde_json::{Value, json};

use super::Control;

impl Control {
    /// An open session from `{payment_link | prices | mode: "setup", customer?, client_reference_id?, …}`.
    pub async fn open_session(&self, params: Value) -> anyhow::Result<String> {
        self.create("/checkout/sessions", &params).await
    }

    /// The buyer pays: `{email?, name?, payment?}`. Answers `{id, customer, subscription, invoice,
    /// payment_intent, redirect}`; causes `checkout.session.completed` and all that goes before it.
    pub async fn complete_session(&self, id: &str, purchase: Value) -> anyhow::Result<Value> {
        self.post(&format!("/checkout/sessions/{id}/complete"), &purchase).await
    }

    /// A session of a payment link, opened and completed.
    pub async fn buy(&self, link: &str, visit: Value) -> anyhow::Result<Value> {
        self.post(&format!("/payment_links/{link}/buy"), &visit).await
    }

    /// Causes `checkout.session.expired`.
    pub async fn expire_session(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/checkout/sessions/{id}/expire"), &Value::Null).await
    }

    /// The bank's late answer; causes `checkout.session.async_payment_succeeded` or `…_failed`.
    pub async fn settle_session(&self, id: &str, paid: bool) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/checkout/sessions/{id}/settle"), &json!({ "paid": paid })).await
    }

    /// How a customer pays from now on: `pays`, `declines`, `needs_action`, `no_method`, `pending`.
    pub async fn set_payer(&self, customer: &str, payer: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/customers/{customer}/payer"), &json!({ "payer": payer })).await
    }

    /// Bills a subscription now, as its customer pays; it falls behind if that fails.
    pub async fn bill(&self, subscription: &str) -> anyhow::Result<String> {
        self.create(&format!("/subscriptions/{subscription}/invoices"), &Value::Null).await
    }

    /// Moves an open invoice on: `pay`, `fail`, `void`, `mark_uncollectible`.
    pub async fn step_invoice(&self, id: &str, step: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/invoices/{id}/{step}"), &Value::Null).await
    }

    /// A refund from `{charge | payment_intent, amount?, reason?, status?}`.
    pub async fn refund(&self, params: Value) -> anyhow::Result<String> {
        self.create("/refunds", &params).await
    }

    /// The refund bounces; the charge stands again.
    pub async fn fail_refund(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/refunds/{id}/fail"), &Value::Null).await
    }

    /// A dispute from `{charge | payment_intent, amount?, reason?, inquiry?}`.
    pub async fn dispute(&self, params: Value) -> anyhow::Result<String> {
        self.create("/disputes", &params).await
    }

    /// Moves an open dispute on: `under_review`, `warning_under_review`, `needs_response` (of an inquiry),
    /// `appeal_needs_response` (of a lost one, which is open again), `appeal_under_review`; causes `charge.dispute.updated`.
    pub async fn advance_dispute(&self, id: &str, status: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/disputes/{id}"), &json!({ "status": status })).await
    }

    /// Ends an open dispute: `won`, `lost`, `warning_closed`, `prevented`; causes `charge.dispute.updated` and `….closed`.
    pub async fn close_dispute(&self, id: &str, status: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/disputes/{id}/close"), &json!({ "status": status })).await
    }
}
