//! A webhook endpoint as plain data. In: an event. Out: whether it wants it.

use serde::Deserialize;
use serde_json::Value;

use crate::stripe::objects::thin;

/// Where events go.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    /// The newest first; an older one still signs until it is dropped.
    pub(super) secrets: Vec<String>,
    /// Names, or `*`.
    pub(super) enabled_events: Vec<String>,
    /// How events are rendered; as the account has it if unset.
    pub(super) api_version: Option<String>,
    /// Of which mode events are; both if unset.
    pub(super) live: Option<bool>,
    pub(super) enabled: bool,
    pub(crate) payload: Payload,
}

/// What an endpoint is told of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payload {
    /// The object as it was, rendered for the endpoint's version.
    #[default]
    Snapshot,
    /// The object's name; its types begin with `v1.`.
    Thin,
}

/// Which time signatures carry.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Signing {
    /// The sandbox's movable clock instead of the real one.
    pub(super) follow_clock: bool,
    /// Seconds by which Stripe's clock is ahead.
    pub(super) skew_seconds: i64,
}

impl Endpoint {
    /// The first endpoint, which wants everything; it is set from outside and has no API version of its own.
    pub(crate) fn main(url: String, secret: String) -> Self {
        Self {
            id: "we_main".to_owned(),
            url,
            secrets: vec![secret],
            enabled_events: everything(),
            api_version: None,
            live: None,
            enabled: true,
            payload: Payload::Snapshot,
        }
    }

    pub(super) fn wants(&self, event: &Value) -> bool {
        let kind = self.type_of(event);
        let named = self.enabled_events.iter().any(|wanted| wanted == "*" || *wanted == kind);
        self.enabled && named && self.live.is_none_or(|live| event["livemode"] == live)
    }

    /// The id of an event as this endpoint is told it.
    pub(crate) fn id_of(&self, event: &Value) -> String {
        match self.payload {
            Payload::Snapshot => event["id"].as_str().unwrap_or_default().to_owned(),
            Payload::Thin => thin::id(event),
        }
    }

    /// The type of an event as this endpoint is told it.
    pub(crate) fn type_of(&self, event: &Value) -> String {
        match self.payload {
            Payload::Snapshot => event["type"].as_str().unwrap_or_default().to_owned(),
            Payload::Thin => thin::type_of(event),
        }
    }
}

/// Names of all events.
pub(super) fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}
