//! What something costs: prices, and what is taken off. In: Stripe's fields, whatever is in them. Out: amounts that are known.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::domain::billing::amount::{Amount, Cost, Currency, Discount, Percent, Rhythm};

use super::timestamp;
use crate::stripe::event::{Reference, lenient};

/// What a price says of amounts, or an old plan, which has other names for some.
#[derive(Deserialize)]
pub(super) struct WireCost {
    #[serde(default, deserialize_with = "lenient")]
    billing_scheme: Option<String>,
    #[serde(default, alias = "amount", deserialize_with = "lenient")]
    unit_amount: Option<i64>,
    /// The buyer says how much.
    #[serde(default)]
    custom_unit_amount: Option<Box<RawValue>>,
    /// It is sold in packages of several.
    #[serde(default, alias = "transform_usage")]
    transform_quantity: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    recurring: Option<WireRhythm>,
    /// Of a plan.
    #[serde(default, deserialize_with = "lenient")]
    interval: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    interval_count: Option<i64>,
}

#[derive(Deserialize)]
struct WireRhythm {
    #[serde(default, deserialize_with = "lenient")]
    interval: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    interval_count: Option<i64>,
}

impl WireCost {
    pub(super) fn cost(&self) -> Cost {
        let is_per_unit = self.billing_scheme.as_deref().is_none_or(|scheme| scheme == "per_unit");
        let is_simple = is_per_unit && self.custom_unit_amount.is_none() && self.transform_quantity.is_none();
        let (interval, count) = match &self.recurring {
            Some(recurring) => (&recurring.interval, recurring.interval_count),
            None => (&self.interval, self.interval_count),
        };
        Cost {
            // In fractions of a cent it is null, and only `unit_amount_decimal` says how much.
            unit_amount: self.unit_amount.filter(|_| is_simple).and_then(Amount::new),
            currency: self.currency.as_deref().and_then(Currency::parse),
            rhythm: interval.as_deref().zip(count).and_then(|(interval, count)| Rhythm::new(interval, count)),
        }
    }
}

/// What coupons take off, by their ids.
pub(in crate::stripe) type Coupons = BTreeMap<String, Discount>;

/// `discounts` of a subscription or an item: objects if they were expanded, else ids.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct WireDiscounts(Vec<Box<RawValue>>);

#[derive(Deserialize)]
struct WireDiscount {
    #[serde(default, deserialize_with = "lenient")]
    end: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    source: Option<WireSource>,
}

#[derive(Deserialize)]
struct WireSource {
    #[serde(default, deserialize_with = "lenient")]
    coupon: Option<Reference>,
}

/// `GET /v1/coupons/{id}`
#[derive(Deserialize)]
pub(in crate::stripe) struct WireCoupon {
    pub(in crate::stripe) id: String,
    #[serde(default, deserialize_with = "lenient")]
    percent_off: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    amount_off: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    currency: Option<String>,
}

impl WireCoupon {
    /// What it takes off.
    pub(in crate::stripe) fn discount(&self) -> Discount {
        Discount {
            percent_off: self.percent_off.and_then(Percent::new),
            amount_off: self.amount_off.and_then(Amount::new),
            currency: self.currency.as_deref().and_then(Currency::parse),
            ends_at: None,
        }
    }
}

impl WireDiscounts {
    fn each(&self) -> impl Iterator<Item = Option<WireDiscount>> {
        self.0.iter().map(|raw| serde_json::from_str(raw.get()).ok())
    }

    /// The coupons that they come from.
    pub(super) fn coupons(&self) -> Vec<String> {
        self.each().filter_map(|discount| Some(discount?.source?.coupon?.id().to_owned())).collect()
    }

    pub(super) fn discounts(&self, coupons: &Coupons) -> Vec<Discount> {
        self.each()
            .map(|discount| {
                let Some(discount) = discount else { return Discount::default() };
                let id = discount.source.and_then(|source| source.coupon);
                let known = id.and_then(|id| coupons.get(id.id()).cloned()).unwrap_or_default();
                Discount { ends_at: discount.end.and_then(timestamp), ..known }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cost(fields: &str) -> serde_json::Value {
        json!(serde_json::from_str::<WireCost>(&format!(r#"{{"id":"price_1"{fields}}}"#)).unwrap().cost())
    }

    #[test]
    fn a_price_and_a_plan_say_the_same_in_other_words() {
        let expected =
            json!({ "unit_amount": 900, "currency": "usd", "interval": "month", "interval_count": 1 });
        let price = r#","billing_scheme":"per_unit","currency":"usd","custom_unit_amount":null,"transform_quantity":null,
                       "recurring":{"interval":"month","interval_count":1},"unit_amount":900,"unit_amount_decimal":"900""#;
        let plan =
            r#","amount":900,"amount_decimal":"900","currency":"usd","interval":"month","interval_count":1"#;
        assert_eq!(cost(price), expected);
        assert_eq!(cost(plan), expected);
        assert_eq!(cost(r#","unit_amount":0"#), json!({ "unit_amount": 0 }), "it is free");
    }

    #[test]
    fn an_amount_that_no_number_of_units_tells_is_unknown_and_never_0() {
        for fields in [
            "",
            r#","unit_amount":null,"unit_amount_decimal":"0.5""#,
            r#","billing_scheme":"tiered","unit_amount":null"#,
            r#","billing_scheme":"tiered","unit_amount":0"#,
            r#","custom_unit_amount":{"preset":500},"unit_amount":0"#,
            r#","transform_quantity":{"divide_by":10,"round":"up"},"unit_amount":500"#,
            r#","unit_amount":-1"#,
            r#","unit_amount":1e308"#,
            r#","unit_amount":1000000000000"#,
            r#","unit_amount":99999999999999999999999"#,
            r#","unit_amount":"900""#,
            r#","unit_amount":9.5"#,
            r#","unit_amount":[900]"#,
            r#","unit_amount":900,"billing_scheme":"of_tomorrow""#,
            r#","currency":"dollars""#,
            r#","currency":7"#,
            r#","recurring":{"interval":"decade","interval_count":1}"#,
            r#","recurring":{"interval":"month","interval_count":0}"#,
            r#","recurring":{"interval":"month","interval_count":1e308}"#,
            r#","recurring":{"interval":"month"}"#,
            r#","recurring":[]"#,
        ] {
            assert_eq!(cost(fields), json!({}), "{fields}");
        }
    }

    fn discounts(list: &str, coupon: &str) -> serde_json::Value {
        let wire: WireDiscounts = serde_json::from_str(list).unwrap();
        let coupon: WireCoupon = serde_json::from_str(coupon).unwrap();
        json!(wire.discounts(&Coupons::from([(coupon.id.clone(), coupon.discount())])))
    }

    #[test]
    fn a_discount_is_what_its_coupon_takes_off_and_one_that_is_not_known_is_one_still() {
        let by =
            r#"[{"id":"di_1","object":"discount","end":86400,"source":{"type":"coupon","coupon":"HALF"}}]"#;
        let ends = "1970-01-02T00:00:00Z";
        let half = r#"{"id":"HALF","percent_off":50,"amount_off":null,"currency":null}"#;
        assert_eq!(discounts(by, half), json!([{ "percent_off": 50.0, "ends_at": ends }]));
        let amount = r#"{"id":"HALF","percent_off":null,"amount_off":500,"currency":"eur"}"#;
        assert_eq!(discounts(by, amount), json!([{ "amount_off": 500, "currency": "eur", "ends_at": ends }]));
        for absurd in [
            r#"{"id":"HALF","percent_off":1e308,"amount_off":-5,"currency":""}"#,
            r#"{"id":"HALF","percent_off":"50","amount_off":1e308,"currency":null}"#,
            r#"{"id":"HALF"}"#,
            r#"{"id":"OTHER","percent_off":50}"#,
        ] {
            assert_eq!(discounts(by, absurd), json!([{ "ends_at": ends }]), "{absurd}");
        }
        let odd = r#"["di_1",{"id":"di_2","end":1e300},7,null,{"source":{"coupon":null}}]"#;
        assert_eq!(discounts(odd, half), json!([{}, {}, {}, {}, {}]));
        assert_eq!(discounts("[]", half), json!([]));
    }
}
