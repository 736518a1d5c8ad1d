//! Brings events to the webhook endpoints. In: events. Out: signed POSTs, each attempt on record, until a 2xx.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::records::{Attempt, Delivery};
use super::state::Stripe;
use super::world::{Endpoint, id_of};

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
    /// Delivers in the background, to each endpoint that wants it and each event on its own, so that order is not kept.
    pub(crate) fn dispatch(self: &Arc<Self>, events: Vec<Value>) {
        for event in events {
            for endpoint in self.with(|world| world.audience(&event)) {
                self.spawn_delivery(event.clone(), endpoint.id, 0);
            }
        }
    }

    /// Goes on delivering an event of which `made` attempts have failed.
    pub(crate) fn spawn_delivery(self: &Arc<Self>, event: Value, endpoint: String, made: usize) {
        let stripe = self.clone();
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            for attempt in made..MOST_ATTEMPTS {
                if attempt > 0 {
                    tokio::time::sleep(*SOON.get(attempt - 1).unwrap_or(&LATER)).await;
                }
                // It may have moved, or be gone, and then there is nobody to retry for.
                let current = stripe.with(|world| world.endpoint(&endpoint));
                let Some(current) = current else { return };
                let body = stripe.with(|world| world.body_for(&current, &event));
                if accepted(&stripe.deliver(&current, &event, body).await) {
                    return;
                }
            }
        }));
    }

    /// One recorded attempt at one endpoint.
    pub(crate) async fn deliver(
        self: &Arc<Self>,
        endpoint: &Endpoint,
        event: &Value,
        body: Vec<u8>,
    ) -> Delivery {
        let signature = self.with(|world| world.signature(endpoint, &body));
        let outcome = self.post(&endpoint.url, body, signature).await;
        let attempt = Attempt {
            event: endpoint.id_of(event),
            event_type: endpoint.type_of(event),
            endpoint: endpoint.id.clone(),
            status: outcome.as_ref().ok().map(|delivery| delivery.status),
            error: outcome.as_ref().err().map(ToString::to_string),
        };
        let delivery = outcome
            .unwrap_or_else(|error| Delivery { status: 0, body: json!({ "error": format!("{error:#}") }) });
        self.with(|world| {
            world.attempts.push(attempt);
            if accepted(&delivery) {
                world.delivered(&id_of(event), endpoint);
            }
        });
        delivery
    }

    async fn post(&self, url: &str, body: Vec<u8>, signature: String) -> anyhow::Result<Delivery> {
        let call = self.client.post(url).body(body);
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
