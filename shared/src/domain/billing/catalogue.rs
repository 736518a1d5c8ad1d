//! What an owner sells, in our words. Translated once from Stripe's JSON, by the gateway.

use crate::ids::{PaymentLinkId, PriceId, ProductId};

/// Everything active that one account sells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    pub prices: Vec<Price>,
    /// Active payment links.
    pub payment_links: Vec<PaymentLink>,
}

/// A price as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    pub id: PriceId,
    /// What it is a price of.
    pub product: ProductId,
    pub product_name: Option<String>,
    /// ISO 4217, lower-case.
    pub currency: Option<String>,
    /// In the currency's smallest unit.
    pub unit_amount: Option<i64>,
    /// `month`, …; `None`: paid once.
    pub interval: Option<String>,
    /// Every so many intervals.
    pub interval_count: Option<i32>,
}

/// A payment link as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLink {
    pub id: PaymentLinkId,
    /// Where buyers are sent to.
    pub url: String,
    /// What is sold.
    pub prices: Vec<PriceId>,
    /// Where a buyer lands afterwards.
    pub redirect_url: Option<String>,
}

/// Currencies whose smallest unit is the currency itself (<https://docs.stripe.com/currencies#zero-decimal>).
const ZERO_DECIMAL: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
    "xpf",
];
/// Currencies of a thousand smallest units (<https://docs.stripe.com/currencies#three-decimal>).
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// A price for people: `9.00 USD every month`.
pub fn in_words(
    currency: Option<&str>,
    unit_amount: Option<i64>,
    interval: Option<&str>,
    interval_count: Option<i32>,
) -> String {
    let amount = match (unit_amount, currency) {
        (Some(0), _) => "free".to_owned(),
        (Some(amount), Some(currency)) => {
            let digits = match currency {
                zero if ZERO_DECIMAL.contains(&zero) => 0,
                three if THREE_DECIMAL.contains(&three) => 3,
                _ => 2,
            };
            format!("{} {}", decimal(amount, digits), currency.to_uppercase())
        }
        (None, Some(currency)) => format!("a variable amount of {}", currency.to_uppercase()),
        (_, None) => "an unknown amount".to_owned(),
    };
    match (interval, interval_count.unwrap_or(1)) {
        (None, _) => format!("{amount} once"),
        (Some(interval), 1) => format!("{amount} every {interval}"),
        (Some(interval), count) => format!("{amount} every {count} {interval}s"),
    }
}

fn decimal(amount: i64, digits: usize) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", amount.unsigned_abs(), width = digits + 1);
    let (whole, part) = text.split_at(text.len() - digits);
    if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_in_words() {
        for (currency, amount, interval, count, expected) in [
            (Some("usd"), Some(900), Some("month"), Some(1), "9.00 USD every month"),
            (Some("usd"), Some(5), Some("month"), None, "0.05 USD every month"),
            (Some("eur"), Some(123_456), Some("month"), Some(3), "1234.56 EUR every 3 months"),
            (Some("jpy"), Some(500), None, None, "500 JPY once"),
            (Some("kwd"), Some(1500), Some("year"), Some(1), "1.500 KWD every year"),
            (Some("usd"), Some(0), Some("month"), Some(1), "free every month"),
            (Some("usd"), None, Some("month"), Some(1), "a variable amount of USD every month"),
            (None, None, None, None, "an unknown amount once"),
        ] {
            assert_eq!(in_words(currency, amount, interval, count), expected);
        }
    }
}
