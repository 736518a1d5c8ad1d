//! The sandbox's one clock. In: nothing. Out: the time in the spellings the vendors use.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The current time, cut to milliseconds as both vendors show it.
#[expect(clippy::disallowed_methods, reason = "the sandbox's one clock")]
pub(crate) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

/// Seconds since 1970, Stripe's spelling.
pub(crate) fn unix() -> i64 {
    now().unix_timestamp()
}

/// RFC 3339, Discord's spelling.
pub(crate) fn iso() -> String {
    now().format(&Rfc3339).unwrap_or_default()
}

/// Milliseconds since 1970.
pub(crate) fn millis() -> u64 {
    u64::try_from(now().unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}
