//! Trial offers: an item on one has the offer's price, and is worth the plan that follows. In: a subscription. Out: its items,
//! each with what it goes on with.

use serde::Serialize;
use shared::domain::billing::subscription::Afterwards;
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{ReadClient, ReadError, is_about, segment};
use crate::stripe::{
    budget::ApiKey,
    read::{subscription::WireSubscription, trial_offer::WireTrialOffer},
};

/// What a key may not read.
const OFFERS: &str = "trial_offers";

#[derive(Serialize)]
struct Expanding {
    expand: [&'static str; 1],
}

impl ReadClient {
    /// Says of each item on a trial offer what it goes on with, as far as Stripe tells. That never changes of an offer
    /// (<https://docs.stripe.com/api/product-catalog/trial-offers/update>), so each is read once.
    pub(super) async fn follow_trial_offers(
        &self,
        key: &ApiKey,
        subscription: &mut WireSubscription,
    ) -> Result<(), ReadError> {
        for item in subscription.items_mut() {
            let Some(offer) = item.trial_offer() else { continue };
            let afterwards = match self.offers.get(key, offer).await {
                Some(afterwards) => Some(afterwards),
                None => self.trial_offer(key, offer).await?,
            };
            if let Some(afterwards) = afterwards {
                self.offers.insert(key, offer, afterwards.clone()).await;
                item.set_afterwards(afterwards);
            }
        }
        Ok(())
    }

    /// What an offer leads to; `None`: the key may not read it, or nobody knows.
    async fn trial_offer(&self, key: &ApiKey, id: &str) -> Result<Option<Afterwards>, ReadError> {
        if self.without_offers.get(key, OFFERS).await.is_some() {
            return Ok(None);
        }
        let path = format!("/product_catalog/trial_offers/{}", segment(id)?);
        let expand = Expanding { expand: ["end_behavior.transition.price"] };
        let request = RequestBuilder::new(StripeMethod::Get, path).query(&expand);
        match self.get::<WireTrialOffer>(key, &request).await {
            Ok(offer) => {
                is_about(offer.id(), id)?;
                Ok(offer.afterwards())
            }
            Err(error @ (ReadError::Refused(403) | ReadError::Missing)) => {
                if matches!(error, ReadError::Refused(_)) {
                    // Of one it is said of all; another key is asked at once.
                    self.without_offers.insert(key, OFFERS, ()).await;
                }
                tracing::warn!(%error, offer = id, "a trial offer cannot be read: the key needs Read on Prices for it. \
                    Which plan follows is not known; nobody loses a role by that");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
