//! The control API as Rust methods. In: a running fake Stripe's URL. Out: typed answers for tests and the demo.

mod catalogue;
mod money;

use anyhow::Context;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::records::{Attempt, Delivery, Mode, Released};
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

    /// A subscription from `{customer, prices, status?, metadata?, items_empty?}`.
    pub async fn subscribe_with(&self, wish: Value) -> anyhow::Result<String> {
        self.create("/subscriptions", &wish).await
    }

    /// Overwrites top-level fields; `prices`, `current_period_end` and `silent` are special.
    pub async fn set_subscription(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/subscriptions/{id}"), &change).await
    }

    /// Ends a subscription now; causes `customer.subscription.deleted`.
    pub async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/subscriptions/{id}"), &Value::Null).await
    }

    /// What happens to the events that arise from now on.
    pub async fn delivery(&self, mode: Mode) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/delivery", &json!({ "mode": mode })).await
    }

    /// Delivers held events one after another in this order; an empty order means all, oldest first.
    pub async fn release(&self, order: &[String]) -> anyhow::Result<Vec<Released>> {
        self.post("/deliveries/release", &json!({ "order": order })).await
    }

    /// Delivers copies of one event once each, without retries.
    pub async fn deliver(
        &self,
        event_id: &str,
        copies: usize,
        parallel: bool,
    ) -> anyhow::Result<Vec<Delivery>> {
        let body = json!({ "copies": copies, "parallel": parallel });
        self.post(&format!("/events/{event_id}/deliver"), &body).await
    }

    /// Every event that arose, oldest first, delivered or not.
    pub async fn events(&self) -> anyhow::Result<Vec<Value>> {
        self.0.get("/events").await
    }

    /// Every delivery attempt, in the order in which they ended.
    pub async fn deliveries(&self) -> anyhow::Result<Vec<Attempt>> {
        self.0.get("/deliveries").await
    }

    /// The `Stripe-Signature` header for a body of the caller's making, valid now.
    pub async fn sign(&self, body: &[u8]) -> anyhow::Result<String> {
        let signed: Value = self.0.send(Method::POST, "/sign", body.to_vec()).await?;
        Ok(signed["header"].as_str().context("a signature without header")?.to_owned())
    }

    /// Signs any JSON and delivers it once.
    pub async fn post_event(&self, event: Value) -> anyhow::Result<Delivery> {
        self.post("/post_event", &event).await
    }

    /// Sets where events go and how they are signed.
    pub async fn set_webhook(&self, url: &str, secret: &str) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/webhook", &json!({ "url": url, "secret": secret })).await
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
