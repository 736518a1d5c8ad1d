//! Lists of which the ids count, and events and subscriptions as they came.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::stripe::event::lenient;

/// `GET /v1/subscriptions`, and the list of them that a customer may come with.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireList {
    pub(in crate::stripe) data: Vec<WireListed>,
    pub(in crate::stripe) has_more: bool,
}

impl WireList {
    /// Each with its status.
    pub(in crate::stripe) fn statuses(&self) -> impl Iterator<Item = (String, String)> {
        self.data.iter().map(|listed| (listed.id.clone(), listed.status.clone()))
    }
}

#[derive(Deserialize)]
pub(in crate::stripe) struct WireListed {
    pub(in crate::stripe) id: String,
    pub(in crate::stripe) status: String,
}

/// `GET /v1/subscriptions?expand[]=data.customer&expand[]=data.latest_invoice`: the subscriptions as they came.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireSubscriptions {
    pub(in crate::stripe) data: Vec<Box<RawValue>>,
    pub(in crate::stripe) has_more: bool,
}

/// What no subscription in a list can be without.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireInList {
    pub(in crate::stripe) id: String,
    /// Absent, it is a subscription all the same.
    #[serde(default, deserialize_with = "lenient")]
    pub(in crate::stripe) object: Option<String>,
}

/// `GET /v1/events`: the events as they came.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireEvents {
    pub(in crate::stripe) data: Vec<Box<RawValue>>,
    pub(in crate::stripe) has_more: bool,
}
