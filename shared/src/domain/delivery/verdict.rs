//! What becomes of a job after a call. In: the outcome, its failures so far, a jitter in [0, 1). Out: a [`Verdict`].

use std::time::Duration;

use super::outcome::{CallOutcome, LimitScope, Transient};

/// Waits after failure 1, 2, …: 5s, 20s, 1m20s, 5m20s, and 20m for ever: an outage ends some time, and somebody has paid.
const WAITS: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(80), Duration::from_secs(320)];
const LONGEST: Duration = Duration::from_secs(1200);
/// A parked job is looked at again after this, besides the event that it waits for.
pub const LOOK_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// That member or role is not there is believed when Discord says so twice, so far apart: what goes wrong there for a moment is
/// over by then.
pub const SECOND_SHOWING: Duration = Duration::from_secs(300);
/// One probe an hour of a role that Discord does not let us manage.
pub const PROBE_ROLE: Duration = Duration::from_secs(3600);
/// Waits after refusal 1, 2, 3 in a row, by a guild as a whole or of one call for a reason that we have no rule for: one answer
/// may be a mistake, and each refused call counts towards Discord's ban.
const REFUSED: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)];
/// And from then on, unless the bot is invited before.
const STILL_REFUSED: Duration = Duration::from_secs(6 * 3600);
/// So many refusals are as good as Discord's own word that the bot is not in the guild.
pub const SURELY_REFUSED: u32 = 3;

/// What to do with the job, or with more than the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Done,
    /// Try again later; this was a failure.
    Retry(Duration, Transient),
    /// Told to wait: the attempt is given back.
    Snooze(Duration, LimitScope),
    /// This job waits for something.
    Park(ParkReason),
    /// Refused with this code, whoever the member is: all jobs of this role wait, one probe an hour.
    ParkRole(u32),
    /// The bot is not in the guild, says Discord with this code: all jobs of the guild wait.
    ParkGuild(u32),
    /// Refused with status 403 and this code, which we have no rule for: try again later, and leave the guild alone for a while,
    /// since the next call may be refused too.
    RetryRefused(Duration, u32),
    /// The role was deleted: it cannot be done.
    RoleGone,
    /// No call can succeed: stop.
    StopEverything,
}

/// What a parked job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkReason {
    /// The member to join.
    MemberAbsent,
    /// A person, or time: Discord refuses with this status and code, which we have no rule for.
    Refused(u16, u32),
}

/// How long to leave something alone that Discord has refused so many times in a row before.
pub fn refused_for(before: u32) -> Duration {
    usize::try_from(before).ok().and_then(|before| REFUSED.get(before)).copied().unwrap_or(STILL_REFUSED)
}

/// Decides.
pub fn verdict(outcome: &CallOutcome, failures: u32, jitter: f64) -> Verdict {
    match outcome {
        CallOutcome::Done => Verdict::Done,
        // Being told to wait is not a failure: the attempt is given back.
        CallOutcome::RateLimited { after, scope } => Verdict::Snooze(*after, *scope),
        CallOutcome::MemberGone => Verdict::Park(ParkReason::MemberAbsent),
        CallOutcome::RoleGone => Verdict::RoleGone,
        CallOutcome::Forbidden { code } => Verdict::ParkRole(*code),
        CallOutcome::GuildGone { code } => Verdict::ParkGuild(*code),
        CallOutcome::TokenRejected => Verdict::StopEverything,
        CallOutcome::Refused { status: 403, code } => Verdict::RetryRefused(refused_for(failures), *code),
        CallOutcome::Refused { status, code } => Verdict::Park(ParkReason::Refused(*status, *code)),
        CallOutcome::Transient(cause) => {
            let wait = usize::try_from(failures).ok().and_then(|failures| WAITS.get(failures));
            // Up to a quarter longer, so that a crowd that failed together does not come back together.
            let wait = wait.unwrap_or(&LONGEST).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0);
            Verdict::Retry(wait, *cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_429_is_never_a_failure() {
        let after = Duration::from_millis(1337);
        for failures in [0, 4, 5, 99] {
            let limited = CallOutcome::RateLimited { after, scope: LimitScope::Guild };
            assert_eq!(verdict(&limited, failures, 0.9), Verdict::Snooze(after, LimitScope::Guild));
        }
    }

    #[test]
    fn transient_failures_wait_longer_but_never_for_hours() {
        let outcome = CallOutcome::Transient(Transient::Status(502));
        let waits = [0, 1, 2, 3, 4, 5, 6, 1000, u32::MAX].map(|failures| verdict(&outcome, failures, 0.0));
        let seconds = |s| Verdict::Retry(Duration::from_secs(s), Transient::Status(502));
        assert_eq!(waits, [5, 20, 80, 320, 1200, 1200, 1200, 1200, 1200].map(seconds));
    }

    #[test]
    fn one_refusal_is_not_believed_for_hours_and_many_are() {
        let waits = [0, 1, 2, 3, 4, u32::MAX].map(|before| refused_for(before).as_secs());
        assert_eq!(waits, [60, 300, 1800, 21_600, 21_600, 21_600]);
        assert_eq!(refused_for(SURELY_REFUSED), STILL_REFUSED);
        let unknown = CallOutcome::Refused { status: 403, code: 50600 };
        assert_eq!(verdict(&unknown, 1, 0.5), Verdict::RetryRefused(Duration::from_secs(300), 50600));
    }

    #[test]
    fn the_rest_of_the_table() {
        for (outcome, expected) in [
            (CallOutcome::Done, Verdict::Done),
            (CallOutcome::MemberGone, Verdict::Park(ParkReason::MemberAbsent)),
            (CallOutcome::RoleGone, Verdict::RoleGone),
            (CallOutcome::Forbidden { code: 60003 }, Verdict::ParkRole(60003)),
            (CallOutcome::GuildGone { code: 10004 }, Verdict::ParkGuild(10004)),
            (CallOutcome::TokenRejected, Verdict::StopEverything),
            (
                CallOutcome::Refused { status: 400, code: 50035 },
                Verdict::Park(ParkReason::Refused(400, 50035)),
            ),
        ] {
            assert_eq!(verdict(&outcome, 3, 0.5), expected);
        }
    }

    proptest! {
        /// Law: a delay is never below what Discord asked for, and a retry never above its cap.
        #[test]
        fn delays_keep_their_bounds(ms in 0_u64..10_000_000, failures in 0_u32..20, jitter in 0.0_f64..1.0) {
            let after = Duration::from_millis(ms);
            let limited = CallOutcome::RateLimited { after, scope: LimitScope::Everything };
            prop_assert_eq!(verdict(&limited, failures, jitter), Verdict::Snooze(after, LimitScope::Everything));
            if let Verdict::Retry(wait, _) = verdict(&CallOutcome::Transient(Transient::TimedOut), failures, jitter) {
                prop_assert!(wait >= WAITS[0] && wait <= LONGEST.mul_f64(1.25));
            }
        }
    }
}
