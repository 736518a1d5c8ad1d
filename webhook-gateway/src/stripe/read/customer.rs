//! `GET /v1/customers/{id}`, and customers inside of other objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::{
    domain::{billing::subscription::CustomerFact, email::EmailAddress},
    ids::UserId,
};

use super::{Unusable, lists::WireList};
use crate::stripe::event::lenient;

/// A deleted one has `id` and `deleted` only.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireCustomer {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    deleted: Option<bool>,
    /// For who shows that it is theirs; it is kept nowhere.
    #[serde(default, deserialize_with = "lenient")]
    email: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
    /// Those that have not ended, if it was expanded.
    #[serde(default, deserialize_with = "lenient")]
    subscriptions: Option<WireList>,
}

impl WireCustomer {
    /// `None`: none, or one that mail does not go to.
    pub(in crate::stripe) fn address(&self) -> Option<EmailAddress> {
        EmailAddress::parse(self.email.as_deref()?)
    }

    pub(in crate::stripe) fn fact(&self) -> Result<CustomerFact, Unusable> {
        Ok(CustomerFact {
            id: self.id.parse().map_err(|_| Unusable("customer id"))?,
            deleted: self.deleted.unwrap_or(false),
            discord_user: WireMetadata::user(self.metadata.as_ref()),
            id_keys: Some(WireMetadata::id_keys(self.metadata.as_ref())),
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
                id_keys: None,
            }),
        }
    }
}

/// Of an object's metadata what we read: our own key, and the names of others.
pub(in crate::stripe) struct WireMetadata {
    discord_user_id: Option<String>,
    id_keys: Vec<String>,
}

/// In bytes; Stripe's limit is 40 characters.
const LONGEST_KEY: usize = 160;
/// Of one object.
const MOST_KEYS: usize = 5;
/// Ids of today have 17 digits and more; shorter numbers are anything.
const SHORTEST_ID: usize = 17;

#[derive(Deserialize)]
struct OurKey {
    #[serde(default, deserialize_with = "lenient")]
    discord_user_id: Option<String>,
}

impl<'de> Deserialize<'de> for WireMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let ours: OurKey = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let all: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let keys = all.into_iter().filter(|(key, value)| is_text(key) && is_id(value)).map(|(key, _)| key);
        Ok(Self { discord_user_id: ours.discord_user_id, id_keys: keys.take(MOST_KEYS).collect() })
    }
}

fn is_text(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && !key.chars().any(char::is_control)
}

fn is_id(value: &RawValue) -> bool {
    let Ok(text) = serde_json::from_str::<String>(value.get()) else { return false };
    let text = text.trim();
    text.len() >= SHORTEST_ID && text.parse::<UserId>().is_ok()
}

impl WireMetadata {
    pub(in crate::stripe) fn user(this: Option<&Self>) -> Option<UserId> {
        this?.discord_user_id.as_ref()?.trim().parse().ok()
    }

    /// Keys whose values look like Discord ids, in order; at most [`MOST_KEYS`].
    pub(in crate::stripe) fn id_keys(this: Option<&Self>) -> Vec<String> {
        this.map(|metadata| metadata.id_keys.clone()).unwrap_or_default()
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

    #[test]
    fn keys_are_found_whose_values_look_like_discord_ids() {
        let found = |metadata: &str| {
            let wire: WireMetadata = serde_json::from_str(metadata).unwrap();
            (WireMetadata::id_keys(Some(&wire)).join(" "), WireMetadata::user(Some(&wire)).is_some())
        };
        let several = r#"{"phone":"491701234567","discord_user_id":" 80351110224678912 ","discord_id":"81384788765712384"}"#;
        assert_eq!(found(several), ("discord_id discord_user_id".to_owned(), true));
        for nothing in [
            r#"{"order":"12345678"}"#,
            r#"{"id":81384788765712384}"#,
            r#"{"id":"8138478876571238x"}"#,
            r#"{"id":"81384788765712384000"}"#,
            r#"{"":"81384788765712384"}"#,
            r#"{"a\u0007":"81384788765712384"}"#,
            "{}",
        ] {
            assert_eq!(found(nothing), (String::new(), false), "{nothing}");
        }
        let odd = r#"{"discord_user_id":"81384788765712384","x":"\ud800"}"#;
        assert_eq!(found(odd), ("discord_user_id".to_owned(), true), "somebody else's value is no text");
    }
}
