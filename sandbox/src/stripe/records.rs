//! What the control API tells about a fake Stripe. In: JSON from the sandbox. Out: types for tests and the demo.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens to events as they arise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Delivered at once, and again until the receiver answers 2xx.
    #[default]
    Live,
    /// Kept until released.
    Hold,
    /// Never delivered by itself, though the events API still shows them.
    Drop,
}

/// What the receiver answered to one delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The answer's body: JSON if it was, else a string. Without an answer, `{"error": "…"}`.
    pub body: Value,
}

/// One delivery attempt, successful or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub event: String,
    pub event_type: String,
    /// Endpoint id; `we_main` is the first one.
    pub endpoint: String,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// A held event that was let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub event: String,
    /// HTTP status of the first attempt; `None` if there was no answer.
    pub status: Option<u16>,
}
