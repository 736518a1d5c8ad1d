//! Amounts: what one of something costs, how often, and what is taken off. In: what Stripe wrote, whatever it is. Out: an amount within
//! bounds, or that it is unknown, which is never 0.
//!
//! These are prices of what is subscribed to. What somebody paid is not read.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::clock::Timestamp;

/// Stripe takes eight digits in most currencies, and twelve in some (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>).
const MOST: i64 = 999_999_999_999;
/// Stripe's longest interval is three years: 1,095 days.
const MOST_INTERVALS: u16 = 1_095;

/// Of money: how much of the smallest unit of its currency; cents, but yen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Amount(i64);

impl Amount {
    /// `None`: it is below zero, or more than anything costs.
    pub fn new(units: i64) -> Option<Self> {
        (0..=MOST).contains(&units).then_some(Self(units))
    }

    pub fn to_i64(self) -> i64 {
        self.0
    }
}

/// A currency as Stripe writes it: `usd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// `None`: not three letters.
    pub fn parse(word: &str) -> Option<Self> {
        let letters: [u8; 3] = word.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(|letter| letter.is_ascii_alphabetic())
            .then(|| Self(letters.map(|letter| letter.to_ascii_lowercase())))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| fmt::Write::write_char(f, letter.into()))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    Day,
    Week,
    Month,
    Year,
}

impl Interval {
    /// Stripe's word; `None`: one that this release does not know.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "day" => Some(Self::Day),
            "week" => Some(Self::Week),
            "month" => Some(Self::Month),
            "year" => Some(Self::Year),
            _ => None,
        }
    }
}

/// How often something is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rhythm {
    pub interval: Interval,
    /// Every so many intervals, from 1.
    pub interval_count: u16,
}

impl Rhythm {
    /// `None`: an interval or a number that there is not.
    pub fn new(interval: &str, count: i64) -> Option<Self> {
        let interval_count = count.try_into().ok().filter(|count| (1..=MOST_INTERVALS).contains(count))?;
        Some(Self { interval: Interval::parse(interval)?, interval_count })
    }
}

/// What one of something costs, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// For one; `None`: by tiers, in packages, by the buyer's choice, in fractions of the smallest unit, or Stripe did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// `None`: once, or Stripe did not say.
    #[serde(flatten)]
    pub rhythm: Option<Rhythm>,
}

/// A part of a whole, in ten-thousandths of a per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u32);

impl Percent {
    const WHOLE: f64 = 100.0;
    const STEPS: f64 = 10_000.0;

    /// `None`: nothing, less, or more than all of it.
    pub fn new(percent: f64) -> Option<Self> {
        let steps = (percent * Self::STEPS).round();
        let is_part = percent.is_finite() && percent <= Self::WHOLE && steps >= 1.0;
        // Whole, and at most a million.
        is_part.then(|| format!("{steps:.0}").parse().ok().map(Self)).flatten()
    }

    /// In per cent.
    pub fn to_f64(self) -> f64 {
        let steps: f64 = self.0.into();
        steps / Self::STEPS
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}

/// What is taken off; a discount of which nothing is known is one still.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Discount {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_off: Option<Amount>,
    /// Of `amount_off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// When it ends by itself; `None`: it does not, or after the next invoice.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub ends_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_absurd_amount_is_none() {
        for units in [0, 1, 999, MOST] {
            assert_eq!(Amount::new(units).map(Amount::to_i64), Some(units));
        }
        for units in [-1, i64::MIN, MOST + 1, i64::MAX] {
            assert_eq!(Amount::new(units), None, "{units}");
        }
    }

    #[test]
    fn a_currency_is_three_letters_and_an_interval_one_of_four() {
        assert_eq!(Currency::parse("EUR").unwrap().to_string(), "eur");
        for word in ["", "eu", "euro", "e1r", "eü", "\0\0\0"] {
            assert_eq!(Currency::parse(word), None, "{word}");
        }
        assert_eq!(Rhythm::new("month", 3), Some(Rhythm { interval: Interval::Month, interval_count: 3 }));
        for (word, count) in
            [("month", 0), ("month", -1), ("day", 1_096), ("year", i64::MAX), ("decade", 1), ("", 1)]
        {
            assert_eq!(Rhythm::new(word, count), None, "{count} {word}");
        }
    }

    #[test]
    fn a_part_is_more_than_nothing_and_at_most_all() {
        assert_eq!(Percent::new(100.0), Some(Percent(1_000_000)));
        assert_eq!(Percent::new(33.33), Some(Percent(333_300)));
        assert_eq!(Percent::new(0.0001), Some(Percent(1)));
        for percent in [0.0, -5.0, 100.01, 1e308, f64::INFINITY, f64::NAN, 0.000_01] {
            assert_eq!(Percent::new(percent), None, "{percent}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        assert_eq!(json!(Cost::default()), json!({}));
        assert_eq!(json!(Discount::default()), json!({}));
        let cost = Cost {
            unit_amount: Amount::new(0),
            currency: Currency::parse("usd"),
            rhythm: Rhythm::new("year", 1),
        };
        let expected =
            json!({ "unit_amount": 0, "currency": "usd", "interval": "year", "interval_count": 1 });
        assert_eq!(json!(cost), expected, "free is known");
        let discount = Discount {
            percent_off: Percent::new(12.5),
            ends_at: Timestamp::from_unix_timestamp(86_400).ok(),
            ..Discount::default()
        };
        assert_eq!(json!(discount), json!({ "percent_off": 12.5, "ends_at": "1970-01-02T00:00:00Z" }));
    }
}
