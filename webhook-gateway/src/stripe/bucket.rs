//! How fast one connection is read. In: when somebody wants to read, and for what. Out: now, or how long to wait. Pure.

use std::time::Duration;

/// Stripe allows 25 reads a second of one kind (<https://docs.stripe.com/rate-limits>), and others may read the account too.
const PER_SECOND: f64 = 20.0;
const AT_ONCE: f64 = 20.0;
/// Of these, so many are left to reads that somebody waits for.
const KEPT_FOR_PAYMENTS: f64 = 10.0;

/// What a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody paid, cancelled, or asked.
    Payment,
    /// Nobody waits: lists, and what is read because of them.
    Sweep,
    /// A sweep that has waited long enough: it goes first, and what comes next pays for it.
    Overdue,
}

/// Tokens that come back with time. Times are counted from when it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    tokens: f64,
    filled_at: Duration,
    /// Stripe asked to wait until then.
    closed_until: Duration,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { tokens: AT_ONCE, filled_at: Duration::ZERO, closed_until: Duration::ZERO }
    }
}

impl Bucket {
    /// Takes a token; else says how long it takes until there is one.
    pub fn take(&mut self, urgency: Urgency, now: Duration) -> Result<(), Duration> {
        if now < self.closed_until {
            return Err(self.closed_until - now);
        }
        let since = now.saturating_sub(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + since * PER_SECOND).min(AT_ONCE);
        self.filled_at = now.max(self.filled_at);
        let needed = match urgency {
            Urgency::Payment => 1.0,
            Urgency::Sweep => 1.0 + KEPT_FOR_PAYMENTS,
            // Payments wait until there is one again.
            Urgency::Overdue => 0.0,
        };
        if self.tokens < needed {
            return Err(Duration::from_secs_f64((needed - self.tokens) / PER_SECOND));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Stripe asks to wait so long.
    pub fn close(&mut self, wait: Duration, now: Duration) {
        self.closed_until = self.closed_until.max(now.saturating_add(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many can be taken at once.
    fn taken(bucket: &mut Bucket, urgency: Urgency, now: Duration) -> usize {
        (0..1_000).take_while(|_| bucket.take(urgency, now).is_ok()).count()
    }

    #[test]
    fn sweeps_leave_half_for_payments_and_what_is_gone_comes_back() {
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(5);
        assert_eq!(taken(&mut bucket, Urgency::Sweep, now), 10);
        assert_eq!(taken(&mut bucket, Urgency::Payment, now), 10);
        assert_eq!(bucket.take(Urgency::Payment, now), Err(Duration::from_millis(50)));
        let later = now + Duration::from_secs(1);
        assert_eq!(taken(&mut bucket, Urgency::Payment, later), 20);
        assert_eq!(bucket.take(Urgency::Sweep, later), Err(Duration::from_millis(550)));
        assert_eq!(taken(&mut bucket, Urgency::Payment, later + Duration::from_secs(3600)), 20, "never more");
    }

    #[test]
    fn a_sweep_that_is_overdue_goes_first_and_payments_wait_for_it() {
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(5);
        assert_eq!(taken(&mut bucket, Urgency::Payment, now), 20);
        assert_eq!(bucket.take(Urgency::Overdue, now), Ok(()));
        assert_eq!(bucket.take(Urgency::Payment, now), Err(Duration::from_millis(100)));
    }

    #[test]
    fn in_a_minute_of_sweeps_there_are_twenty_a_second() {
        let mut bucket = Bucket::default();
        let ticks =
            (0..60_000).filter(|&tick| bucket.take(Urgency::Sweep, Duration::from_millis(tick)).is_ok());
        let taken = ticks.count();
        assert!((1_150..=1_210).contains(&taken), "{taken}");
    }

    #[test]
    fn what_stripe_asks_for_holds_for_all() {
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(5);
        bucket.close(Duration::from_secs(7), now);
        bucket.close(Duration::from_secs(2), now);
        for urgency in [Urgency::Payment, Urgency::Sweep] {
            assert_eq!(bucket.take(urgency, now), Err(Duration::from_secs(7)));
        }
        assert_eq!(bucket.take(Urgency::Sweep, now + Duration::from_secs(7)), Ok(()));
        bucket.close(Duration::MAX, now);
        assert!(bucket.take(Urgency::Payment, now).is_err(), "and nothing overflows");
    }
}
