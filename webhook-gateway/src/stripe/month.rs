//! What is left of the reads that Stripe grants an account in a month. In: what our rows say, and each read. Out: whether what nobody waits
//! for may read. Pure; times are counted from when the budget was made.

use std::time::Duration;

/// What our rows say is asked again after so long: another process reads, too, and payments bring reads.
const ASKED_EVERY: Duration = Duration::from_secs(60);
/// What waits for reads tries again after so long, though the month goes on.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    left: i64,
    asked_at: Duration,
    ends_at: Duration,
}

impl Month {
    /// `unwritten`: reads that our rows do not have yet.
    pub fn new(granted: i32, reads: i32, unwritten: i32, ends_in: Duration, now: Duration) -> Self {
        let left = i64::from(granted) - i64::from(reads) - i64::from(unwritten);
        Self { left, asked_at: now, ends_at: now.saturating_add(ends_in) }
    }

    /// Whether our rows need not be asked again.
    pub fn is_current(&self, now: Duration) -> bool {
        now < self.ends_at && now < self.asked_at.saturating_add(ASKED_EVERY)
    }

    pub fn spend(&mut self) {
        self.left -= 1;
    }

    /// Never less than 0, though payments are read on.
    pub fn left(&self) -> i64 {
        self.left.max(0)
    }

    /// Whether what nobody waits for may read; else says when to try again.
    pub fn allows_sweeps(&self, now: Duration) -> Result<(), Duration> {
        if self.left > 0 || now >= self.ends_at {
            return Ok(());
        }
        Err(self.ends_at.saturating_sub(now).min(AGAIN_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn sweeps_stop_when_all_is_spent_and_go_on_with_the_next_month() {
        let mut month = Month::new(10_000, 9_990, 8, 10 * HOUR, HOUR);
        assert_eq!((month.left(), month.allows_sweeps(HOUR)), (2, Ok(())));
        month.spend();
        assert_eq!(month.allows_sweeps(HOUR), Ok(()));
        month.spend();
        assert_eq!(month.allows_sweeps(HOUR), Err(AGAIN_AFTER), "payments may bring more until then");
        month.spend();
        assert_eq!(month.left(), 0);
        let nearly = 11 * HOUR - Duration::from_secs(60);
        assert_eq!(month.allows_sweeps(nearly), Err(Duration::from_secs(60)), "no longer than the month");
        assert_eq!(month.allows_sweeps(11 * HOUR), Ok(()));
    }

    #[test]
    fn our_rows_are_asked_each_minute_and_when_the_month_is_over() {
        let month = Month::new(10_000, 0, 0, HOUR, HOUR);
        assert!(month.is_current(HOUR + Duration::from_secs(59)));
        assert!(!month.is_current(HOUR + Duration::from_secs(60)));
        assert!(!Month::new(10_000, 0, 0, Duration::ZERO, HOUR).is_current(HOUR));
    }
}
