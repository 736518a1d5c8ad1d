//! Control of webhooks, as Rust methods. In: endpoints and delivery requests. Out: what receivers said.

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use super::Control;
use crate::stripe::records::{Attempt, Delivery, Mode, Released};

impl Control {
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

    /// Another endpoint: `{url, secret?, enabled_events?, api_version?, livemode?, event_payload?}`. Answers its id and its
    /// secret. With `event_payload: "thin"` it is told thin events, and its `enabled_events` begin with `v1.`.
    pub async fn create_webhook_endpoint(&self, params: Value) -> anyhow::Result<(String, String)> {
        let created: Value = self.post("/webhook_endpoints", &params).await?;
        let text = |key: &str| created[key].as_str().map(ToOwned::to_owned).context("an incomplete answer");
        Ok((text("id")?, text("secret")?))
    }

    /// Changes an endpoint: `{url?, enabled_events?, enabled?}`.
    pub async fn update_webhook_endpoint(&self, id: &str, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/webhook_endpoints/{id}"), &change).await
    }

    /// From now on nothing goes there.
    pub async fn delete_webhook_endpoint(&self, id: &str) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/webhook_endpoints/{id}"), &Value::Null).await
    }

    /// A new secret, `{secret?, keep_old?}`; the first endpoint is `we_main`.
    pub async fn roll_secret(&self, id: &str, params: Value) -> anyhow::Result<String> {
        let rolled: Value = self.post(&format!("/webhook_endpoints/{id}/roll"), &params).await?;
        Ok(rolled["secret"].as_str().context("an answer without secret")?.to_owned())
    }

    /// Which time signatures carry, unsaid ones to their default: `{follow_clock?, skew_seconds?}`.
    pub async fn set_signing(&self, signing: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/signing", &signing).await
    }
}
