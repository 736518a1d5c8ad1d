//! What Discord says of the day's IDENTIFYs. Plain data.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub total: u64,
    /// What is left of them.
    pub remaining: u64,
    /// When there are as many again.
    pub reset_after: Duration,
}
