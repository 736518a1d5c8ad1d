//! Stripe's prices and payment links, as far as we read them: lenient wire types in, our words out. Pure.
//!
//! They are only shown; what cannot be read is left out, and never keeps the rest away.

use serde::Deserialize;
use shared::domain::billing::catalogue::{PaymentLink, Price};

use crate::stripe::event::lenient;

/// Longer names are cut: they are shown in one line.
const LONGEST_NAME: usize = 250;
const LONGEST_URL: usize = 2048;

/// A page of anything with an id.
#[derive(Deserialize)]
pub(in crate::stripe) struct WirePage<T> {
    pub(in crate::stripe) data: Vec<T>,
    pub(in crate::stripe) has_more: bool,
}

/// One of `GET /v1/prices?expand[]=data.product`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireOffer {
    pub(in crate::stripe) id: String,
    #[serde(default, deserialize_with = "lenient")]
    product: Option<WireProduct>,
    #[serde(default, deserialize_with = "lenient")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    unit_amount: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    recurring: Option<WireRecurring>,
}

#[derive(Deserialize)]
struct WireProduct {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct WireRecurring {
    interval: String,
    #[serde(default, deserialize_with = "lenient")]
    interval_count: Option<i32>,
}

/// One of `GET /v1/payment_links?expand[]=data.line_items`
#[derive(Deserialize)]
pub(in crate::stripe) struct WirePaymentLink {
    pub(in crate::stripe) id: String,
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    line_items: Option<WireLines>,
    #[serde(default, deserialize_with = "lenient")]
    after_completion: Option<WireAfter>,
}

#[derive(Deserialize)]
struct WireLines {
    data: Vec<WireLine>,
}

#[derive(Deserialize)]
struct WireLine {
    #[serde(default, deserialize_with = "lenient")]
    price: Option<WireId>,
}

#[derive(Deserialize)]
struct WireId {
    id: String,
}

#[derive(Deserialize)]
struct WireAfter {
    #[serde(default, deserialize_with = "lenient")]
    redirect: Option<WireRedirect>,
}

#[derive(Deserialize)]
struct WireRedirect {
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
}

impl WireOffer {
    pub(in crate::stripe) fn price(self) -> Option<Price> {
        let product = self.product?;
        let (interval, interval_count) =
            self.recurring.map_or((None, None), |r| (Some(r.interval), r.interval_count));
        Some(Price {
            id: self.id.parse().ok()?,
            product: product.id.parse().ok()?,
            product_name: product.name.map(|name| shown(&name, LONGEST_NAME)),
            currency: self.currency.map(|word| shown(&word, 3)),
            unit_amount: self.unit_amount,
            interval: interval.map(|word| shown(&word, 10)),
            interval_count,
        })
    }
}

impl WirePaymentLink {
    pub(in crate::stripe) fn payment_link(self) -> Option<PaymentLink> {
        let lines = self.line_items.map_or_else(Vec::new, |lines| lines.data);
        let redirect = self.after_completion.and_then(|after| after.redirect?.url);
        Some(PaymentLink {
            id: self.id.parse().ok()?,
            url: shown(&self.url?, LONGEST_URL),
            prices: lines.into_iter().filter_map(|line| line.price?.id.parse().ok()).collect(),
            redirect_url: redirect.map(|url| shown(&url, LONGEST_URL)),
        })
    }
}

/// Text of somebody else's that is shown in a terminal or a message: no control characters, and not endless.
fn shown(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_with_its_product() {
        let wire: WireOffer = serde_json::from_str(
            r#"{"id":"price_1","currency":"usd","unit_amount":900,"product":{"id":"prod_1","name":"V\u0000I\u001b[31mP"},
                "recurring":{"interval":"month","interval_count":1}}"#,
        )
        .unwrap();
        let price = wire.price().unwrap();
        assert_eq!(price.product_name.as_deref(), Some("VI[31mP"), "nothing that a terminal obeys");
        assert_eq!((price.unit_amount, price.interval.as_deref()), (Some(900), Some("month")));
    }

    #[test]
    fn odd_fields_cost_themselves_only() {
        let wire: WireOffer = serde_json::from_str(
            r#"{"id":"price_1","currency":7,"unit_amount":"x","product":{"id":"prod_1","name":"\ud800"},"recurring":null}"#,
        )
        .unwrap();
        let price = wire.price().unwrap();
        assert_eq!((price.product_name, price.currency, price.unit_amount), (None, None, None));
        let wire: WireOffer = serde_json::from_str(r#"{"id":"price_1","product":"prod_1"}"#).unwrap();
        assert_eq!(wire.price(), None, "not expanded: nothing to show");
    }

    #[test]
    fn a_payment_link() {
        let wire: WirePaymentLink = serde_json::from_str(
            r#"{"id":"plink_1","url":"https://buy.stripe.com/x","line_items":{"data":[{"price":{"id":"price_1"}},{"price":null}]},
                "after_completion":{"type":"redirect","redirect":{"url":"https://example.com/claim"}}}"#,
        )
        .unwrap();
        let link = wire.payment_link().unwrap();
        assert_eq!(link.prices.len(), 1);
        assert_eq!(link.redirect_url.as_deref(), Some("https://example.com/claim"));
        let wire: WirePaymentLink =
            serde_json::from_str(r#"{"id":"plink_1","url":"https://buy.stripe.com/x","after_completion":{"type":"hosted_confirmation"}}"#).unwrap();
        assert_eq!(wire.payment_link().unwrap().redirect_url, None);
    }
}
