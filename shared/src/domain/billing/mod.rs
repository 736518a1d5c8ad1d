//! What Stripe said, in our words.

pub mod amount;
pub mod catalogue;
pub mod fact;
pub mod payment;
pub mod purchase;
pub mod reversal;
pub mod subscription;
pub mod trial;

/// Reads a month that Stripe grants every account, however little it takes; each payment brings 500 more
/// (<https://docs.stripe.com/rate-limits>).
pub const READS_GRANTED: i32 = 10_000;
