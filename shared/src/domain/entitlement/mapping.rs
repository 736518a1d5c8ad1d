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

    /// Whether an item is it.
    pub fn is_in(&self, item: &Item) -> bool {
        match self {
            Self::Price(price) => item.price == *price,
            Self::Product(product) => item.product.as_ref() == Some(product),
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
