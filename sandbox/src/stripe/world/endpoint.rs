//! A webhook endpoint as plain data. In: an event. Out: whether it wants it.

use serde::Deserialize;
use serde_json::Value;

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
        }
    }

    pub(super) fn wants(&self, event: &Value) -> bool {
        let kind = event["type"].as_str().unwrap_or_default();
        let named = self.enabled_events.iter().any(|wanted| wanted == "*" || wanted == kind);
        self.enabled && named && self.live.is_none_or(|live| event["livemode"] == live)
    }
}

/// Names of all events.
pub(super) fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}
