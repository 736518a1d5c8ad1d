//! When to connect to the Gateway again. In: what became of the last connections, the day's budget of IDENTIFYs, the time, a
//! jitter in [0, 1). Out: how long to wait. Pure.
//!
//! Every IDENTIFY is one of usually 1,000 a day; who passes them loses the token
//! (<https://discord.com/developers/docs/events/gateway#session-start-limit-object>). A RESUME costs none.

use std::time::{Duration, Instant};

use shared::domain::delivery::backoff::{Schedule, doubling};

use crate::discord::session_budget::Budget;

/// While nobody answers: 1s, 2s, 4s, … 32s, 1m.
const UNREACHABLE: Schedule =
    Schedule { first: &doubling::<6>(Duration::from_secs(1)), then: Duration::from_secs(60) };
/// After a session that was refused: 5s, 10s, 20s, … 2m40s, 5m.
const REFUSED: Schedule =
    Schedule { first: &doubling::<6>(Duration::from_secs(5)), then: Duration::from_secs(300) };
/// After opcode 9 Discord asks for one to five seconds.
const SHORTEST_AFTER_INVALID: Duration = Duration::from_secs(1);
const SPREAD_AFTER_INVALID: Duration = Duration::from_secs(4);
/// Refusals after which the wait is the longest, for one that no second try changes.
const HOPELESS: u32 = 16;
/// Sessions that end soon after they began: forty may follow each other, then one in six minutes (240 a day).
const IDENTIFIES: Rate = Rate { every: Duration::from_secs(360), at_once: 40 };
/// Connections of any kind, which cost Discord more than us.
const CONNECTIONS: Rate = Rate { every: Duration::from_secs(10), at_once: 30 };
/// A budget that is empty and renewed at once is asked for no more often.
const SHORTEST_BUDGET_WAIT: Duration = Duration::from_secs(5);
const DAY: Duration = Duration::from_secs(86_400);

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The session goes on.
    Resume,
    Identify,
}

struct Rate {
    every: Duration,
    at_once: u32,
}

/// The moment at which a rate would be used up, had nothing been spared.
struct Spent(Instant);

impl Spent {
    fn take(&mut self, rate: &Rate, now: Instant) -> Duration {
        let spared = rate.every * (rate.at_once - 1);
        let wait = self.0.saturating_duration_since(now).saturating_sub(spared);
        self.0 = self.0.max(now) + rate.every;
        wait
    }
}

/// The outcome of one shard's connections.
pub(super) struct Pace {
    unreachable: u32,
    refused: u32,
    invalid: bool,
    connections: Spent,
    identifies: Spent,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        let (connections, identifies) = (Spent(now), Spent(now));
        Self { unreachable: 0, refused: 0, invalid: false, connections, identifies }
    }

    /// A session began, or goes on.
    pub(super) fn established(&mut self) {
        (self.unreachable, self.refused) = (0, 0);
    }

    /// The connection ended before IDENTIFY or RESUME.
    pub(super) fn unreachable(&mut self) {
        self.unreachable = self.unreachable.saturating_add(1);
    }

    /// IDENTIFY or RESUME was sent, and no session came of it.
    pub(super) fn refused(&mut self) {
        self.unreachable = 0;
        self.refused = self.refused.saturating_add(1);
    }

    /// Opcode 9, whatever came before it.
    pub(super) fn invalid(&mut self) {
        self.invalid = true;
    }

    /// Only a person can change what was refused.
    pub(super) fn hopeless(&mut self) {
        self.refused = HOPELESS;
    }

    /// How long to wait before the next connection, which is counted.
    pub(super) fn wait(&mut self, way: Way, now: Instant, jitter: f64) -> Duration {
        let mut failed =
            after(&UNREACHABLE, self.unreachable, jitter).max(after(&REFUSED, self.refused, jitter));
        if std::mem::take(&mut self.invalid) {
            failed = failed.max(SHORTEST_AFTER_INVALID + SPREAD_AFTER_INVALID.mul_f64(jitter));
        }
        let paced = match way {
            Way::Resume => self.connections.take(&CONNECTIONS, now),
            Way::Identify => self.identifies.take(&IDENTIFIES, now),
        };
        failed.max(paced)
    }
}

fn after(schedule: &Schedule, failures: u32, jitter: f64) -> Duration {
    failures.checked_sub(1).map_or(Duration::ZERO, |before| schedule.spread_wait(before, jitter))
}

impl Budget {
    /// How long an IDENTIFY has to wait. The last tenth is spread over the rest of the day; it is not asked to wait `again`.
    pub(super) fn wait(self, again: bool) -> Duration {
        let after = self.reset_after.clamp(SHORTEST_BUDGET_WAIT, DAY);
        match u32::try_from(self.remaining) {
            Ok(0) => after,
            Ok(left) if !again && self.remaining <= self.total / 10 => after / left,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a Gateway can do to a connection.
    #[derive(Debug, Clone, Copy)]
    enum Does {
        Nothing,
        Refuse,
        EndAfter(u64),
    }

    fn does() -> impl Strategy<Value = Does> {
        prop_oneof![Just(Does::Nothing), Just(Does::Refuse), (0_u64..400).prop_map(Does::EndAfter)]
    }

    /// IDENTIFYs within a day, against a Gateway that goes on like this.
    fn a_day_of(script: &[Does]) -> u32 {
        let began = Instant::now();
        let (mut now, mut pace, mut identified) = (began, Pace::new(began), 0);
        for does in script.iter().cycle() {
            now += pace.wait(Way::Identify, now, 0.0).max(Duration::from_millis(1));
            if now > began + DAY {
                break;
            }
            match does {
                Does::Nothing => pace.unreachable(),
                Does::Refuse => {
                    identified += 1;
                    pace.refused();
                }
                Does::EndAfter(seconds) => {
                    identified += 1;
                    pace.established();
                    now += Duration::from_secs(*seconds);
                }
            }
        }
        identified
    }

    proptest! {
        #[test]
        fn no_gateway_gets_more_than_a_third_of_the_days_budget(script in proptest::collection::vec(does(), 1..8)) {
            let identified = a_day_of(&script);
            prop_assert!(identified <= 300, "{identified} IDENTIFYs");
        }
    }

    #[test]
    fn a_gateway_that_refuses_is_tried_less_and_less() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                let wait = pace.wait(Way::Identify, now, 0.0).as_secs();
                pace.refused();
                wait
            })
            .collect();
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 300, 300]);
        pace.established();
        assert_eq!(pace.wait(Way::Resume, now, 0.9), Duration::ZERO);
        pace.invalid();
        assert_eq!(pace.wait(Way::Resume, now, 0.5), Duration::from_secs(3));
        assert_eq!(pace.wait(Way::Resume, now, 0.5), Duration::ZERO, "once");
        pace.hopeless();
        assert!(pace.wait(Way::Identify, now + DAY, 0.9) >= REFUSED.then);
    }

    #[test]
    fn a_gateway_that_is_away_is_found_again_within_a_minute_or_so() {
        let (now, mut pace) = (Instant::now(), Pace::new(Instant::now()));
        let waits = [0; 7].map(|_| {
            pace.unreachable();
            pace.wait(Way::Resume, now, 0.0).as_secs()
        });
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60]);
        for _ in 0..100 {
            pace.unreachable();
        }
        assert_eq!(pace.wait(Way::Resume, now + DAY, 0.0), UNREACHABLE.then);
    }

    #[test]
    fn connections_that_end_at_once_are_not_renewed_at_once_for_ever() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let waits: Vec<Duration> = (0..32).map(|_| pace.wait(Way::Resume, now, 0.0)).collect();
        assert!(waits[..30].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[31], CONNECTIONS.every * 2);
    }

    #[test]
    fn the_last_tenth_of_a_budget_is_spread_over_the_day() {
        let budget =
            |remaining, seconds| Budget { total: 1000, remaining, reset_after: Duration::from_secs(seconds) };
        for (remaining, seconds, again, wait) in [
            (1000, 86_400, false, 0),
            (101, 86_400, false, 0),
            (100, 86_400, false, 864),
            (100, 86_400, true, 0),
            (1, 3_600, false, 3_600),
            (0, 3_600, false, 3_600),
            (0, 3_600, true, 3_600),
            (0, 0, true, 5),
            (0, u64::MAX, false, 86_400),
        ] {
            assert_eq!(budget(remaining, seconds).wait(again).as_secs(), wait, "{remaining} {seconds}");
        }
    }
}
