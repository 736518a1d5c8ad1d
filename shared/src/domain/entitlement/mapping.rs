//! What gives which role, and by which policy.

use std::fmt;

use super::policy::Policy;
use crate::{
    domain::billing::subscription::Item,
    ids::{PriceId, ProductId, RoleId},
};

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sold {
    Price(PriceId),
    /// Every price of a product.
    Product(ProductId),
}

impl Sold {
    /// From the two columns of a row; `None` for a kind that this release does not know, or an id that is none.
    pub fn parse(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "price" => Some(Self::Price(id.parse().ok()?)),
            "product" => Some(Self::Product(id.parse().ok()?)),
            _ => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Price(_) => "price",
            Self::Product(_) => "product",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Price(id) => id.as_str(),
            Self::Product(id) => id.as_str(),
        }
    }

    /// Whether an item is it, or leads to it: a trial offer is worth the plan that follows it.
    pub fn is_in(&self, item: &Item) -> bool {
        match self {
            Self::Price(price) => item.prices().any(|of_item| of_item == price),
            Self::Product(product) => item.products().any(|of_item| of_item == product),
        }
    }
}

/// `price price_…` or `product prod_…`.
impl fmt::Display for Sold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

/// One price or product, one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub sold: Sold,
    pub role: RoleId,
    pub policy: Policy,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::billing::subscription::Afterwards;

    #[test]
    fn an_item_on_a_trial_offer_is_its_own_price_and_the_one_afterwards() {
        let afterwards =
            Afterwards { price: "price_full".parse().unwrap(), product: "prod_full".parse().ok() };
        let (price, product) = ("price_offer".parse().unwrap(), "prod_offer".parse().ok());
        let on_trial = Item { afterwards: Some(afterwards), ..Item::new(price, product, Some(1)) };
        let is_in = |kind: &str, id: &str| Sold::parse(kind, id).unwrap().is_in(&on_trial);
        for (kind, id) in [("price", "price_offer"), ("price", "price_full"), ("product", "prod_full")] {
            assert!(is_in(kind, id), "{kind} {id}");
        }
        assert!(is_in("product", "prod_offer"));
        assert!(
            !is_in("price", "prod_full") && !is_in("product", "price_full") && !is_in("price", "price_2")
        );
        let over = Item { afterwards: None, ..on_trial };
        assert!(!Sold::parse("price", "price_full").unwrap().is_in(&over));
    }
}
