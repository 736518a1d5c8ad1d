//! How long to wait before something is tried again. In: how often it failed before, a jitter in [0, 1). Out: a wait.

use std::time::Duration;

/// Waits after failure 1, 2, …, and the one after every further failure.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    pub first: &'static [Duration],
    pub then: Duration,
}

impl Schedule {
    /// The wait after a failure that `before` others preceded.
    pub fn wait(&self, before: u32) -> Duration {
        usize::try_from(before).ok().and_then(|before| self.first.get(before)).copied().unwrap_or(self.then)
    }

    /// The same, spread.
    pub fn spread_wait(&self, before: u32, jitter: f64) -> Duration {
        spread(self.wait(before), jitter)
    }
}

/// The first waits of a schedule whose waits double.
pub const fn doubling<const N: usize>(first: Duration) -> [Duration; N] {
    let mut waits = [first; N];
    let mut n = 1;
    while n < N {
        waits[n] = waits[n - 1].saturating_mul(2);
        n += 1;
    }
    waits
}

/// Up to a quarter longer, so that many that failed together do not come back together.
pub fn spread(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0)
}

/// Waits of a call that Discord did not answer: 5s, 20s, 1m20s, 5m20s, and 20m for ever: an outage ends some time, and somebody
/// has paid.
pub const UNANSWERED: Schedule = Schedule {
    first: &[
        Duration::from_secs(5),
        Duration::from_secs(20),
        Duration::from_secs(80),
        Duration::from_secs(320),
    ],
    then: Duration::from_secs(1200),
};
/// Waits after refusal 1, 2, … in a row, by a guild as a whole or of one call for a reason that we have no rule for: 1m, 5m, 30m,
/// and then 6h unless the bot is invited before. One answer may be a mistake, and each refused call counts towards Discord's ban.
pub const REFUSED: Schedule = Schedule {
    first: &[Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)],
    then: Duration::from_secs(6 * 3600),
};
/// Once Discord answers a guild's call, its failed jobs wait so long for each of their failures, if that is sooner: one that always
/// fails does not follow each success.
pub const ANSWERED_AGAIN: Duration = Duration::from_secs(10);
/// So many refusals are as good as Discord's own word that the bot is not in the guild.
pub const SURELY_REFUSED: u32 = 3;
/// A parked job is checked again after this, besides the event that it waits for.
pub const PARKED: Duration = Duration::from_secs(6 * 3600);
/// That member or role is not there is believed when Discord says so twice, so far apart: what goes wrong there for a moment is
/// over by then.
pub const SECOND_SHOWING: Duration = Duration::from_secs(300);
/// One probe an hour of a role that Discord does not let us manage.
pub const ROLE_PROBE: Duration = Duration::from_secs(3600);
/// A server with a suspended role is read again after this, also if nobody says that the role was fixed.
pub const SUSPENDED: Duration = Duration::from_secs(600);
/// The first check of who holds a role has its jobs go on as soon as it is made; this is for when the two just miss each other.
pub const UNCHECKED_ROLE: Duration = Duration::from_secs(5);
/// Somebody moves roles about in this moment.
pub const ROLES_CHANGING: Duration = Duration::from_secs(2);
/// The process ends when the token is rejected; the next one, with a better token, should not have to wait long.
pub const TOKEN_REJECTED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn transient_failures_wait_longer_but_never_for_hours() {
        let waits =
            [0, 1, 2, 3, 4, 5, 6, 1000, u32::MAX].map(|before| UNANSWERED.spread_wait(before, 0.0).as_secs());
        assert_eq!(waits, [5, 20, 80, 320, 1200, 1200, 1200, 1200, 1200]);
    }

    #[test]
    fn one_refusal_is_not_believed_for_hours_and_many_are() {
        let waits = [0, 1, 2, 3, 4, u32::MAX].map(|before| REFUSED.wait(before).as_secs());
        assert_eq!(waits, [60, 300, 1800, 21_600, 21_600, 21_600]);
        assert_eq!(REFUSED.wait(SURELY_REFUSED), REFUSED.then);
    }

    proptest! {
        /// Law: a wait is never below its schedule's, nor more than a quarter above it.
        #[test]
        fn jitter_keeps_its_bounds(before in 0_u32..20, jitter in -1.0_f64..2.0) {
            let (wait, spread) = (UNANSWERED.wait(before), UNANSWERED.spread_wait(before, jitter));
            prop_assert!(spread >= wait && spread <= wait.mul_f64(1.25));
        }
    }
}
