//! Discord says that a member, or a role, is not there. In: the work for the role, and its row after that answer. Out: what becomes
//! of the jobs. One such answer is not believed: they wait until it is given once more.

use std::time::Duration;

use super::{
    backoff::{PARKED, SECOND_SHOWING},
    job_updates::{JobEnd, direction, update},
    update::JobUpdate,
};
use crate::{
    clock::Timestamp,
    domain::{
        job::{JobOrigin, JobState},
        roles::{
            grant::{GrantState, Known, Step},
            work::RoleWork,
        },
    },
};

/// The outcome of a job that waits for a member, and of one whose role is gone.
pub(in crate::domain) const AWAITED: &str = "waits for the member to join";
pub(in crate::domain) const ROLE_DELETED: &str = "failed: the role was deleted";
const NO_MEMBER: &str = "Discord says that the member is not in the server";
const NO_ROLE: &str = "Discord says that the role was deleted";

/// The member is not there. `known`: the row after that answer.
pub(super) fn of_member(work: &RoleWork, step: Step, known: Known, now: Timestamp) -> Vec<JobUpdate> {
    if let Some(waiting) = second_showing(work, step, known, now, NO_MEMBER) {
        return waiting;
    }
    let end = match step {
        Step::Grant | Step::AwaitMember if is_first(work) => JobEnd::parked(SECOND_SHOWING, AWAITED).failed(),
        Step::Grant | Step::AwaitMember => JobEnd::parked(PARKED, AWAITED),
        Step::MemberGone => JobEnd::noop("nothing to do: the member is not in the server"),
        _ => JobEnd::noop("the member has left, and the role with them"),
    };
    update(work, direction(step), end)
}

/// The role is not there. `known`: the row after that answer.
pub(super) fn of_role(work: &RoleWork, step: Step, known: Known, now: Timestamp) -> Vec<JobUpdate> {
    if let Some(waiting) = second_showing(work, step, known, now, NO_ROLE) {
        return waiting;
    }
    let end = match step {
        Step::Grant if known.grant.is_none() && work.view.grant.is_none() && is_first(work) => {
            JobEnd::parked(SECOND_SHOWING, until_said_again(NO_ROLE)).failed()
        }
        Step::Grant => JobEnd::finished(JobState::Failed, ROLE_DELETED).failed(),
        _ => JobEnd::applied("the role was deleted, and is gone"),
    };
    update(work, direction(step), end)
}

/// What waits until member or role is shown to be absent once more. `None`: nothing is in doubt.
fn second_showing(
    work: &RoleWork,
    step: Step,
    known: Known,
    now: Timestamp,
    shown: &str,
) -> Option<Vec<JobUpdate>> {
    let row = known.grant.filter(|row| row.absent_since.is_some() && row.state != GrantState::Ending)?;
    let wait = row.look_at? - now;
    let due_in = wait.try_into().unwrap_or(Duration::ZERO);
    Some(update(work, direction(step), JobEnd::parked(due_in, until_said_again(shown))))
}

fn until_said_again(shown: &str) -> String {
    format!("waits: {shown}; that is believed when it says so again")
}

/// What failed for another reason was not told that before; what was, waited, and is a mere check since.
fn is_first(work: &RoleWork) -> bool {
    work.jobs.iter().all(|job| job.attempts == 0 || job.origin != JobOrigin::Sweep)
}
