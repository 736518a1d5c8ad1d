//! What Stripe said, in our words.

pub mod catalogue;
pub mod subscription;
