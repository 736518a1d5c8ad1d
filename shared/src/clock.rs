//! The one source of time and of jitter; everything else takes them as parameters.

use time::OffsetDateTime;

/// A moment in time, UTC.
pub type Timestamp = OffsetDateTime;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Timestamp {
    OffsetDateTime::now_utc()
}

/// A random fraction in [0, 1), to spread retries.
#[expect(clippy::disallowed_methods, reason = "the one place that draws jitter")]
pub fn jitter() -> f64 {
    rand::random()
}
