//! `GET /v1/customers/{id}`, and customers inside of other objects.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::{domain::billing::subscription::CustomerFact, ids::UserId};

use super::{Unusable, lists::WireList};
use crate::stripe::event::lenient;

/// A deleted one has `id` and `deleted` only.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireCustomer {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    deleted: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
    /// Those that have not ended, if it was expanded.
    #[serde(default, deserialize_with = "lenient")]
    subscriptions: Option<WireList>,
}

impl WireCustomer {
    pub(in crate::stripe) fn fact(&self) -> Result<CustomerFact, Unusable> {
        Ok(CustomerFact {
            id: self.id.parse().map_err(|_| Unusable("customer id"))?,
            deleted: self.deleted.unwrap_or(false),
            discord_user: WireMetadata::user(self.metadata.as_ref()),
        })
    }
}

/// A customer as its id, or expanded.
pub(in crate::stripe) enum CustomerOrId {
    Id(String),
    Customer(WireCustomer),
}

impl<'de> Deserialize<'de> for CustomerOrId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let id = serde_json::from_str(raw.get()).map(Self::Id);
        id.or_else(|_| serde_json::from_str(raw.get()).map(Self::Customer)).map_err(serde::de::Error::custom)
    }
}

impl CustomerOrId {
    /// All its subscriptions that have not ended, with their statuses; `None`: it did not come with all of them.
    pub(super) fn running(&self) -> Option<Vec<(String, String)>> {
        let Self::Customer(WireCustomer { subscriptions: Some(list), .. }) = self else { return None };
        (!list.has_more).then(|| list.statuses().collect())
    }

    /// Of a mere id nothing else is known.
    pub(in crate::stripe) fn fact(&self) -> Result<CustomerFact, Unusable> {
        match self {
            Self::Customer(customer) => customer.fact(),
            Self::Id(id) => Ok(CustomerFact {
                id: id.parse().map_err(|_| Unusable("customer id"))?,
                deleted: false,
                discord_user: None,
            }),
        }
    }
}

/// The keys of an object's metadata that we read.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireMetadata {
    #[serde(default, deserialize_with = "lenient")]
    discord_user_id: Option<String>,
}

impl WireMetadata {
    pub(in crate::stripe) fn user(this: Option<&Self>) -> Option<UserId> {
        this?.discord_user_id.as_ref()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_customer() {
        let wire: WireCustomer =
            serde_json::from_str(r#"{"id":"cus_1","object":"customer","deleted":true}"#).unwrap();
        assert!(wire.fact().unwrap().deleted);
    }

    #[test]
    fn what_a_customer_pays_for_is_known_only_if_all_of_it_came_along() {
        let one = vec![("sub_1".to_owned(), "active".to_owned())];
        for (subscriptions, expected) in [
            (r#"{"data":[{"id":"sub_1","status":"active"}],"has_more":false}"#, Some(one)),
            (r#"{"data":[],"has_more":false}"#, Some(Vec::new())),
            (r#"{"data":[{"id":"sub_1","status":"active"}],"has_more":true}"#, None),
            (r#"{"data":[{"id":"sub_1"}],"has_more":false}"#, None),
            (r#"{"data":[]}"#, None),
            ("null", None),
            ("7", None),
        ] {
            let json = format!(r#"{{"id":"cus_1","subscriptions":{subscriptions}}}"#);
            let wire: CustomerOrId = serde_json::from_str(&json).unwrap();
            assert_eq!(wire.running(), expected, "{json}");
        }
        let id: CustomerOrId = serde_json::from_str(r#""cus_1""#).unwrap();
        assert_eq!(id.running(), None);
    }
}
