//! Stripe's objects, as they come, in our words. Pure.

pub(crate) mod catalogue;
pub mod subscription;
