//! The control API as Rust methods. In: a running fake Stripe's URL. Out: typed answers for tests and the demo.

mod catalogue;
mod delivery;
mod money;

use anyhow::Context;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::api::{LIMITED, lock_timeout};
use crate::remote::Remote;
use crate::{Fault, Request};

/// Steers one fake Stripe.
#[derive(Clone, Debug)]
pub struct Control(Remote);

impl Control {
    /// For the sandbox at this URL, with or without `/_sandbox`.
    pub fn new(base_url: &str) -> Self {
        Self(Remote::new(base_url))
    }

    /// A customer; causes `customer.created`.
    pub async fn create_customer(
        &self,
        email: Option<&str>,
        metadata: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let metadata: Map<String, Value> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.create("/customers", &json!({ "email": email, "metadata": metadata })).await
    }

    /// A customer from `{id?, email?, name?, customer_account?, metadata?, livemode?}`.
    pub async fn create_customer_with(&self, params: Value) -> anyhow::Result<String> {
        self.create("/customers", &params).await
    }

    /// A customer of live mode, whom only live keys see.
    pub async fn create_live_customer(&self, email: &str) -> anyhow::Result<String> {
        self.create("/customers", &json!({ "email": email, "livemode": true })).await
    }

    /// Overwrites top-level fields; causes `customer.updated`.
    pub async fn update_customer(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/customers/{id}"), &change).await
    }

    /// Causes `customer.subscription.deleted` for each live subscription, then `customer.deleted`.
    pub async fn delete_customer(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/customers/{id}"), &Value::Null).await
    }

    /// An active subscription; causes `customer.subscription.created` and `invoice.paid`.
    pub async fn subscribe(&self, customer: &str, price: &str) -> anyhow::Result<String> {
        self.subscribe_with(json!({ "customer": customer, "prices": [price] })).await
    }

    /// A subscription from `{customer, prices, trial_offers?, status?, metadata?, items_empty?, billing_mode?,
    /// application_fee_percent?}`.
    pub async fn subscribe_with(&self, params: Value) -> anyhow::Result<String> {
        self.create("/subscriptions", &params).await
    }

    /// Overwrites top-level fields; `prices`, `trial_offers`, `current_period_end` and `silent` are special.
    pub async fn set_subscription(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/subscriptions/{id}"), &change).await
    }

    /// Ends a subscription now; causes `customer.subscription.deleted`.
    pub async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/subscriptions/{id}"), &Value::Null).await
    }

    /// The customer cancels in the portal, at the end of what is paid: `cancel_at` is set, and `cancel_at_period_end` stays
    /// false unless the subscription is classic; causes `customer.subscription.updated`.
    pub async fn portal_cancel(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/subscriptions/{id}/portal_cancel"), &Value::Null).await
    }

    /// Pauses a subscription; the cause is `pause_requested`, `first_payment_failure`, `final_payment_failure`,
    /// `trial_end_without_payment_method` or `system`. Causes `customer.subscription.updated` and `….paused`.
    pub async fn pause(&self, id: &str, cause: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/subscriptions/{id}/pause"), &json!({ "cause": cause })).await
    }

    /// Bills a paused subscription anew. With `resume_on_payment_attempt` the invoice waits to be stepped: paid it is active,
    /// failed it is past due for good; with `resume_on_payment_success` it is tried now and stays paused until paid.
    pub async fn resume(&self, id: &str, behaviour: &str) -> anyhow::Result<()> {
        let order = json!({ "payment_behavior": behaviour });
        self.0.tell(Method::POST, &format!("/subscriptions/{id}/resume"), &order).await
    }

    pub async fn now(&self) -> anyhow::Result<i64> {
        let clock: Value = self.0.get("/clock").await?;
        clock["now"].as_i64().context("a clock without time")
    }

    /// Moves the clock: `{now?, advance_seconds?, stopped?}`. Trials and periods that end on the way do.
    pub async fn move_clock(&self, params: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/clock", &params).await
    }

    /// All of the owner's settings, unsaid ones to their default: `{api_version?, dunning?, pause_on_failure?,
    /// resume_when_paid?, billing_mode?, upcoming_days?,
    /// customers_by_account?, ties_by_id?, lost_cursor_status?}`.
    pub async fn set_settings(&self, settings: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/settings", &settings).await
    }

    /// A key: `{prefix, permissions?}`.
    pub async fn create_key(&self, prefix: &str, permissions: Option<Value>) -> anyhow::Result<String> {
        let params = json!({ "prefix": prefix, "permissions": permissions });
        let created: Value = self.post("/keys", &params).await?;
        Ok(created["key"].as_str().context("an answer without key")?.to_owned())
    }

    /// What a key may do from now on: `{permissions?, state?}`, the state `active`, `revoked` or `expired`.
    pub async fn change_key(&self, key: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/keys/{key}"), &change).await
    }

    /// Overwrites top-level fields of the customer portal's default configuration, in both modes; `is_default: false` leaves the account
    /// without one. At first its login page is enabled. Causes no event.
    pub async fn change_portal(&self, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, "/portal", &change).await
    }

    /// The next `times` calls are too many, by one of Stripe's reasons: `global-rate`, `endpoint-rate`,
    /// `global-concurrency`, `endpoint-concurrency`, `resource-specific`.
    pub async fn rate_limit(&self, reason: &str, times: u32) -> anyhow::Result<()> {
        let headers = [(LIMITED.to_owned(), reason.to_owned())].into();
        self.fault(Fault { headers, times, ..Fault::status(429) }).await
    }

    /// The next call finds its object locked by somebody else.
    pub async fn lock_timeout(&self) -> anyhow::Result<()> {
        let headers = [(LIMITED.to_owned(), "resource-specific".to_owned())].into();
        self.fault(Fault { headers, body: Some(lock_timeout()), ..Fault::status(429) }).await
    }

    /// Lets the next matching `/v1` calls go wrong.
    pub async fn fault(&self, fault: Fault) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/faults", &serde_json::to_value(&fault)?).await
    }

    /// Forgets the faults that have not happened yet.
    pub async fn clear_faults(&self) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, "/faults", &Value::Null).await
    }

    /// Every `/v1` call since the last clearing, in order of arrival.
    pub async fn requests(&self) -> anyhow::Result<Vec<Request>> {
        self.0.get("/requests").await
    }

    /// Forgets the calls so far; numbering goes on.
    pub async fn clear_requests(&self) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, "/requests", &Value::Null).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.0.call(Method::POST, path, body).await
    }

    async fn create(&self, path: &str, body: &Value) -> anyhow::Result<String> {
        let created: Value = self.post(path, body).await?;
        Ok(created["id"].as_str().context("an answer without id")?.to_owned())
    }
}
