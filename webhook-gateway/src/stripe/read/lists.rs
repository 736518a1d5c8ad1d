//! Lists of which the ids count, and events as they came.

use serde::Deserialize;
use serde_json::value::RawValue;

/// `GET /v1/subscriptions`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireList {
    pub(in crate::stripe) data: Vec<WireId>,
    pub(in crate::stripe) has_more: bool,
}

#[derive(Deserialize)]
pub(in crate::stripe) struct WireId {
    pub(in crate::stripe) id: String,
}

/// `GET /v1/events`: the events as they came.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireEvents {
    pub(in crate::stripe) data: Vec<Box<RawValue>>,
    pub(in crate::stripe) has_more: bool,
}
