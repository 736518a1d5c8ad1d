//! Lists of which the ids count, and events as they came.

use serde::Deserialize;
use serde_json::value::RawValue;

/// `GET /v1/subscriptions`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireList {
    pub(in crate::stripe) data: Vec<WireListed>,
    pub(in crate::stripe) has_more: bool,
}

#[derive(Deserialize)]
pub(in crate::stripe) struct WireListed {
    pub(in crate::stripe) id: String,
    pub(in crate::stripe) status: String,
}

/// `GET /v1/events`: the events as they came.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireEvents {
    pub(in crate::stripe) data: Vec<Box<RawValue>>,
    pub(in crate::stripe) has_more: bool,
}
