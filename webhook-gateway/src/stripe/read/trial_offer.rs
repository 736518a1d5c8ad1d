//! `GET /v1/product_catalog/trial_offers/{id}`: which plan follows the trial.

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::domain::billing::subscription::Afterwards;

use crate::stripe::event::{Reference, lenient};

/// `GET /v1/product_catalog/trial_offers/{id}?expand[]=end_behavior.transition.price`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireTrialOffer {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    end_behavior: Option<WireEnd>,
}

#[derive(Deserialize)]
struct WireEnd {
    #[serde(default, deserialize_with = "lenient")]
    transition: Option<WireTransition>,
}

#[derive(Deserialize)]
struct WireTransition {
    /// Expanded, or an id.
    #[serde(default)]
    price: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WireProduct {
    #[serde(default, deserialize_with = "lenient")]
    product: Option<Reference>,
}

impl WireTrialOffer {
    pub(in crate::stripe) fn id(&self) -> &str {
        &self.id
    }

    /// What the items that are on it go on with; `None`: it ends in a way that this release does not know.
    pub(in crate::stripe) fn afterwards(&self) -> Option<Afterwards> {
        let price = self.end_behavior.as_ref()?.transition.as_ref()?.price.as_ref()?.get();
        let id: Reference = serde_json::from_str(price).ok()?;
        // Of a mere id, and of a deleted price, the product is not known.
        let expanded: Option<WireProduct> = serde_json::from_str(price).ok();
        let product = expanded.and_then(|expanded| expanded.product?.id().parse().ok());
        Some(Afterwards { price: id.id().parse().ok()?, product })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn afterwards(end_behavior: &str) -> Option<Afterwards> {
        let body = format!(
            r#"{{"id":"to_1","object":"product_catalog.trial_offer","active":true,
                "duration":{{"relative":{{"iterations":1}},"type":"relative"}},"livemode":false,"nickname":null,
                "price":"price_offer","end_behavior":{end_behavior}}}"#
        );
        serde_json::from_str::<WireTrialOffer>(&body).unwrap().afterwards()
    }

    #[test]
    fn an_offer_leads_to_a_price_and_its_product() {
        let to =
            |price: &str| afterwards(&format!(r#"{{"type":"transition","transition":{{"price":{price}}}}}"#));
        let full = |product: Option<&str>| {
            let product = product.map(|id| id.parse().unwrap());
            Some(Afterwards { price: "price_full".parse().unwrap(), product })
        };
        assert_eq!(to(r#"{"id":"price_full","object":"price","product":"prod_1"}"#), full(Some("prod_1")));
        assert_eq!(to(r#"{"id":"price_full","product":{"id":"prod_1"}}"#), full(Some("prod_1")));
        assert_eq!(to(r#"{"id":"price_full","deleted":true}"#), full(None), "a deleted price");
        assert_eq!(to(r#""price_full""#), full(None), "not expanded");
    }

    #[test]
    fn an_offer_that_ends_otherwise_leads_nowhere_that_we_know() {
        for end in [
            "null",
            "{}",
            "7",
            r#"{"type":"cancel"}"#,
            r#"{"type":"transition","transition":null}"#,
            r#"{"type":"transition","transition":{"price":null}}"#,
            r#"{"type":"transition","transition":{"price":{"id":7}}}"#,
            r#"{"type":"transition","transition":{"price":"\u0000"}}"#,
        ] {
            assert_eq!(afterwards(end), None, "{end}");
        }
    }
}
