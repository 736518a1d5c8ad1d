//! The lines of an invoice, as far as they tell what was sold once beside a subscription: the invoice that begins it has that, and no other.

use serde::Deserialize;
use shared::{
    domain::billing::purchase::SoldBeside,
    ids::{InvoiceId, PriceId, ProductId},
};

use crate::stripe::event::{Reference, lenient};

/// The first lines, which Stripe embeds.
#[derive(Deserialize)]
pub(super) struct WireInvoiceLines {
    #[serde(default, deserialize_with = "lenient")]
    data: Option<Vec<WireInvoiceLine>>,
    #[serde(default, deserialize_with = "lenient")]
    has_more: Option<bool>,
}

#[derive(Deserialize)]
struct WireInvoiceLine {
    #[serde(default, deserialize_with = "lenient")]
    parent: Option<WireLineParent>,
    #[serde(default, deserialize_with = "lenient")]
    pricing: Option<WirePricing>,
}

#[derive(Deserialize)]
struct WireLineParent {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct WirePricing {
    #[serde(default, deserialize_with = "lenient")]
    price_details: Option<WirePriceDetails>,
}

#[derive(Deserialize)]
struct WirePriceDetails {
    #[serde(default, deserialize_with = "lenient")]
    price: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    product: Option<Reference>,
}

impl WireInvoiceLine {
    /// A line that is no item of the subscription.
    fn is_beside(&self) -> bool {
        let kind = self.parent.as_ref().and_then(|parent| parent.kind.as_deref());
        kind != Some("subscription_item_details")
    }

    fn price(&self) -> Option<PriceId> {
        self.pricing.as_ref()?.price_details.as_ref()?.price.as_ref()?.id().parse().ok()
    }

    fn product(&self) -> Option<ProductId> {
        self.pricing.as_ref()?.price_details.as_ref()?.product.as_ref()?.id().parse().ok()
    }
}

impl WireInvoiceLines {
    /// What the first invoice of a subscription has beside its items.
    pub(super) fn beside(&self, invoice: InvoiceId) -> SoldBeside {
        let Some(lines) = &self.data else { return SoldBeside::NotShown };
        let beside: Vec<&WireInvoiceLine> = lines.iter().filter(|line| line.is_beside()).collect();
        match (self.has_more.unwrap_or(false), beside.is_empty()) {
            (true, _) => SoldBeside::NotShown,
            (false, true) => SoldBeside::Nothing,
            (false, false) => SoldBeside::Sold {
                invoice,
                prices: beside.iter().filter_map(|line| line.price()).collect(),
                products: beside.iter().filter_map(|line| line.product()).collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(lines: &str) -> SoldBeside {
        serde_json::from_str::<WireInvoiceLines>(lines).unwrap().beside("in_1".parse().unwrap())
    }

    const ITEM: &str = r#"{"parent":{"type":"subscription_item_details"},
                           "pricing":{"price_details":{"price":"price_1","product":"prod_1"}}}"#;
    const ONCE: &str = r#"{"parent":{"type":"invoice_item_details"},
                           "pricing":{"price_details":{"price":"price_2","product":"prod_2"}}}"#;

    #[test]
    fn what_is_no_item_of_the_subscription_was_sold_beside_it() {
        assert_eq!(beside(&format!(r#"{{"data":[{ITEM}],"has_more":false}}"#)), SoldBeside::Nothing);
        let sold = SoldBeside::Sold {
            invoice: "in_1".parse().unwrap(),
            prices: vec!["price_2".parse().unwrap()],
            products: vec!["prod_2".parse().unwrap()],
        };
        assert_eq!(beside(&format!(r#"{{"data":[{ONCE},{ITEM}],"has_more":false}}"#)), sold);
    }

    #[test]
    fn what_is_cut_off_or_odd_does_not_show_it() {
        for odd in [&format!(r#"{{"data":[{ITEM}],"has_more":true}}"#), "{}", r#"{"data":7}"#] {
            assert_eq!(beside(odd), SoldBeside::NotShown, "{odd}");
        }
        let of_nothing = beside(r#"{"data":[{}]}"#);
        assert!(matches!(of_nothing, SoldBeside::Sold { prices, .. } if prices.is_empty()));
    }
}
