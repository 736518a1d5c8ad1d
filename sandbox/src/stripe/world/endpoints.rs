//! Webhook endpoints. In: where an owner wants which events, and their secrets. Out: who gets an event, and how signed.

use serde::Deserialize;
use serde_json::Value;

use super::endpoint::{Endpoint, Payload, everything};
use super::state::{World, id_of};
use super::{accounts, versions};
use crate::clock;
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::{self, fresh_id, thin};
use crate::stripe::sign;

/// What a test says about a new endpoint.
#[derive(Deserialize)]
pub(crate) struct NewEndpoint {
    url: String,
    secret: Option<String>,
    #[serde(default = "everything")]
    enabled_events: Vec<String>,
    api_version: Option<String>,
    #[serde(default)]
    livemode: bool,
    #[serde(default)]
    event_payload: Payload,
}

/// What a test changes about an endpoint.
#[derive(Deserialize)]
pub(crate) struct EndpointChange {
    url: Option<String>,
    enabled_events: Option<Vec<String>>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct Roll {
    secret: Option<String>,
    /// Whether the old one still signs too, as it does for up to a day.
    #[serde(default)]
    keep_old: bool,
}

fn fresh_secret() -> String {
    fresh_id("whsec")
}

impl World {
    /// Replaces the first endpoint.
    pub(crate) fn set_main_endpoint(&mut self, url: String, secret: String) {
        let main = Endpoint::main(url, secret);
        match self.endpoints.iter_mut().find(|endpoint| endpoint.id == main.id) {
            Some(place) => *place = main,
            None => self.endpoints.insert(0, main),
        }
    }

    /// Another endpoint; its secret is told only here, as on the real Stripe.
    pub(crate) fn create_endpoint(&mut self, params: NewEndpoint) -> Result<(String, String), Refusal> {
        if let Some(version) = &params.api_version {
            versions::known(version).ok_or_else(|| Refusal::malformed("api_version: YYYY-MM-DD[.name]"))?;
        }
        let birth = self.birth(params.livemode);
        let id = match params.event_payload {
            Payload::Snapshot => {
                let version = params.api_version.as_deref();
                let object = objects::webhook_endpoint(birth, &params.url, &params.enabled_events, version);
                let id = id_of(&object);
                self.collection_mut(Kind::WebhookEndpoint).add(object, birth.live);
                id
            }
            // An event destination of the second API, which the first does not list.
            Payload::Thin => {
                let is_thin = |kind: &String| kind == "*" || kind.starts_with("v1.");
                if !params.enabled_events.iter().all(is_thin) || params.api_version.is_some() {
                    return Err(Refusal::malformed("thin: enabled_events * or v1.…, and no api_version"));
                }
                fresh_id(if birth.live { "ed" } else { "ed_test" })
            }
        };
        let secret = params.secret.unwrap_or_else(fresh_secret);
        self.endpoints.push(Endpoint {
            id: id.clone(),
            url: params.url,
            secrets: vec![secret.clone()],
            enabled_events: params.enabled_events,
            api_version: params.api_version,
            live: Some(birth.live),
            enabled: true,
            payload: params.event_payload,
        });
        Ok((id, secret))
    }

    pub(crate) fn change_endpoint(&mut self, id: &str, change: EndpointChange) -> Result<(), Refusal> {
        let endpoint = self.endpoint_mut(id)?;
        endpoint.url = change.url.unwrap_or_else(|| endpoint.url.clone());
        if let Some(events) = change.enabled_events {
            endpoint.enabled_events = events;
        }
        endpoint.enabled = change.enabled.unwrap_or(endpoint.enabled);
        let endpoint = endpoint.clone();
        if let Some(object) = self.collection_mut(Kind::WebhookEndpoint).get_mut(id) {
            object["url"] = endpoint.url.into();
            object["enabled_events"] = endpoint.enabled_events.into();
            object["status"] = if endpoint.enabled { "enabled" } else { "disabled" }.into();
        }
        Ok(())
    }

    pub(crate) fn delete_endpoint(&mut self, id: &str) -> Result<(), Refusal> {
        self.endpoint_mut(id)?;
        self.endpoints.retain(|endpoint| endpoint.id != id);
        self.bury(Kind::WebhookEndpoint, id);
        Ok(())
    }

    pub(crate) fn roll_secret(&mut self, id: &str, roll: Roll) -> Result<String, Refusal> {
        let endpoint = self.endpoint_mut(id)?;
        let secret = roll.secret.unwrap_or_else(fresh_secret);
        endpoint.secrets.truncate(usize::from(roll.keep_old));
        endpoint.secrets.insert(0, secret.clone());
        Ok(secret)
    }

    fn endpoint_mut(&mut self, id: &str) -> Result<&mut Endpoint, Refusal> {
        let endpoint = self.endpoints.iter_mut().find(|endpoint| endpoint.id == id);
        endpoint.ok_or_else(|| Refusal::missing(format!("webhook endpoint: {id}")))
    }

    /// One endpoint, as it is now.
    pub(crate) fn endpoint(&self, id: &str) -> Option<Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id).cloned()
    }

    pub(crate) fn first_endpoint(&self) -> Option<Endpoint> {
        self.endpoints.first().cloned()
    }

    /// Who gets an event.
    pub(crate) fn audience(&self, event: &Value) -> Vec<Endpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.wants(event)).cloned().collect()
    }

    /// An event by its id or by that of its thin twin.
    pub(crate) fn event(&self, id: &str) -> Option<&Value> {
        let events = self.collection(Kind::Event);
        events.get(id).or_else(|| events.oldest_first().find(|event| thin::id(event) == id))
    }

    /// An event as an endpoint sees it, pretty-printed like the real ones, so that a receiver that re-serialises
    /// before verifying fails here.
    pub(crate) fn body_for(&self, endpoint: &Endpoint, event: &Value) -> Vec<u8> {
        if endpoint.payload == Payload::Thin {
            return serde_json::to_vec_pretty(&thin::notification(event)).unwrap_or_default();
        }
        let mut event = event.clone();
        if let Some(version) = &endpoint.api_version {
            event["api_version"] = version.as_str().into();
        }
        versions::render(self, objects::API_VERSION, &mut event);
        accounts::render(self, &mut event);
        serde_json::to_vec_pretty(&event).unwrap_or_default()
    }

    /// The header for a body: one signature per secret. The time is that of this attempt, never of the event.
    pub(crate) fn signature(&self, endpoint: &Endpoint, body: &[u8]) -> String {
        let now = if self.signing.follow_clock { self.now() } else { clock::unix() };
        sign::header(&endpoint.secrets, now + self.signing.skew_seconds, body)
    }

    /// How many endpoints are to take an event itself, not its thin twin.
    pub(super) fn expected(&self, event: &Value) -> usize {
        self.audience(event).iter().filter(|endpoint| endpoint.payload == Payload::Snapshot).count()
    }

    /// Notes that an endpoint took an event; a second copy counts no more.
    pub(crate) fn delivered(&mut self, event: &str, endpoint: &Endpoint) {
        if endpoint.payload == Payload::Snapshot
            && self.taken.insert((event.to_owned(), endpoint.id.clone()))
            && let Some(event) = self.collection_mut(Kind::Event).get_mut(event)
        {
            let pending = event["pending_webhooks"].as_i64().unwrap_or_default();
            event["pending_webhooks"] = (pending - 1).max(0).into();
        }
    }
}
