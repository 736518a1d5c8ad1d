//! What Stripe said, in our words.

pub mod amount;
pub mod catalogue;
pub mod fact;
pub mod page;
pub mod payment;
pub mod portal;
pub mod purchase;
pub mod reversal;
pub mod subscription;
pub mod trial;

/// Reads a month that Stripe grants every account, however little it takes; each payment brings 500 more
/// (<https://docs.stripe.com/rate-limits>).
pub const READS_GRANTED: i32 = 10_000;
/// Reads that each payment brings.
pub const READS_PER_PAYMENT: i32 = 500;

/// How many of a month's reads are left.
pub fn reads_left(granted: i32, reads: i32) -> i32 {
    granted.saturating_sub(reads).max(0)
}
