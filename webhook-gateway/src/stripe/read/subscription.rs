//! Stripe's objects, as far as we read them: lenient wire types in, billing facts out. Pure.
//!
//! Only the fields that decide are read, and each may be missing; what is missing never ends anybody's access.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shared::{
    clock::Timestamp,
    domain::billing::subscription::{CustomerFact, Item, Items, SubscriptionFact, SubscriptionStatus},
    ids::UserId,
};
use time::OffsetDateTime;

use crate::stripe::event::{Reference, lenient};

/// The answer lacks what no subscription or customer can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Stripe's answer has no usable {0}")]
pub struct Unusable(&'static str);

/// `GET /v1/subscriptions/{id}?expand[]=customer`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireSubscription {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    customer: Option<CustomerOrId>,
    #[serde(default, deserialize_with = "lenient")]
    items: Option<WireItems>,
    #[serde(default, deserialize_with = "lenient")]
    current_period_end: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    cancel_at_period_end: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
}

/// `GET /v1/customers/{id}`; a deleted one has `id` and `deleted` only.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireCustomer {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    deleted: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
}

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

/// A customer as its id, or expanded.
enum CustomerOrId {
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

#[derive(Deserialize)]
struct WireItems {
    #[serde(default, deserialize_with = "lenient")]
    data: Option<Vec<WireItem>>,
    #[serde(default, deserialize_with = "lenient")]
    has_more: Option<bool>,
}

/// An item of a subscription.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireItem {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    price: Option<WirePrice>,
    /// What items had before prices; the same ids.
    #[serde(default, deserialize_with = "lenient")]
    plan: Option<WirePrice>,
    /// Here since 2025-03-31.basil, on the subscription before.
    #[serde(default, deserialize_with = "lenient")]
    current_period_end: Option<i64>,
}

#[derive(Deserialize)]
struct WirePrice {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    product: Option<Reference>,
}

#[derive(Deserialize)]
struct WireMetadata {
    #[serde(default, deserialize_with = "lenient")]
    discord_user_id: Option<String>,
}

impl WireMetadata {
    fn user(this: Option<&Self>) -> Option<UserId> {
        this?.discord_user_id.as_ref()?.trim().parse().ok()
    }
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

impl WireSubscription {
    /// Whether Stripe embedded only the first of its items.
    pub(in crate::stripe) fn has_more_items(&self) -> bool {
        self.items.as_ref().and_then(|items| items.has_more).unwrap_or(false)
    }

    /// Puts the whole list in the place of what was embedded.
    pub(in crate::stripe) fn set_items(&mut self, items: Vec<WireItem>) {
        self.items = Some(WireItems { data: Some(items), has_more: Some(false) });
    }

    pub(in crate::stripe) fn fact(&self) -> Result<SubscriptionFact, Unusable> {
        let customer = match self.customer.as_ref().ok_or(Unusable("customer"))? {
            CustomerOrId::Customer(customer) => customer.fact()?,
            CustomerOrId::Id(id) => CustomerFact {
                id: id.parse().map_err(|_| Unusable("customer id"))?,
                deleted: false,
                discord_user: None,
            },
        };
        let wire_items = self.items.as_ref().and_then(|items| items.data.as_deref()).unwrap_or_default();
        let ends =
            wire_items.iter().filter_map(|item| item.current_period_end).max().or(self.current_period_end);
        Ok(SubscriptionFact {
            id: self.id.parse().map_err(|_| Unusable("subscription id"))?,
            customer,
            // A missing status becomes an unknown one, which changes nothing.
            status: SubscriptionStatus::parse(self.status.as_deref().unwrap_or_default()),
            items: self.items(wire_items),
            current_period_end: ends.and_then(timestamp),
            cancel_at_period_end: self.cancel_at_period_end.unwrap_or(false),
            discord_user: WireMetadata::user(self.metadata.as_ref()),
        })
    }

    /// All items, or some: an item without price or product, a cut-off list and an empty one are no evidence of an end.
    fn items(&self, wire_items: &[WireItem]) -> Items {
        let read: Vec<Item> = wire_items.iter().filter_map(WireItem::item).collect();
        let whole = read.len() == wire_items.len() && read.iter().all(|item| item.product.is_some());
        if read.is_empty() || self.has_more_items() || !whole { Items::Some(read) } else { Items::All(read) }
    }
}

impl WireItem {
    pub(in crate::stripe) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn item(&self) -> Option<Item> {
        let price = self.price.as_ref().or(self.plan.as_ref())?;
        let product = price.product.as_ref().and_then(|product| product.id().parse().ok());
        Some(Item { price: price.id.parse().ok()?, product })
    }
}

fn timestamp(seconds: i64) -> Option<Timestamp> {
    OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|time| time.year() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> SubscriptionFact {
        serde_json::from_str::<WireSubscription>(body).unwrap().fact().unwrap()
    }

    #[test]
    fn a_subscription_of_today() {
        let fact = read(
            r#"{"id":"sub_1","object":"subscription","status":"active","cancel_at_period_end":true,
                "customer":{"id":"cus_1","object":"customer","name":"a\u0000\ud800","metadata":{"discord_user_id":" 81384788765712384 ","x":"\ud800\u0000"}},
                "items":{"object":"list","has_more":false,"data":[
                  {"id":"si_1","current_period_end":1790848800,"price":{"id":"price_1","product":"prod_1"}},
                  {"id":"si_2","current_period_end":1790848900,"price":{"id":"price_2","product":{"id":"prod_2"}}}]}}"#,
        );
        assert_eq!(fact.status, SubscriptionStatus::Active);
        assert_eq!(fact.customer.discord_user, "81384788765712384".parse().ok());
        assert_eq!(fact.current_period_end.unwrap().unix_timestamp(), 1_790_848_900);
        assert!(fact.cancel_at_period_end);
        let Items::All(items) = fact.items else { panic!("all items were there") };
        assert_eq!(items[1].product.as_ref().unwrap().as_str(), "prod_2");
    }

    #[test]
    fn a_subscription_of_2015() {
        let fact = read(
            r#"{"id":"sub_1","status":"past_due","customer":"cus_1","current_period_end":1790848800,
                "items":{"data":[{"id":"si_1","plan":{"id":"gold","product":"prod_1"}}]}}"#,
        );
        assert_eq!(
            fact.items,
            Items::All(vec![Item { price: "gold".parse().unwrap(), product: "prod_1".parse().ok() }])
        );
        assert_eq!(fact.current_period_end.unwrap().unix_timestamp(), 1_790_848_800);
    }

    #[test]
    fn no_items_a_cut_off_list_and_an_item_without_price_are_no_evidence() {
        for items in [
            r#"null"#,
            r#"{"data":[]}"#,
            r#"{"data":null}"#,
            r#"{"data":[{"price":{"id":"price_1","product":"prod_1"}}],"has_more":true}"#,
            r#"{"data":[{"price":{"id":"price_1","product":"prod_1"}},{"price":null}]}"#,
            r#"{"data":[{"price":{"id":"price_1","product":null}}]}"#,
        ] {
            let fact =
                read(&format!(r#"{{"id":"sub_1","customer":"cus_1","status":"active","items":{items}}}"#));
            assert!(matches!(fact.items, Items::Some(_)), "{items}");
        }
    }

    #[test]
    fn old_ids_are_read_whole() {
        let fact = read(
            r#"{"id":"sub_1","customer":"lena/1 +","status":"active",
                "items":{"data":[{"price":{"id":"vip/monthly","product":"prod a$"}},{"plan":{"id":"a+b c","product":"p"}}]}}"#,
        );
        let item = |price: &str, product: &str| Item {
            price: price.parse().unwrap(),
            product: product.parse().ok(),
        };
        assert_eq!(fact.items, Items::All(vec![item("vip/monthly", "prod a$"), item("a+b c", "p")]));
        assert_eq!(fact.customer.id.as_str(), "lena/1 +");
    }

    #[test]
    fn an_unknown_or_missing_status_is_unknown() {
        for (status, expected) in [(r#""frozen""#, "frozen"), ("null", ""), ("7", "")] {
            let fact = read(&format!(r#"{{"id":"sub_1","customer":"cus_1","status":{status}}}"#));
            assert_eq!(fact.status, SubscriptionStatus::Unknown(expected.into()));
        }
    }

    #[test]
    fn metadata_that_is_no_snowflake_links_nobody() {
        for value in [r#""@ana""#, r#""0""#, r#""-5""#, "12345", "null", r#""1234567890123456789012""#] {
            let fact = read(&format!(
                r#"{{"id":"sub_1","customer":"cus_1","metadata":{{"discord_user_id":{value}}}}}"#
            ));
            assert_eq!(fact.discord_user, None, "{value}");
        }
    }

    #[test]
    fn a_deleted_customer() {
        let wire: WireCustomer =
            serde_json::from_str(r#"{"id":"cus_1","object":"customer","deleted":true}"#).unwrap();
        assert!(wire.fact().unwrap().deleted);
    }
}
