//! Trial offers: an item on one has the offer's price, and is worth the plan that follows. In: a subscription. Out: its items,
//! each with what it goes on with.

use std::time::Duration;

use moka::future::Cache;
use secrecy::SecretString;
use serde::Serialize;
use shared::{crypto::Fingerprint, domain::billing::subscription::Afterwards};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{ReadClient, ReadError, is_about, segment};
use crate::stripe::read::{subscription::WireSubscription, trial_offer::WireTrialOffer};

/// One offer is many customers'; each is a few hundred bytes.
const REMEMBERED: u64 = 10_000;
/// What an offer leads to never changes (<https://docs.stripe.com/api/product-catalog/trial-offers/update>); a day is for what we do
/// not know.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What offers lead to, by the key that read them and their id: what one account's key may not read, another's does not tell it.
#[derive(Debug, Clone)]
pub(super) struct TrialOffers(Cache<(String, String), Afterwards>);

impl Default for TrialOffers {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build())
    }
}

#[derive(Serialize)]
struct Expanding {
    expand: [&'static str; 1],
}

impl ReadClient {
    /// Says of each item on a trial offer what it goes on with, as far as Stripe tells.
    pub(super) async fn follow_trial_offers(
        &self,
        key: &SecretString,
        subscription: &mut WireSubscription,
    ) -> Result<(), ReadError> {
        for item in subscription.items_mut() {
            let Some(offer) = item.trial_offer() else { continue };
            let known_as = (Fingerprint::of(key).to_string(), offer.to_owned());
            let afterwards = match self.offers.0.get(&known_as).await {
                Some(afterwards) => Some(afterwards),
                None => self.trial_offer(key, offer).await?,
            };
            if let Some(afterwards) = afterwards {
                item.set_afterwards(afterwards.clone());
                self.offers.0.insert(known_as, afterwards).await;
            }
        }
        Ok(())
    }

    /// What an offer leads to; `None`: the key may not read it, or nobody knows.
    async fn trial_offer(&self, key: &SecretString, id: &str) -> Result<Option<Afterwards>, ReadError> {
        let path = format!("/product_catalog/trial_offers/{}", segment(id)?);
        let expand = Expanding { expand: ["end_behavior.transition.price"] };
        let request = RequestBuilder::new(StripeMethod::Get, path).query(&expand);
        match self.get::<WireTrialOffer>(key, &request).await {
            Ok(offer) => {
                is_about(offer.id(), id)?;
                Ok(offer.afterwards())
            }
            Err(error @ (ReadError::Refused(403) | ReadError::Missing)) => {
                tracing::warn!(%error, offer = id, "a trial offer cannot be read: the key needs Read on Prices for it. \
                    Which plan follows is not known; nobody loses a role by that");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
