//! Coupons: what the discounts of a subscription take off. In: a subscription. Out: the same, with what is known of its coupons.
//!
//! Only reports need it: whatever goes wrong here, a discount is one of which nothing is known.

use shared::domain::billing::amount::Discount;
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{ReadClient, ReadError, is_about, segment};
use crate::stripe::{
    budget::ApiKey,
    read::{
        cost::{Coupons, WireCoupon},
        subscription::WireSubscription,
    },
};

impl ReadClient {
    /// Says what the coupons of a subscription take off, as far as Stripe tells. That never changes of a coupon
    /// (<https://docs.stripe.com/api/coupons/update>), so each is read once, also one that may not be read.
    pub(super) async fn follow_coupons(&self, key: &ApiKey, subscription: &mut WireSubscription) {
        let mut coupons = Coupons::new();
        for id in subscription.coupons() {
            let discount = match self.coupons.get(key, &id).await {
                Some(discount) => discount,
                None => match self.coupon(key, &id).await {
                    Ok(discount) => {
                        self.coupons.insert(key, &id, discount.clone()).await;
                        discount
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a coupon was not read");
                        Discount::default()
                    }
                },
            };
            coupons.insert(id, discount);
        }
        subscription.set_coupons(coupons);
    }

    async fn coupon(&self, key: &ApiKey, id: &str) -> Result<Discount, ReadError> {
        let request = RequestBuilder::new(StripeMethod::Get, format!("/coupons/{}", segment(id)?));
        match self.get::<WireCoupon>(key, &request).await {
            Ok(coupon) => {
                is_about(&coupon.id, id)?;
                Ok(coupon.discount())
            }
            // It was deleted, and goes on for those who have it; or the key lacks Read on Coupons.
            Err(ReadError::Missing | ReadError::Refused(403)) => Ok(Discount::default()),
            Err(error) => Err(error),
        }
    }
}
