//! What an owner gives by their own word: why, and until when. In: the words of a command. Out: values that are known to be good.

use time::{Date, Duration, Time, macros::format_description};

use crate::clock::Timestamp;

/// Of a reason, in characters.
const REASON_LENGTH: usize = 200;
/// Of a number of days: ten years.
const MOST_DAYS: u16 = 3_650;

/// Why somebody has a role, in the owner's words: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    pub fn parse(text: &str) -> Result<Self, InvalidReason> {
        let text = text.trim();
        let is_good =
            (1..=REASON_LENGTH).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control());
        if is_good { Ok(Self(text.to_owned())) } else { Err(InvalidReason) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason is one line of 1 to {REASON_LENGTH} characters")]
pub struct InvalidReason;

/// How long: `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u16);

impl Days {
    pub fn parse(text: &str) -> Result<Self, InvalidDays> {
        let days = text.strip_suffix('d').filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let days = days.and_then(|number| number.parse().ok()).filter(|days| (1..=MOST_DAYS).contains(days));
        days.map(Self).ok_or(InvalidDays)
    }

    pub fn get(self) -> u16 {
        self.0
    }

    /// That long after `now`.
    pub fn after(self, now: Timestamp) -> Timestamp {
        now.saturating_add(Duration::days(self.0.into()))
    }
}

/// Why a text is no number of [`Days`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is 1 to {MOST_DAYS} days, as in 30d")]
pub struct InvalidDays;

/// The last day of something, in UTC: `2026-12-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastDay(Date);

impl LastDay {
    pub fn parse(text: &str) -> Result<Self, InvalidDay> {
        Date::parse(text, format_description!("[year]-[month]-[day]")).map(Self).map_err(|_| InvalidDay)
    }

    pub fn end(self) -> Timestamp {
        self.0.next_day().unwrap_or(Date::MAX).with_time(Time::MIDNIGHT).assume_utc()
    }
}

/// Why a text is no [`LastDay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day is a year, a month and a day, as in 2026-12-31")]
pub struct InvalidDay;

/// What is written down beside a source that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// `None`: the kind of the source says it.
    pub reason: Option<Reason>,
    /// When it ends by itself; `None`: it does not.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_reason_is_a_line_that_says_something() {
        assert_eq!(Reason::parse("  won the raffle ").unwrap().as_str(), "won the raffle");
        assert!(Reason::parse(&"ä".repeat(200)).is_ok());
        for bad in ["", "   ", "two\nlines", "a bell \u{7}", "nul \0", &"ä".repeat(201)] {
            assert_eq!(Reason::parse(bad), Err(InvalidReason), "{bad:?}");
        }
    }

    #[test]
    fn days_are_counted_from_now() {
        let now = datetime!(2026-11-27 12:30 UTC);
        assert_eq!(Days::parse("30d").unwrap().after(now), datetime!(2026-12-27 12:30 UTC));
        for bad in ["", "d", "0d", "30", "30 d", "-1d", "+1d", "3651d", "99999d", "1.5d", "30D", "30h"] {
            assert_eq!(Days::parse(bad), Err(InvalidDays), "{bad:?}");
        }
    }

    #[test]
    fn the_last_day_counts() {
        assert_eq!(LastDay::parse("2026-12-31").unwrap().end(), datetime!(2027-01-01 0:00 UTC));
        assert!(LastDay::parse("9999-12-31").unwrap().end() > datetime!(9999-12-30 0:00 UTC));
        for bad in
            ["", "2026-13-01", "2026-02-30", "31.12.2026", "2026-12-31T00:00", " 2026-12-31", "tomorrow"]
        {
            assert_eq!(LastDay::parse(bad), Err(InvalidDay), "{bad:?}");
        }
    }
}
