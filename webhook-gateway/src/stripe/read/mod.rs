//! Stripe's objects as far as we read them: lenient wire types in, billing facts out; a file per kind. Pure.
//!
//! Only the fields that decide are read, and each may be missing; what is missing never ends anybody's access.

use shared::clock::Timestamp;
use time::OffsetDateTime;

pub(crate) mod catalogue;
pub(super) mod checkout;
pub(super) mod cost;
pub mod customer;
mod invoice_lines;
pub(super) mod items;
pub mod lists;
pub(super) mod payment;
pub(super) mod portal;
pub(super) mod proof;
pub mod subscription;
pub(super) mod trial_offer;

/// The answer lacks what no subscription, session or customer can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Stripe's answer has no usable {0}")]
pub struct Unusable(&'static str);

/// Zero is how a time is written that nobody knows.
fn timestamp(seconds: i64) -> Option<Timestamp> {
    OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|_| seconds > 0)
}
