//! What a planned step, carried out or not, means for the jobs and the books. Pure.
//!
//! In: one role's work, the step, and what came of its call. Out: a [`Page`] of changes for the settling transaction.

use std::time::Duration;

use shared::{
    clock::Timestamp,
    domain::{
        delivery::verdict::{LOOK_AGAIN, PROBE_ROLE, ParkReason, SECOND_SHOWING, Verdict},
        job::{ClaimedJob, JobAction, JobOrigin, JobState},
        roles::{
            enforcement::Enforcement,
            grant::{GrantState, Known, Step},
            plan::Planned,
            safety::remedy,
        },
    },
    ids::UserId,
    store::{
        role_grants::GrantChange,
        role_jobs::{Power, RoleWork},
        settle::{JobUpdate, RoleHealth},
    },
};

use super::role_safety::SUSPENDED;

/// The first look has the job go on as soon as it is made; this is for when the two just miss each other.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Somebody drags roles about.
const CHANGING: Duration = Duration::from_secs(2);
const AWAITED: &str = "waits for the member to join";
const ABSENT: &str = "Discord says that the member is not in the server";
const NO_ROLE: &str = "Discord says that the role was deleted";
const NOT_MANAGEABLE: &str = "parked: Discord does not let the bot manage this role (most often it lacks Manage Roles, or the role is not below its own)";
const NEEDS_TWO_FACTOR: &str = "parked: this server wants two-factor authentication of its moderators; the owner of the bot's application must turn it on";

/// Changes for one role of one member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Jobs.
    pub(super) jobs: Vec<JobUpdate>,
    /// The row of `role_grants`.
    pub(super) grant: Option<GrantChange>,
    /// The role.
    pub(super) role: Option<RoleHealth>,
}

/// A step that needs no call.
pub(super) fn without_call(user: UserId, work: &RoleWork, planned: Planned, now: Timestamp) -> Page {
    let Planned { known, step } = planned;
    let waiting = match step {
        Step::AwaitMember => Some(awaits_member(work, known, now)),
        Step::MemberGone => second_showing(work, step, known, now, ABSENT),
        _ => None,
    };
    let jobs = waiting.unwrap_or_else(|| {
        let (state, outcome) = found(step);
        jobs(work, direction(step), state, Duration::ZERO, 0, outcome)
    });
    page(user, work, known, jobs)
}

/// What a look found, in words.
fn found(step: Step) -> (JobState, &'static str) {
    match step {
        Step::Confirm => (JobState::Applied, "granted: an earlier call had gone through"),
        Step::RecordGone => (JobState::Applied, "revoked: it was already gone"),
        Step::Forget => (JobState::Noop, "nothing to do: it was never given"),
        Step::AlreadySo => (JobState::Noop, "nothing to do: the member has it"),
        Step::Missing => (
            JobState::Noop,
            "left alone: it is gone though the member never left; a person may have taken it",
        ),
        Step::Wait => (JobState::Noop, "nothing to do yet: it is looked at once more"),
        Step::HumansOwn => (JobState::Noop, "left alone: a person gave this role"),
        Step::GivenUp => {
            (JobState::Noop, "left alone: we took it twice, and it is there again; somebody else gives it")
        }
        Step::Nothing => (JobState::Noop, "nothing to do: the member does not have it"),
        Step::AwaitMember => (JobState::Parked, AWAITED),
        Step::MemberGone => (JobState::Noop, "nothing to do: the member is not in the server"),
        // Calls are not skipped; see `after_call` and `not_called`.
        Step::Grant | Step::Revoke => (JobState::Pending, "not tried"),
    }
}

/// What waits until member or role is shown to be absent once more: one such answer is not believed. `None`: nothing is in doubt.
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
    let outcome = format!("waits: {shown}; that is believed when it says so again");
    Some(jobs(work, direction(step), JobState::Parked, due_in, 0, &outcome))
}

/// Somebody is to get a role, and is not in the server. The first such answer is not believed for long.
fn awaits_member(work: &RoleWork, known: Known, now: Timestamp) -> Vec<JobUpdate> {
    second_showing(work, Step::AwaitMember, known, now, ABSENT).unwrap_or_else(|| {
        let (due_in, failures) = if is_first(work) { (SECOND_SHOWING, 1) } else { (LOOK_AGAIN, 0) };
        jobs(work, Some(JobAction::Grant), JobState::Parked, due_in, failures, AWAITED)
    })
}

/// What failed for another reason was not told that before; what was, waited, and is a mere look since.
fn is_first(work: &RoleWork) -> bool {
    work.jobs.iter().all(|job| job.attempts == 0 || job.origin != JobOrigin::Sweep)
}

/// Somebody is to get a role that Discord says there is not. The first such answer is not believed for long.
fn role_gone(work: &RoleWork, known: Known, now: Timestamp) -> Vec<JobUpdate> {
    second_showing(work, Step::Grant, known, now, NO_ROLE).unwrap_or_else(|| {
        if known.grant.is_none() && work.view.grant.is_none() && is_first(work) {
            let outcome = format!("waits: {NO_ROLE}; that is believed when it says so again");
            jobs(work, Some(JobAction::Grant), JobState::Parked, SECOND_SHOWING, 1, &outcome)
        } else {
            let outcome = "failed: the role was deleted";
            jobs(work, Some(JobAction::Grant), JobState::Failed, Duration::ZERO, 1, outcome)
        }
    })
}

/// A role that is to be given and is not in the list of the server's roles, which was read just now. `known`: as if the member had
/// been shown not to be there.
pub(super) fn not_listed(user: UserId, work: &RoleWork, known: Known, now: Timestamp) -> Page {
    let role = Some(RoleHealth::Works(work.view.role));
    Page { role, ..page(user, work, known, role_gone(work, known, now)) }
}

/// A role that is not enforced: nothing is changed, not even planned.
pub(super) fn not_enforced(work: &RoleWork) -> Page {
    let (state, due_in, outcome) = match work.enforcement {
        Enforcement::Unseen => {
            (JobState::Pending, FIRST_LOOK, "waits for the first look at who holds this role")
        }
        Enforcement::Observe | Enforcement::On => {
            (JobState::Noop, Duration::ZERO, "only observed: this role is not turned on")
        }
    };
    Page { jobs: jobs(work, None, state, due_in, 0, outcome), ..Page::default() }
}

/// A step whose call Discord would refuse: it refused the same role a moment ago.
pub(super) fn not_called(work: &RoleWork) -> Page {
    Page { jobs: jobs(work, None, JobState::Parked, PROBE_ROLE, 0, NOT_MANAGEABLE), ..Page::default() }
}

/// A role that must not be given, and is to be. `withheld`: the row, if the member was looked at just now: then they do not have the
/// role, and whoever gets it by hand meanwhile does not have it from us.
pub(super) fn suspended(
    user: UserId,
    work: &RoleWork,
    withheld: Option<Known>,
    danger: &str,
    now: Timestamp,
) -> Page {
    let outcome = format!("suspended: {danger}; nobody is given this role. {}", remedy(danger));
    // The row's last look is not put off: until then what is given by hand would be taken for ours.
    let look_at = withheld.and_then(|known| known.grant?.look_at);
    let due_in =
        look_at.map_or(SUSPENDED, |at| (at - now).try_into().unwrap_or(Duration::ZERO).min(SUSPENDED));
    let jobs = jobs(work, Some(JobAction::Grant), JobState::Parked, due_in, 0, &outcome);
    match withheld {
        Some(known) => page(user, work, known, jobs),
        None => Page { jobs, ..Page::default() },
    }
}

/// A role whose permissions are being changed in this moment.
pub(super) fn changing(work: &RoleWork) -> Page {
    let outcome = "waits: the roles of this server are being changed";
    Page { jobs: jobs(work, None, JobState::Pending, CHANGING, 0, outcome), ..Page::default() }
}

/// A step whose call was made, or tried. `planned`: with the row as it was written before the call; `known`: what the answer made of
/// it. `None`: nothing becomes of the jobs now, they stay as they are.
pub(super) fn after_call(
    user: UserId,
    work: &RoleWork,
    planned: Planned,
    verdict: &Verdict,
    known: Known,
    now: Timestamp,
) -> Option<Page> {
    let step = planned.step;
    let all = |state, due_in, failures, outcome: &str| {
        jobs(work, direction(step), state, due_in, failures, outcome)
    };
    let done = |state, outcome: &str| all(state, Duration::ZERO, 0, outcome);
    let mut role = None;
    let updates = match verdict {
        Verdict::Done => {
            role = (work.power == Power::ProbeDue).then_some(RoleHealth::Works(work.view.role));
            let was = work.view.grant.map(|row| row.state);
            done(
                JobState::Applied,
                match (step, was) {
                    (Step::Revoke, Some(GrantState::Ending)) => "revoked once more: it was there again",
                    (Step::Revoke, _) => "revoked",
                    (_, Some(GrantState::Confirmed)) => "granted again",
                    _ => "granted",
                },
            )
        }
        // The gate pauses; jobs keep their place, and no attempt is spent.
        Verdict::Snooze(..) | Verdict::ParkGuild(_) | Verdict::StopEverything => return None,
        Verdict::Retry(wait, cause) => {
            all(JobState::Pending, *wait, 1, &format!("will be tried again: {cause}"))
        }
        Verdict::RetryRefused(wait, code) => {
            let outcome = format!("will be tried again: Discord refused with status 403, code {code}");
            all(JobState::Pending, *wait, 1, &outcome)
        }
        Verdict::Park(ParkReason::Refused(status, code)) => {
            let outcome = format!("parked: Discord refused with status {status}, code {code}");
            all(JobState::Parked, LOOK_AGAIN, 1, &outcome)
        }
        Verdict::Park(ParkReason::MemberAbsent) if step == Step::Grant => awaits_member(work, known, now),
        Verdict::Park(ParkReason::MemberAbsent) => second_showing(work, step, known, now, ABSENT)
            .unwrap_or_else(|| done(JobState::Noop, "the member has left, and the role with them")),
        &Verdict::ParkRole(code) => {
            role = Some(RoleHealth::Parked { role: work.view.role, probe_in: PROBE_ROLE, code });
            all(JobState::Parked, PROBE_ROLE, 0, &forbidden(code))
        }
        Verdict::RoleGone => {
            role = Some(RoleHealth::Gone(work.view.role));
            match step {
                Step::Grant => role_gone(work, known, now),
                _ => second_showing(work, step, known, now, NO_ROLE)
                    .unwrap_or_else(|| done(JobState::Applied, "the role was deleted, and is gone")),
            }
        }
    };
    let grant = GrantChange::new(user, work.view.role, planned.known.grant, known, cause(work));
    Some(Page { jobs: updates, grant, role })
}

fn forbidden(code: u32) -> String {
    match code {
        50013 => NOT_MANAGEABLE.to_owned(),
        60003 => NEEDS_TWO_FACTOR.to_owned(),
        code => format!("parked: Discord does not let the bot manage this role (status 403, code {code})"),
    }
}

/// What had to be read before anything could be planned, or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// The member's roles.
    Member,
    /// What the server's roles may do.
    Roles,
}

/// All jobs of a role for which something could not be read.
pub(super) fn unread(work: &RoleWork, what: Unread, verdict: &Verdict) -> Vec<JobUpdate> {
    let what = match what {
        Unread::Member => "the member",
        Unread::Roles => "the list of roles",
    };
    let park = |why: &str| {
        jobs(work, None, JobState::Parked, LOOK_AGAIN, 1, &format!("{what} could not be read: {why}"))
    };
    match verdict {
        Verdict::Retry(wait, cause) => {
            jobs(work, None, JobState::Pending, *wait, 1, &format!("{what} could not be read: {cause}"))
        }
        Verdict::RetryRefused(wait, code) => {
            let outcome = format!("{what} could not be read: Discord refused with status 403, code {code}");
            jobs(work, None, JobState::Pending, *wait, 1, &outcome)
        }
        Verdict::Park(ParkReason::Refused(status, code)) => {
            park(&format!("Discord refused with status {status}, code {code}"))
        }
        // No answer to such a look; but if it were one, it must not be asked for again at once.
        Verdict::RoleGone | Verdict::Done | Verdict::Park(ParkReason::MemberAbsent) => {
            park("Discord's answer was about something else")
        }
        // About the guild or about everything: jobs keep their place.
        Verdict::ParkRole(_) | Verdict::Snooze(..) | Verdict::ParkGuild(_) | Verdict::StopEverything => {
            Vec::new()
        }
    }
}

/// The cause that people see: of the newest job.
pub(super) fn cause(work: &RoleWork) -> &str {
    work.jobs.last().map_or("", |job| job.cause.as_str())
}

/// The most failures among the jobs that are due: they are tried together.
pub(super) fn failures(work: &RoleWork) -> u32 {
    work.jobs.iter().filter(|job| job.is_due).map(|job| job.attempts).max().unwrap_or(0)
}

fn direction(step: Step) -> Option<JobAction> {
    match step {
        Step::Grant | Step::Confirm | Step::AlreadySo | Step::Missing | Step::AwaitMember => {
            Some(JobAction::Grant)
        }
        Step::Revoke | Step::RecordGone | Step::MemberGone | Step::GivenUp => Some(JobAction::Revoke),
        Step::Forget | Step::HumansOwn | Step::Nothing | Step::Wait => None,
    }
}

fn page(user: UserId, work: &RoleWork, known: Known, jobs: Vec<JobUpdate>) -> Page {
    let grant = GrantChange::new(user, work.view.role, work.view.grant, known, cause(work));
    Page { jobs, grant, role: None }
}

/// The newest job that asked for this takes the state; finished ones beside it are superseded. A state that is not final
/// is everybody's. A job that was not due is charged with no failure, and keeps its time.
fn jobs(
    work: &RoleWork,
    direction: Option<JobAction>,
    state: JobState,
    due_in: Duration,
    failures: u32,
    outcome: &str,
) -> Vec<JobUpdate> {
    let asked =
        |job: &&ClaimedJob| direction.is_none_or(|way| job.action == way || job.action == JobAction::Resync);
    // An ask outlives a look: the turn that comes of it gives back also what a person took.
    let asks = |job: &&ClaimedJob| state == JobState::Parked && asked(job) && job.action == JobAction::Grant;
    // What waits must wait in some job, also when none asked for it.
    let any = work.jobs.last().filter(|_| matches!(state, JobState::Parked | JobState::Failed));
    let mut newest_first = work.jobs.iter().rev();
    let newest =
        newest_first.clone().find(asks).or_else(|| newest_first.find(asked)).or(any).map(|job| job.id);
    let shared_state = matches!(state, JobState::Pending);
    let update = |job: &ClaimedJob| {
        if shared_state || Some(job.id) == newest {
            let failures = if job.is_due { failures } else { 0 };
            JobUpdate { id: job.id, state, due_in, failures, outcome: outcome.to_owned() }
        } else {
            let outcome = format!("superseded: {outcome}");
            JobUpdate {
                id: job.id,
                state: JobState::Superseded,
                due_in: Duration::ZERO,
                failures: 0,
                outcome,
            }
        }
    };
    let untouched = |job: &&ClaimedJob| shared_state && failures > 0 && !job.is_due;
    work.jobs.iter().filter(|job| !untouched(job)).map(update).collect()
}

#[cfg(test)]
mod tests;
