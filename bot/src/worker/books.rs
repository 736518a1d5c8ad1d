//! What a planned step, carried out or not, means for the jobs and the books. Pure.
//!
//! In: one role's work, the step, and what came of its call. Out: a [`Page`] of changes for the settling transaction.

use std::time::Duration;

use shared::{
    domain::{
        enforcement::Enforcement,
        job::{ClaimedJob, JobAction, JobState},
        plan::{LostWith, Recorded, Regrant, Step},
        verdict::{LOOK_AGAIN, PROBE_ROLE, ParkReason, Verdict},
    },
    ids::UserId,
    store::{
        grants::{Change, GrantChange},
        role_jobs::{Power, RoleWork},
        settle::{JobUpdate, RoleHealth},
    },
};

use super::roles::SUSPENDED;

/// The first look has the job go on as soon as it is made; this is for when the two just miss each other.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Somebody drags roles about.
const CHANGING: Duration = Duration::from_secs(2);
const NOT_MANAGEABLE: &str = "parked: Discord does not let the bot manage this role (most often it lacks Manage Roles, or the role is not below its own)";
const NEEDS_TWO_FACTOR: &str = "parked: this server wants two-factor authentication of its moderators; the owner of the bot's application must turn it on";

/// Changes for one role of one member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Jobs.
    pub(super) jobs: Vec<JobUpdate>,
    /// The books.
    pub(super) grant: Option<GrantChange>,
    /// The role.
    pub(super) role: Option<RoleHealth>,
}

/// A step that needs no call.
pub(super) fn without_call(user: UserId, work: &RoleWork, step: Step) -> Page {
    let (change, state, outcome) = match step {
        Step::Confirm => {
            (Some(Change::Granted), JobState::Applied, "granted: an earlier call had gone through")
        }
        Step::RecordGone => (Some(Change::Revoked), JobState::Applied, "revoked: it was already gone"),
        Step::Forget => (Some(Change::Forgotten), JobState::Noop, "nothing to do: it was never given"),
        Step::AlreadySo => (None, JobState::Noop, "nothing to do: the member has it"),
        Step::Missing => (
            None,
            JobState::Noop,
            "left alone: it is gone though the member never left; a person may have taken it",
        ),
        Step::HumansOwn => (None, JobState::Noop, "left alone: a person gave this role"),
        Step::Nothing => (None, JobState::Noop, "nothing to do: the member does not have it"),
        Step::AwaitMember(lost) => (lost_with(lost), JobState::Parked, "waits for the member to join"),
        Step::MemberGone(lost) => {
            (lost_with(lost), JobState::Noop, "nothing to do: the member is not in the server")
        }
        // Calls are not skipped; see `after_call` and `not_called`.
        Step::Grant(_) | Step::Revoke(_) => (None, JobState::Pending, "not tried"),
    };
    let due_in = if state == JobState::Parked { LOOK_AGAIN } else { Duration::ZERO };
    page(user, work, change, jobs(work, direction(step), state, due_in, 0, outcome))
}

/// A role that is not enforced: nothing is changed, not even planned.
pub(super) fn not_enforced(user: UserId, work: &RoleWork) -> Page {
    let (state, due_in, outcome) = match work.enforcement {
        Enforcement::Unseen => {
            (JobState::Pending, FIRST_LOOK, "waits for the first look at who holds this role")
        }
        Enforcement::Observe | Enforcement::On => {
            (JobState::Noop, Duration::ZERO, "only observed: this role is not turned on")
        }
    };
    page(user, work, None, jobs(work, None, state, due_in, 0, outcome))
}

/// A step whose call Discord would refuse: it refused the same role a moment ago.
pub(super) fn not_called(user: UserId, work: &RoleWork) -> Page {
    page(user, work, None, jobs(work, None, JobState::Parked, PROBE_ROLE, 0, NOT_MANAGEABLE))
}

/// A role that must not be given, and is to be. `step`: what was planned, if the member was looked at just now: then they do not
/// have the role, and whoever gets it by hand meanwhile does not have it from us.
pub(super) fn suspended(user: UserId, work: &RoleWork, step: Option<Step>, danger: &str) -> Page {
    let outcome = format!(
        "suspended: {danger}; nobody is given this role until its permissions are mended in Discord, or another is mapped"
    );
    let change = step.and_then(gone);
    page(user, work, change, jobs(work, Some(JobAction::Grant), JobState::Parked, SUSPENDED, 0, &outcome))
}

/// A role whose permissions are being changed in this moment.
pub(super) fn changing(user: UserId, work: &RoleWork) -> Page {
    let outcome = "waits: the roles of this server are being changed";
    page(user, work, None, jobs(work, None, JobState::Pending, CHANGING, 0, outcome))
}

/// A step whose call was made, or tried. `None`: nothing becomes of the jobs now, they stay as they are.
pub(super) fn after_call(user: UserId, work: &RoleWork, step: Step, verdict: &Verdict) -> Option<Page> {
    let all = |state, due_in, failures, outcome: &str| {
        jobs(work, direction(step), state, due_in, failures, outcome)
    };
    let done = |state, outcome: &str| all(state, Duration::ZERO, 0, outcome);
    let mut role = None;
    let (change, updates) = match verdict {
        Verdict::Done => {
            role = (work.power == Power::ProbeDue).then_some(RoleHealth::Works(work.view.role));
            let (change, outcome) = match step {
                Step::Revoke(Recorded::Confirmed) => (Change::Revoked, "revoked"),
                Step::Revoke(Recorded::Unrecorded) => (Change::GrantedAndRevoked, "revoked"),
                Step::Grant(Regrant::Lost) => (Change::GrantedAgain, "granted again"),
                _ => (Change::Granted, "granted"),
            };
            (Some(change), done(JobState::Applied, outcome))
        }
        // The gate pauses; jobs keep their place, and no attempt is spent.
        Verdict::Snooze(..) | Verdict::ParkGuild(_) | Verdict::StopEverything => return None,
        // It may have happened: the intention stays.
        Verdict::Retry(wait, cause) => {
            (None, all(JobState::Pending, *wait, 1, &format!("will be tried again: {cause}")))
        }
        Verdict::RetryRefused(wait, code) => {
            let outcome = format!("will be tried again: Discord refused with status 403, code {code}");
            (dropped_intention(step), all(JobState::Pending, *wait, 1, &outcome))
        }
        Verdict::Park(ParkReason::Refused(status, code)) => {
            let outcome = format!("parked: Discord refused with status {status}, code {code}");
            (dropped_intention(step), all(JobState::Parked, LOOK_AGAIN, 1, &outcome))
        }
        Verdict::Park(ParkReason::MemberAbsent) => match step {
            Step::Revoke(_) => {
                (gone(step), done(JobState::Noop, "the member has left, and the role with them"))
            }
            _ => (gone(step), all(JobState::Parked, LOOK_AGAIN, 0, "waits for the member to join")),
        },
        &Verdict::ParkRole(code) => {
            role = Some(RoleHealth::Parked { role: work.view.role, probe_in: PROBE_ROLE, code });
            (dropped_intention(step), all(JobState::Parked, PROBE_ROLE, 0, &forbidden(code)))
        }
        Verdict::RoleGone => {
            // What was known about our power over it is moot.
            role = Some(RoleHealth::Gone(work.view.role));
            match step {
                Step::Revoke(_) => (gone(step), done(JobState::Applied, "the role was deleted, and is gone")),
                _ => (gone(step), all(JobState::Failed, Duration::ZERO, 1, "failed: the role was deleted")),
            }
        }
    };
    Some(Page { role, ..page(user, work, change, updates) })
}

fn forbidden(code: u32) -> String {
    match code {
        50013 => NOT_MANAGEABLE.to_owned(),
        60003 => NEEDS_TWO_FACTOR.to_owned(),
        code => format!("parked: Discord does not let the bot manage this role (status 403, code {code})"),
    }
}

/// An intention that certainly came to nothing is dropped, so that a role given by hand later is not taken for ours.
fn dropped_intention(step: Step) -> Option<Change> {
    (step == Step::Grant(Regrant::Fresh)).then_some(Change::Forgotten)
}

/// What the books learn when the member, or the role, turns out not to exist.
fn gone(step: Step) -> Option<Change> {
    match step {
        Step::Grant(Regrant::Fresh) | Step::Revoke(Recorded::Unrecorded) => Some(Change::Forgotten),
        Step::Grant(Regrant::Lost) | Step::Revoke(Recorded::Confirmed) => Some(Change::Lost),
        _ => None,
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

fn lost_with(lost: LostWith) -> Option<Change> {
    match lost {
        LostWith::Grant => Some(Change::Lost),
        LostWith::Intention => Some(Change::Forgotten),
        LostWith::Nothing => None,
    }
}

fn direction(step: Step) -> Option<JobAction> {
    match step {
        Step::Grant(_) | Step::Confirm | Step::AlreadySo | Step::Missing | Step::AwaitMember(_) => {
            Some(JobAction::Grant)
        }
        Step::Revoke(_) | Step::RecordGone | Step::MemberGone(_) => Some(JobAction::Revoke),
        Step::Forget | Step::HumansOwn | Step::Nothing => None,
    }
}

fn page(user: UserId, work: &RoleWork, change: Option<Change>, jobs: Vec<JobUpdate>) -> Page {
    let cause = cause(work).to_owned();
    let grant = change.map(|change| GrantChange { user, role: work.view.role, change, cause });
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
mod tests {
    use super::*;
    use shared::{
        domain::{
            job::JobOrigin,
            outcome::{LimitScope, Transient},
            plan::RoleView,
        },
        ids::{JobId, RoleId},
    };

    fn work(actions: &[JobAction]) -> RoleWork {
        let role = RoleId::from_u64(7).unwrap();
        let jobs = actions.iter().zip(1..).map(|(&action, n)| ClaimedJob {
            id: JobId::from_u64(n).unwrap(),
            user: user(),
            role,
            action,
            origin: JobOrigin::Purchase,
            attempts: 0,
            age: Duration::ZERO,
            is_due: true,
            cause: format!("cause {n}"),
        });
        RoleWork {
            view: RoleView { role, desired: true, grant: None, confirmed_at: None, asked: true },
            power: Power::Assumed,
            enforcement: Enforcement::On,
            danger: None,
            jobs: jobs.collect(),
        }
    }
    fn user() -> UserId {
        UserId::from_u64(1).unwrap()
    }
    fn states(page: &Page) -> Vec<JobState> {
        page.jobs.iter().map(|job| job.state).collect()
    }

    /// Somebody may give it by hand while it is suspended: that is not to be taken later.
    #[test]
    fn a_suspended_role_that_the_member_was_seen_without_is_not_ours_any_more() {
        for (step, change) in [
            (None, None),
            (Some(Step::Grant(Regrant::Fresh)), Some(Change::Forgotten)),
            (Some(Step::Grant(Regrant::Lost)), Some(Change::Lost)),
        ] {
            let page = suspended(user(), &work(&[JobAction::Grant]), step, "it gives Administrator");
            assert_eq!(page.grant.as_ref().map(|grant| grant.change), change, "{step:?}");
            assert_eq!(states(&page), [JobState::Parked]);
        }
    }

    #[test]
    fn the_newest_job_that_asked_is_applied_and_the_rest_superseded() {
        use JobAction::{Grant, Resync, Revoke};
        use JobState::{Applied, Superseded};
        for (actions, expected) in [
            (&[Grant][..], &[Applied][..]),
            (&[Grant, Revoke, Grant], &[Superseded, Superseded, Applied]),
            (&[Grant, Revoke], &[Applied, Superseded]),
            (&[Grant, Resync], &[Superseded, Applied]),
            (&[Revoke], &[Superseded]),
        ] {
            let page =
                after_call(user(), &work(actions), Step::Grant(Regrant::Fresh), &Verdict::Done).unwrap();
            assert_eq!(states(&page), expected, "{actions:?}");
            assert_eq!(page.grant.unwrap().change, Change::Granted);
        }
    }

    /// Two subscriptions, one cancelled: the only job is a revoke, and the role is still due.
    #[test]
    fn what_waits_waits_in_a_job_that_asked_for_something_else() {
        let work = work(&[JobAction::Revoke, JobAction::Revoke]);
        let parked = [JobState::Superseded, JobState::Parked];
        assert_eq!(states(&without_call(user(), &work, Step::AwaitMember(LostWith::Grant))), parked);
        for verdict in [Verdict::ParkRole(50013), Verdict::Park(ParkReason::Refused(400, 50035))] {
            let page = after_call(user(), &work, Step::Grant(Regrant::Lost), &verdict).unwrap();
            assert_eq!(states(&page), parked, "{verdict:?}");
        }
    }

    #[test]
    fn a_job_that_is_not_due_is_not_charged_and_keeps_its_time() {
        let mut both = work(&[JobAction::Grant, JobAction::Grant]);
        both.jobs[0] = ClaimedJob { attempts: 3, is_due: false, ..both.jobs[0].clone() };
        assert_eq!(failures(&both), 0, "nor does it make the other wait longer");
        let retry = Verdict::Retry(Duration::from_secs(5), Transient::TimedOut);
        let page = after_call(user(), &both, Step::Grant(Regrant::Fresh), &retry).unwrap();
        for updates in [page.jobs, unread(&both, Unread::Member, &retry)] {
            let named: Vec<_> = updates.iter().map(|job| (job.id, job.failures)).collect();
            assert_eq!(named, [(both.jobs[1].id, 1)]);
        }
        let page = after_call(user(), &both, Step::Grant(Regrant::Fresh), &Verdict::Done).unwrap();
        assert_eq!(states(&page), [JobState::Superseded, JobState::Applied], "what is done is done for both");
    }

    #[test]
    fn an_ask_waits_rather_than_a_look() {
        let work = work(&[JobAction::Grant, JobAction::Resync]);
        let parked = [JobState::Parked, JobState::Superseded];
        assert_eq!(states(&without_call(user(), &work, Step::AwaitMember(LostWith::Nothing))), parked);
        assert_eq!(states(&not_called(user(), &work)), parked);
    }

    #[test]
    fn an_intention_never_outlives_the_member_or_the_role() {
        let work = work(&[JobAction::Revoke]);
        for verdict in [Verdict::Park(ParkReason::MemberAbsent), Verdict::RoleGone] {
            let page = after_call(user(), &work, Step::Revoke(Recorded::Unrecorded), &verdict).unwrap();
            assert_eq!(page.grant.unwrap().change, Change::Forgotten, "{verdict:?}");
        }
    }

    #[test]
    fn a_member_who_cannot_be_read_is_never_asked_for_again_at_once() {
        for verdict in [Verdict::RoleGone, Verdict::Done, Verdict::Park(ParkReason::Refused(400, 9))] {
            let updates = unread(&work(&[JobAction::Grant]), Unread::Member, &verdict);
            assert_eq!((updates[0].state, updates[0].due_in), (JobState::Parked, LOOK_AGAIN), "{verdict:?}");
        }
    }

    #[test]
    fn being_told_to_wait_writes_nothing() {
        let snooze = Verdict::Snooze(Duration::from_secs(9), LimitScope::Guild);
        for verdict in [snooze, Verdict::ParkGuild(10004), Verdict::StopEverything] {
            assert_eq!(
                after_call(user(), &work(&[JobAction::Grant]), Step::Grant(Regrant::Fresh), &verdict),
                None
            );
        }
    }

    #[test]
    fn an_unknown_result_keeps_the_intention_and_a_refusal_drops_it() {
        let try_with = |verdict| {
            after_call(user(), &work(&[JobAction::Grant]), Step::Grant(Regrant::Fresh), &verdict).unwrap()
        };
        let page = try_with(Verdict::Retry(Duration::from_secs(5), Transient::TimedOut));
        assert_eq!(
            (page.grant, page.jobs[0].failures, page.jobs[0].due_in),
            (None, 1, Duration::from_secs(5))
        );
        let page = try_with(Verdict::ParkRole(50013));
        assert_eq!((page.grant.unwrap().change, page.jobs[0].failures), (Change::Forgotten, 0));
        let role = RoleId::from_u64(7).unwrap();
        assert_eq!(page.role, Some(RoleHealth::Parked { role, probe_in: PROBE_ROLE, code: 50013 }));
        let page = try_with(Verdict::RetryRefused(Duration::from_secs(60), 50600));
        assert_eq!((page.role, page.grant.unwrap().change), (None, Change::Forgotten), "no role is blamed");
        assert_eq!((page.jobs[0].state, page.jobs[0].due_in), (JobState::Pending, Duration::from_secs(60)));
        assert_eq!(try_with(Verdict::RoleGone).jobs[0].state, JobState::Failed);
        let page = try_with(Verdict::Park(ParkReason::Refused(400, 50035)));
        assert_eq!((page.grant.unwrap().change, page.jobs[0].state), (Change::Forgotten, JobState::Parked));
    }

    #[test]
    fn a_refused_revoke_keeps_our_record_of_the_grant() {
        let revoke = |verdict| {
            after_call(user(), &work(&[JobAction::Revoke]), Step::Revoke(Recorded::Confirmed), &verdict)
                .unwrap()
        };
        assert_eq!(revoke(Verdict::ParkRole(60003)).grant, None);
        assert_eq!(revoke(Verdict::Park(ParkReason::MemberAbsent)).grant.unwrap().change, Change::Lost);
        assert_eq!(revoke(Verdict::Park(ParkReason::Refused(400, 50035))).grant, None);
    }

    #[test]
    fn a_persons_role_is_left_alone() {
        let page = without_call(user(), &work(&[JobAction::Revoke]), Step::HumansOwn);
        assert_eq!((states(&page), page.grant), (vec![JobState::Noop], None));
    }

    #[test]
    fn a_probe_that_works_frees_the_role() {
        let mut probe = work(&[JobAction::Grant]);
        probe.power = Power::ProbeDue;
        let page = after_call(user(), &probe, Step::Grant(Regrant::Fresh), &Verdict::Done).unwrap();
        assert_eq!(page.role, Some(RoleHealth::Works(RoleId::from_u64(7).unwrap())));
    }
}
