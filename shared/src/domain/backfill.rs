//! How what happened at Stripe since some time is found again. In: the time, as somebody says it, and now. Out: a [`Way`], and what it
//! leaves unknown.

use std::time::Duration;

use time::{Date, OffsetDateTime, Time, format_description::well_known::Rfc3339, macros::format_description};

use crate::clock::Timestamp;

/// For how long Stripe lists events (<https://docs.stripe.com/api/events/list>), but for the time that it takes to read them.
const EVENTS_LISTED: Duration = Duration::from_secs(30 * 24 * 3600 - 3600);
/// Before that there was no Stripe.
const FIRST_YEAR: i32 = 2011;

/// By what it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Stripe lists all events since then: what they name is read again.
    Events,
    /// It does not. All running subscriptions and paid purchases are listed, too; what of ours is not among them is read by itself.
    EventsAndLists,
}

impl Way {
    pub fn since(since: Timestamp, now: Timestamp) -> Self {
        if since + EVENTS_LISTED >= now { Self::Events } else { Self::EventsAndLists }
    }

    pub fn reads_lists(self) -> bool {
        self == Self::EventsAndLists
    }
}

/// A time in the past: so long ago (`5d`, `36h`, `90m`, `2w`), a day (`2026-11-23`, from its beginning in UTC), or a moment (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    Ago(Duration),
    At(Timestamp),
}

impl Since {
    pub fn parse(text: &str) -> Result<Self, InvalidSince> {
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(at.to_offset(time::UtcOffset::UTC)));
        }
        if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            return Ok(Self::At(day.with_time(Time::MIDNIGHT).assume_utc()));
        }
        let unit = text.chars().next_back().ok_or(InvalidSince)?;
        let seconds = match unit {
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            'w' => 7 * 24 * 3600,
            _ => return Err(InvalidSince),
        };
        let number = &text[..text.len() - 1];
        let is_number = (1..=6).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| is_number).ok_or(InvalidSince)?;
        Ok(Self::Ago(Duration::from_secs(number * seconds)))
    }

    /// `None`: it is not in the past, or longer ago than Stripe is.
    pub fn before(self, now: Timestamp) -> Option<Timestamp> {
        let since = match self {
            Self::Ago(time) => now.checked_sub(time.try_into().ok()?)?,
            Self::At(at) => at,
        };
        (since < now && since.year() >= FIRST_YEAR).then_some(since)
    }
}

/// Why a text is no [`Since`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is so long ago, as in 5d, 36h or 90m, or a day or moment in UTC, as in 2026-11-23 or 2026-11-23T14:00:00Z"
)]
pub struct InvalidSince;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: Timestamp = datetime!(2026-11-28 12:00 UTC);

    #[test]
    fn a_time_in_the_past_is_said_in_one_of_three_ways() {
        for (text, expected) in [
            ("5d", Some(datetime!(2026-11-23 12:00 UTC))),
            ("36h", Some(datetime!(2026-11-27 0:00 UTC))),
            ("90m", Some(datetime!(2026-11-28 10:30 UTC))),
            ("2w", Some(datetime!(2026-11-14 12:00 UTC))),
            ("2026-11-23", Some(datetime!(2026-11-23 0:00 UTC))),
            ("2026-11-23T14:00:00Z", Some(datetime!(2026-11-23 14:00 UTC))),
            ("2026-11-23T14:00:00+02:00", Some(datetime!(2026-11-23 12:00 UTC))),
            // Not in the past, or before there was Stripe.
            ("0d", None),
            ("2026-11-29", None),
            ("1999-01-01", None),
            ("999999w", None),
        ] {
            assert_eq!(Since::parse(text).unwrap().before(NOW), expected, "{text}");
        }
        for bad in
            ["", "d", "5", "5 d", "-5d", "+5d", "1.5d", "5D", "5ä", "1000000d", "yesterday", "2026-13-01"]
        {
            assert_eq!(Since::parse(bad), Err(InvalidSince), "{bad:?}");
        }
    }

    #[test]
    fn beyond_thirty_days_stripe_lists_no_events() {
        let days = |days: i64| NOW - time::Duration::days(days);
        assert_eq!(Way::since(days(29), NOW), Way::Events);
        assert_eq!(Way::since(days(30), NOW), Way::EventsAndLists, "they would be gone while they are read");
    }
}
