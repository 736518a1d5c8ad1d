//! Brings events to the webhook endpoint. In: events. Out: signed POSTs, each attempt on record, until a 2xx.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Stripe;
use super::records::{Attempt, Delivery};
use super::sign;
use super::world::Webhook;
use crate::clock;

/// Waits before attempts 2, 3, …: 200ms, 500ms, 1s, 2s, 4s, then `LATER`.
const SOON: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
const LATER: Duration = Duration::from_secs(5);
const MOST_ATTEMPTS: usize = 60;

/// How long the receiver may take; Stripe's own command line waits as long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

impl Stripe {
    /// Delivers in the background, each event on its own, so that order is not kept.
    pub(crate) fn dispatch(self: &Arc<Self>, events: Vec<Value>) {
        for event in events {
            self.spawn_delivery(event, 0);
        }
    }

    /// Goes on delivering an event of which `made` attempts have failed.
    pub(crate) fn spawn_delivery(self: &Arc<Self>, event: Value, made: usize) {
        let stripe = self.clone();
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            for attempt in made..MOST_ATTEMPTS {
                if attempt > 0 {
                    tokio::time::sleep(*SOON.get(attempt - 1).unwrap_or(&LATER)).await;
                }
                // No endpoint: there is nobody to retry for.
                let Some(delivery) = stripe.deliver(&event).await else { return };
                if accepted(&delivery) {
                    return;
                }
            }
        }));
    }

    /// One recorded attempt at the current endpoint; `None` if there is none.
    pub(crate) async fn deliver(self: &Arc<Self>, event: &Value) -> Option<Delivery> {
        let webhook = self.with(|world| world.webhook.clone())?;
        // Pretty-printed like the real ones, so that a receiver that re-serialises before verifying fails here.
        let body = serde_json::to_vec_pretty(event).unwrap_or_default();
        let outcome = self.post(&webhook, body).await;
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let attempt = Attempt {
            event: text("id"),
            event_type: text("type"),
            status: outcome.as_ref().ok().map(|delivery| delivery.status),
            error: outcome.as_ref().err().map(ToString::to_string),
        };
        self.with(|world| world.attempts.push(attempt));
        Some(
            outcome.unwrap_or_else(|error| Delivery {
                status: 0,
                body: json!({ "error": format!("{error:#}") }),
            }),
        )
    }

    /// The time in the signature is the time of this attempt, never of the event.
    async fn post(&self, webhook: &Webhook, body: Vec<u8>) -> anyhow::Result<Delivery> {
        let signature = sign::header(&webhook.secret, clock::unix(), &body);
        let call = self.client.post(&webhook.url).body(body);
        let answer = call
            .header("content-type", "application/json; charset=utf-8")
            .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
            .header("stripe-signature", signature)
            .send()
            .await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok(Delivery { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }
}

/// Only 2xx counts; a redirect is a failure.
pub(crate) fn accepted(delivery: &Delivery) -> bool {
    (200..300).contains(&delivery.status)
}
