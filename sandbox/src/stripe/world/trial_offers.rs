//! Trial offers. In: a price for the beginning and one for afterwards. Out: items that are on trial, and what becomes of them.
//!
//! A subscription on such a trial is `active`, not `trialing`; only its item says so
//! (<https://docs.stripe.com/payments/checkout/trial-offers>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::billing::later;
use crate::stripe::objects::catalogue::{self as objects, plan};

/// What a test says about a new trial offer.
#[derive(Deserialize)]
pub(crate) struct NewTrialOffer {
    /// During the trial.
    price: String,
    /// Afterwards.
    transition_price: String,
    /// How many periods of its price the trial takes.
    #[serde(default = "once")]
    iterations: i64,
}

fn once() -> i64 {
    1
}

impl World {
    /// Stripe has no event for it.
    pub(crate) fn create_trial_offer(&mut self, new: &NewTrialOffer) -> Result<String, Refusal> {
        let live = self.live(Kind::Price, &new.price)?;
        for price in [&new.price, &new.transition_price] {
            if self.find(Kind::Price, price)?["type"] != "recurring" {
                return Err(Refusal::malformed(format!("price {price} is paid once")));
            }
        }
        if new.iterations < 1 {
            return Err(Refusal::malformed("iterations: 1 or more"));
        }
        let (birth, after) = (self.birth(live), &new.transition_price);
        let offer = objects::trial_offer(birth, &new.price, new.iterations, after);
        let id = id_of(&offer);
        self.collection_mut(Kind::TrialOffer).add(offer, live);
        Ok(id)
    }

    /// The prices that these offers begin with.
    pub(super) fn offered_prices(&self, offers: &[String]) -> Result<Vec<String>, Refusal> {
        let price = |offer: &String| {
            let offer = self.find(Kind::TrialOffer, offer)?;
            Ok(offer["price"].as_str().unwrap_or_default().to_owned())
        };
        offers.iter().map(price).collect()
    }

    /// Puts the last items of a new subscription on trial, one per offer.
    pub(super) fn begin_trials(&self, subscription: &mut Value, offers: &[String]) {
        let items = subscription["items"]["data"].as_array_mut().into_iter().flatten();
        for (item, offer) in items.rev().zip(offers.iter().rev()) {
            let iterations = self.collection(Kind::TrialOffer).get(offer).and_then(iterations).unwrap_or(1);
            let start = item["current_period_start"].as_i64().unwrap_or_default();
            let end = (0..iterations).fold(start, |from, _| later(from, &item["price"]["recurring"]));
            item["current_trial"] = json!({ "trial_offer": offer, "start_date": start, "end_date": end });
        }
    }

    /// Items whose trial is over by now cost what their offer says for afterwards.
    pub(super) fn end_trials(&self, subscription: &mut Value) {
        let now = self.now();
        for item in subscription["items"]["data"].as_array_mut().into_iter().flatten() {
            if item["current_trial"]["end_date"].as_i64().is_none_or(|end| end > now) {
                continue;
            }
            let offer = item["current_trial"]["trial_offer"].as_str().unwrap_or_default();
            let offer = self.collection(Kind::TrialOffer).get(offer);
            let after = offer.and_then(|offer| offer["end_behavior"]["transition"]["price"].as_str());
            if let Some(price) = after.and_then(|price| self.collection(Kind::Price).get(price)) {
                item["price"] = price.clone();
                item["plan"] = plan(price);
            }
            item["current_trial"] = Value::Null;
        }
    }
}

fn iterations(offer: &Value) -> Option<i64> {
    offer["duration"]["relative"]["iterations"].as_i64()
}
