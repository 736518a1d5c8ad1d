//! What Stripe said, in our words.

pub mod amount;
pub mod catalogue;
pub mod fact;
pub mod payment;
pub mod purchase;
pub mod reversal;
pub mod subscription;
pub mod trial;
