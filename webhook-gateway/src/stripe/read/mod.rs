//! Stripe's objects as far as we read them: lenient wire types in, billing facts out; a file per kind. Pure.
//!
//! Only the fields that decide are read, and each may be missing; what is missing never ends anybody's access.

pub(crate) mod catalogue;
pub mod customer;
pub mod lists;
pub mod subscription;

/// The answer lacks what no subscription or customer can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Stripe's answer has no usable {0}")]
pub struct Unusable(&'static str);
