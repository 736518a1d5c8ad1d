//! A member who was heard to join, and whom Discord does not know yet. In: Discord's answer, how long ago the joining was heard. Out: the
//! answer that counts.
//!
//! The Gateway may be ahead of the API for a while. Without a joining that was heard, an unknown member is absent, and waits for it.

use std::time::Duration;

use crate::domain::{
    delivery::outcome::{CallOutcome, Transient},
    job::{ClaimedJob, JobOrigin},
};

/// For so long a joining outweighs an answer that says otherwise; then the answer counts.
const BELIEVED: Duration = Duration::from_secs(300);
/// Waits double, since each is as long as all before: 2s, 2s, 4s, 8s, 16s, 32s, then 1m.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// How long ago these jobs' member was heard to join; `None`: long ago, or never.
pub fn heard<'a>(jobs: impl IntoIterator<Item = &'a ClaimedJob>) -> Option<Duration> {
    let joined = jobs.into_iter().filter(|job| job.origin == JobOrigin::Join).map(|job| job.age);
    joined.min().filter(|age| *age < BELIEVED)
}

/// The answer that counts about a member who was heard to join so long ago.
pub fn despite_absence(outcome: &CallOutcome, heard: Option<Duration>) -> CallOutcome {
    match (outcome, heard) {
        (CallOutcome::MemberGone, Some(age)) => {
            CallOutcome::Transient(Transient::NotYetKnown { wait: age.clamp(SHORTEST, LONGEST) })
        }
        (outcome, _) => outcome.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::job::JobAction,
        ids::{JobId, RoleId, UserId},
    };

    fn job(origin: JobOrigin, seconds: u64) -> ClaimedJob {
        ClaimedJob {
            id: JobId::from_u64(1).unwrap(),
            user: UserId::from_u64(1).unwrap(),
            role: RoleId::from_u64(1).unwrap(),
            action: JobAction::Resync,
            origin,
            attempts: 0,
            age: Duration::from_secs(seconds),
            is_due: true,
            is_held: false,
            cause: String::new(),
        }
    }

    #[test]
    fn only_a_joining_of_the_last_minutes_is_one() {
        use JobOrigin::{Join, Purchase};
        for (jobs, expected) in [
            (vec![job(Purchase, 1)], None),
            (vec![job(Join, 300)], None),
            (vec![job(Join, 299), job(Purchase, 1)], Some(299)),
            (vec![job(Join, 400), job(Join, 7)], Some(7)),
        ] {
            assert_eq!(heard(&jobs), expected.map(Duration::from_secs));
        }
    }

    #[test]
    fn waits_grow_and_the_answer_counts_in_the_end() {
        let absent = CallOutcome::MemberGone;
        let (mut age, mut waits) = (Duration::ZERO, Vec::new());
        while let CallOutcome::Transient(Transient::NotYetKnown { wait }) =
            despite_absence(&absent, heard(&[job(JobOrigin::Join, age.as_secs())]))
        {
            waits.push(wait.as_secs());
            age += wait;
        }
        assert_eq!(waits, [2, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(despite_absence(&absent, None), absent, "who bought while away waits for the joining");
    }

    #[test]
    fn other_answers_stand() {
        for outcome in [
            CallOutcome::Done,
            CallOutcome::RoleGone,
            CallOutcome::Forbidden { code: 50013 },
            CallOutcome::GuildGone { code: 10004 },
        ] {
            assert_eq!(despite_absence(&outcome, Some(Duration::ZERO)), outcome);
        }
    }
}
